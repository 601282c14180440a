"""What a fault is.

A fault's function imports readfresh when it is called, and breaks it by assigning to its classes and modules.
It is a function of a module, by name, so that child processes can apply it too.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A way to break readfresh.

    Args:
        apply: puts the fault into the readfresh of this process.
        breaks: the slugs of the guarantees whose tests it must turn red, each of them.
        what: what is wrong with such a store, as one clause.
        tests: other tests that it must turn red, each of them; those of the databases, which are no guarantee's own.
        found_by: the part of `tests.proofs` that has to find it: the kind of test that such a fault takes.
    """

    apply: Callable[[], None]
    breaks: tuple[str, ...]
    what: str
    tests: tuple[str, ...] = ()
    found_by: str = ""


def put(owner: object, **attributes: object) -> None:
    """Assign attributes of a class or module that type checkers hold to be constant."""
    for name, value in attributes.items():
        setattr(owner, name, value)
