"""The parts of the rung: every pair of verbs with one preemption, and appends, where most is at stake, with more."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.proofs.orders.programs import PLAIN_VERBS, Program
from tests.proofs.rung import Part, Ran
from tests.proofs.threads.ours import Count, Setting, check

VERBS = (
    *("add_message", "get_session", "set_chat_history", "update_session_metadata", "delete_session"),
    *("fork_session", "create_session", "create_snapshot", "revert_to_snapshot", "list_sessions"),
)
TREES = ("get_children", "get_parent", "create_session")
SHARED = ("add_message", "get_session", "delete_session", "create_session")


def run(programs: Iterable[tuple[Program, Setting, str]], preemptions: int, folder: Path) -> Ran:
    """Run every schedule of each program; stop at the first thing that is wrong."""
    count = Count()
    for program, setting, world in programs:
        finding = check(program, setting, world, folder, preemptions, count)
        if finding is not None:
            break
    else:
        finding = None
    return Ran({"programs": count.programs, "schedules": count.schedules, "operations": count.operations}, finding)


def beside(verbs: Sequence[str], size: int, *settings: Setting) -> Iterator[tuple[Program, Setting, str]]:
    """Yield a program for each choice of verbs: the stores, plain and hierarchical, and the worlds take turns.

    Every third has no session yet.
    """
    for number, chosen in enumerate(itertools.combinations_with_replacement(verbs, size)):
        for turn, setting in enumerate(settings):
            kinds = [verb not in PLAIN_VERBS or bool((number + turn) >> place & 1) for place, verb in enumerate(chosen)]
            if setting == "share":
                kinds = [any(kinds)] * size
            program = tuple((extended, (verb,)) for extended, verb in zip(kinds, chosen, strict=True))
            yield program, setting, "absent" if number % 3 == 2 else "there"


def reading_again() -> Iterator[tuple[Program, Setting, str]]:
    """Yield programs in which a client reads, and reads again what another one has changed in between."""
    for read in ("get_session", "list_sessions", "session_exists"):
        for write in ("add_message", "delete_session"):
            for setting in ("processes", "threads", "share"):
                yield ((False, (read, read)), (False, (write,))), setting, "there"


APPEND, DELETE, LOOK = ((False, (verb,)) for verb in ("add_message", "delete_session", "session_exists"))
THREE_WRITERS = ((APPEND, APPEND, APPEND), (APPEND, APPEND, DELETE))


def there(setting: Setting, *programs: Program) -> Iterator[tuple[Program, Setting, str]]:
    """Yield programs on a session that exists."""
    for program in programs:
        yield program, setting, "there"


def _part(name: str, what: str, preemptions: int, programs: Iterable[tuple[Program, Setting, str]]) -> Part:
    return Part("threads", name, what, partial(run, tuple(programs), preemptions))


PARTS = (
    _part("pairs", "every pair of verbs, 1 preemption", 1, beside(VERBS, 2, "processes")),
    _part("trees", "pairs of what goes up and down a tree, 1 preemption", 1, beside(TREES, 2, "processes", "share")),
    _part("threads", "pairs of one process's threads, 1 preemption", 1, beside(SHARED, 2, "threads", "share")),
    _part("reads", "a session read before and after a change, 1 preemption", 1, reading_again()),
    _part("appends", "two appends, 3 preemptions", 3, there("processes", (APPEND, APPEND))),
    _part("shared", "two appends of one store object, 3 preemptions", 3, there("share", (APPEND, APPEND))),
    _part("writers", "three writers, 1 preemption", 1, there("processes", *THREE_WRITERS)),
    _part(
        "lookers", "two clients that look while one deletes, 2 preemptions", 2, there("processes", (LOOK, LOOK, DELETE))
    ),
)
"""Those of the normal run."""

LONG_ONES = (
    _part("pairs-long", "every pair of verbs, 2 preemptions", 2, beside(VERBS, 2, "processes", "share")),
    _part("writers-long", "three writers, 2 preemptions", 2, there("processes", *THREE_WRITERS)),
)
"""More of the same, for LONG_RUN=1."""
