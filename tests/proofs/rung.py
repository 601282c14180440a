"""What the rungs have in common: parts that are run, what they count, and what they find.

1. A part runs over the stores as they are in this process: under a fault too, which is how it shows its teeth.
2. It ends at the first thing that it finds, and says it so that a reader can follow it.
3. What it counts is the same in every run, but for the names in `varying`; times are never among its counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Args:
        what: the finding, as one sentence that names the guarantee or the rule, the verb and the moment.
        history: what happened, one event a line; the shortest that shows it.
        mermaid: the same as a sequence diagram; empty where there is none.
    """

    what: str
    history: tuple[str, ...] = ()
    mermaid: str = ""

    def __str__(self) -> str:
        return "\n".join([self.what, *self.history, *([self.mermaid] if self.mermaid else [])])


@dataclass(frozen=True)
class Ran:
    """What a part has done.

    Args:
        counts: how many of what were tried, in words that a page can show: ``{"schedules": 8400}``.
        finding: the first thing that is wrong; None when nothing is.
        varying: the names among the counts that differ from run to run.
    """

    counts: Mapping[str, int]
    finding: Finding | None = None
    varying: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Part:
    """A part of a rung, which is one test.

    Args:
        rung: the folder.
        name: its name within the rung.
        what: what it tries, as one clause for the page.
        run: tries it, in an empty folder of its own.
    """

    rung: str
    name: str
    what: str
    run: Callable[[Path], Ran]

    @property
    def key(self) -> str:
        """Its name among all parts."""
        return f"{self.rung}-{self.name}"
