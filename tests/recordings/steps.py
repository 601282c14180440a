"""The figures of a save, one for each step: what worker A has, what the files hold, and what a loss of power leaves.

The store runs on the simulated disk of `tests.proofs.power`, which does what a recorded run on a real one does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from readfresh import DefaultSessionStore, SessionData, SessionMessage
from readfresh.disk import HeldLock
from tests.proofs.power.model import ROOT, Tree
from tests.proofs.power.simulated import SimulatedDisk
from tests.tables import Tables

PAGE = Path(__file__).resolve().parents[2] / "docs/how-it-works/a-save-step-by-step.md"
FILE = f"{ROOT}/chats/trip.json"

ARROWS = {
    "lock": "A -->|lock| L",
    "read": "F -->|read| A",
    "change": "A -->|change| A",
    "create": "A -->|create| T",
    "write": "A -->|write| T",
    "fsync": "T -->|fsync| D",
    "close": "A -->|close| T",
    "replace": "T -->|replace| F",
    "sync_directory": "F -->|sync_directory| D",
    "unlock": "A -->|unlock| L",
}
"""The arrow of each step; what it leads to."""


@dataclass(frozen=True)
class Step:
    """What there is when a step has been made.

    Args:
        memory: what worker A has of the session.
        files: what the session's file and the temporary file hold.
        found: what may stand in the session's file after a loss of power, in any order of the names.
    """

    memory: str
    files: dict[str, str]
    found: frozenset[str]


class _SteppedDisk(SimulatedDisk):
    """A simulated disk that is looked at before each step, for what the step before it has left."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(self._next, tree=tree)
        self.steps: dict[str, Step] = {}
        self.memory: bytes | None = None
        self._made = ""

    def _next(self, verb: str) -> None:
        if self._made:
            self.steps[self._made] = self._look()
        self._made = verb

    def _look(self) -> Step:
        files = {name: self.tree().get(path) for name, path in (("F", FILE), ("T", f"{FILE}.tmp"))}
        left = [disk.tree().get(FILE) for disk in self.after_a_cut()]
        return Step(
            _told(self.memory),
            {name: _told(data) for name, data in files.items() if data is not None},
            frozenset(map(_told, left)),
        )

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        self._made = ""  # what comes before it prepares the directory
        self.steps.clear()
        self._next("lock")
        with super().lock(path, timeout_seconds) as held:
            yield held
            self._next("unlock")
        self._next("return")

    def read(self, path: str, max_bytes: int) -> bytes | None:
        self._next("read")
        self.memory = super().read(path, max_bytes)
        return self.memory

    def change(self, session: SessionData) -> SessionData:
        self._next("change")
        changed = session.with_message(SessionMessage("assistant", "Porto it is."))
        self.memory = json.dumps({"messages": [None] * len(changed.messages)}).encode()
        return changed


def _told(data: bytes | None) -> str:
    """Say what these bytes of a session hold."""
    if data is None:
        return "nothing"
    try:
        count = len(json.loads(data)["messages"])
    except ValueError:
        return "a torn file" if data else "an empty file"
    return f"{count} message{'s' * (count != 1)}"


@cache
def steps() -> dict[str, Step]:
    """Save the second message of a session, and return what there was after each step."""
    before = SimulatedDisk()
    DefaultSessionStore(f"{ROOT}/chats", disk=before).add_user_message("trip", "Where shall we go?")
    disk = _SteppedDisk(before.tree())
    DefaultSessionStore(f"{ROOT}/chats", disk=disk).update("trip", disk.change)
    return disk.steps


def figure(verb: str) -> Iterator[str]:
    """Yield the lines of the figure of a step, and of the sentence below it."""
    step = steps()[verb]
    yield "```mermaid"
    yield "flowchart LR"
    yield f'    A["worker A<br>{step.memory}"]'
    for name, path in (("T", "trip.json.tmp"), ("F", "trip.json")):
        if name in step.files:
            yield f'    {name}["{path}<br>{step.files[name]}"]'
        elif ARROWS[verb].startswith(f"{name} "):
            yield f'    {name}["{path}<br>no file"]'  # without it Mermaid draws a box that says its letter
    if "L" in ARROWS[verb]:
        yield f'    L["trip.json.lock<br>{"free" if verb == "unlock" else "held by A"}"]'
    if "D" in ARROWS[verb]:
        yield f'    D["the disk<br>{"the content" if verb == "fsync" else "the name"}"]'
    yield f"    {ARROWS[verb]}"
    yield "```"
    yield ""
    yield f"A reader finds {step.files['F']}; a loss of power leaves {' or '.join(sorted(step.found))}."


TABLES: Tables = {f"step-{verb.replace('_', '-')}": partial(figure, verb) for verb in ARROWS}
"""The figures, by the names that the page has for them."""
