"""What is to be proved: the pages of a project, and the blocks on them, grouped as a reader runs them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .diagram import Draw, mermaid
from .scan import Block, Problem, scan_docstrings, scan_page


@dataclass(frozen=True)
class Case:
    """Blocks that a reader runs together: one session, one script with its output, or a block alone."""

    name: str
    blocks: tuple[Block, ...]

    @property
    def needs(self) -> list[str]:
        """What the case cannot be run without, in the words of its blocks, each once."""
        return list(dict.fromkeys(name for block in self.blocks for name in (block.get("needs") or "").split()))


Need = Callable[[], AbstractContextManager[Mapping[str, str]]]
"""Makes something ready for one run of a case, and gives the environment variables that tell where it is.

Where it cannot be had, it skips the test, as `pytest.skip` does, and says how to get it.
"""


Recording = Callable[[Path], str]
"""Plays a scenario in an empty folder, with what the block needs at hand, and returns the text of its diagram."""


@dataclass(frozen=True)
class Site:
    """The pages of a project. Patterns are relative to `root`."""

    root: Path
    docs: str = "docs"
    """The folder of the pages that become HTML."""
    pages: tuple[str, ...] = ("docs/**/*.md", "README.md")
    sources: tuple[str, ...] = ("src/**/*.py",)
    """Python files whose docstrings hold blocks."""
    fresh: tuple[str, ...] = ()
    """Packages that are imported anew for each case, so that no case sees what another left in a module."""
    needs: Mapping[str, Need] = field(default_factory=dict, hash=False)
    """What a block may need beside Python, such as a server, by the name that it says in ``needs="…"``."""
    recordings: Mapping[str, Recording] = field(default_factory=dict, hash=False)
    """What the sequence diagrams are compared with, by the name that each says in ``run="…"``.

    Where there are any, a sequence diagram without one is a problem, unless it says why: ``unrecorded="…"``.
    """
    draw: Draw = mermaid
    """How the site draws its diagrams, where it does so by itself."""
    unrun_budget: int = 0
    """How many blocks say why they are not run. It may only fall."""
    unrecorded_budget: int = 0
    """How many sequence diagrams say why they are compared with no recording. It may only fall."""

    def paths(self, patterns: Iterable[str]) -> list[str]:
        """Return the files, sorted, relative to the root."""
        found = {file for pattern in patterns for file in self.root.glob(pattern)}
        return sorted(file.relative_to(self.root).as_posix() for file in found)

    @cached_property
    def census(self) -> Census:
        """Scan every page and docstring, once."""
        blocks: list[Block] = []
        problems: list[Problem] = []
        for path in self.paths(self.pages):
            found, wrong = scan_page(self.root, path)
            blocks, problems = blocks + found, problems + wrong
        for path in self.paths(self.sources):
            found, wrong = scan_docstrings(self.root, path)
            blocks, problems = blocks + found, problems + wrong
        cases, wrong = group(blocks)
        wrong += [
            Problem(block.path, block.line, f'needs="{name}": the site knows {", ".join(self.needs) or "no need"}')
            for block in blocks
            for name in (block.get("needs") or "").split()
            if name not in self.needs
        ]
        wrong += filter(None, map(self._unrecorded, blocks))
        return Census(tuple(blocks), tuple(cases), tuple(sorted(problems + wrong)))

    def _unrecorded(self, block: Block) -> Problem | None:
        """Return what is wrong with the name of a diagram's recording, or with its absence."""
        if block.language != "mermaid" or block.get("unrun"):
            return None
        name = block.get("run")
        if name is not None and name not in self.recordings:
            alike = ", ".join(difflib.get_close_matches(name, self.recordings) or sorted(self.recordings)) or "none"
            return Problem(block.path, block.line, f'run="{name}": no such recording; there are {alike}')
        if name is None and self.recordings and is_sequence(block) and not block.get("unrecorded"):
            return Problem(block.path, block.line, 'a sequence diagram without run="…": nothing holds it to the code')
        return None


def is_sequence(block: Block) -> bool:
    """Return whether the block is a sequence diagram."""
    return block.language == "mermaid" and block.text.lstrip().startswith("sequenceDiagram")


@dataclass(frozen=True)
class Census:
    """Every block that was found, the cases to run, and what is wrong before anything is run."""

    blocks: tuple[Block, ...]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]


def group(blocks: Iterable[Block]) -> tuple[list[Case], list[Problem]]:
    """Put the blocks of each session together, and each output with its script."""
    cases: dict[str, list[Block]] = {}
    problems: list[Problem] = []
    home, before = "", None  # the case and the block that an output below would belong to
    for block in blocks:
        if block.get("unrun") or block.get("by"):
            before = None
            continue
        if block.language == "text":
            if before and before.path == block.path and before.get("run") == "script":
                cases[home].append(block)
            else:
                problems.append(Problem(block.path, block.line, "an output without a script right above it"))
            before = None
            continue
        session = block.get("session")
        home, before = f"{block.path}[{session}]" if session else block.name, block
        cases.setdefault(home, []).append(block)
    for name, members in cases.items():
        if not any(block.get("run") != "file" for block in members):
            problems.append(Problem(members[0].path, members[0].line, f"nothing runs the files of {name}"))
        if members[0].language == "json":
            problems.append(Problem(members[0].path, members[0].line, f"no block of {name} above this one"))
    return [Case(name, tuple(members)) for name, members in cases.items()], problems
