"""Prove that a page turns red when what it promises is broken.

A mutant is a function without arguments that breaks the library by assigning to its modules. It is applied to the
library as it is freshly imported for the case, in this process (`Site.fresh` has to name the library) and, through a
``sitecustomize`` module, in every Python process that a script or a console of the case starts.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import CodeType
from typing import Protocol

from .failure import BlockFailed
from .play import play
from .site import Case, Site


class Mutant(Protocol):
    """A function of a module that can be imported, without arguments; it imports the library when it is called."""

    __module__: str
    __qualname__: str
    __code__: CodeType

    def __call__(self) -> None:
        """Break the library."""


_SITECUSTOMIZE = """\
import os, pathlib, sys, traceback
try:
    import {module}
    {module}.{name}()
    said = "applied"
except BaseException:
    said = traceback.format_exc()
with pathlib.Path({log!r}).open("a") as log:
    print(said, file=log)
"""


class MutantBroken(Exception):
    """The mutant could not be applied, so the page's colour says nothing."""


def kill(site: Site, case: Case, mutant: Mutant) -> str | None:
    """Return how the case fails with the mutant; None if it stays green, which nothing that is promised may do.

    Raises BlockFailed if the case fails without the mutant, and MutantBroken if the mutant itself does.
    """
    play(site, case)
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        log = Path(name, "log")

        def prepare(_base: Path, env: dict[str, str]) -> None:
            code = _SITECUSTOMIZE.format(module=mutant.__module__, name=mutant.__qualname__, log=str(log))
            Path(name, "sitecustomize.py").write_text(code)
            home = Path(mutant.__code__.co_filename).parents[mutant.__module__.count(".")]
            env["PYTHONPATH"] = os.pathsep.join([name, str(home), *filter(None, [env.get("PYTHONPATH")])])
            try:
                mutant()
            except Exception as error:
                said.append(f"{type(error).__name__}: {error}")

        red: str | None = None
        try:
            play(site, case, prepare=prepare)
        except BlockFailed as failure:
            red = str(failure)
        said += [line for line in log.read_text().splitlines() if line != "applied"] if log.exists() else []
    if said:
        raise MutantBroken("\n".join(said))
    return red
