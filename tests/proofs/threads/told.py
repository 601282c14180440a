"""A schedule as a reader sees it: one line a point, and a sequence diagram of the last of them."""

from __future__ import annotations

from collections.abc import Iterator

from readfresh.conformance.sequence import Arrow, Note, sequence_diagram, shortened
from tests.proofs.threads.explorer import Schedule

SHOWN = ("lock", "unlock", "read", "write", "open to write", "rename", "remove", "listdir")
MESSAGES = 12
LETTERS = "ABC"


def lines(schedule: Schedule) -> Iterator[str]:
    """Yield who did what, in the order in which it was done."""
    for number, what in schedule.points:
        yield shortened(f"{LETTERS[number]}: {what}")


def mermaid(schedule: Schedule, wrong: str) -> str:
    """Return the diagram: the files between the first client and the others, the last twelve of what touched them."""
    steps: list[Arrow | Note] = []
    for number, what in schedule.points:
        verb = next((one for one in SHOWN if what.startswith(f"{one} ")), None)
        if verb == "read":
            steps.append(Arrow("F", LETTERS[number], what, answer=True))
        elif verb is not None:
            steps.append(Arrow(LETTERS[number], "F", what))
    names = {"A": "worker A", "F": "the files", "B": "worker B", "C": "worker C"}
    return sequence_diagram(names, [*steps[-MESSAGES:], Note("F", wrong)])
