"""What other people's stores are judged by, over lists of messages in a file that anybody could write."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from readfresh import DefaultSessionStore
from tests.matrix.stores import THEIRS
from tests.proofs.figures import FOLDER
from tests.proofs.threads.theirs import OUT_OF_SIGHT, PROGRAMS, Call, Made, check, is_allowed

ONE: Call = ("append", "trip", "one")
READ: Call = ("read", "trip", "")
CLEAR: Call = ("clear", "trip", "")


class Lists:
    """The five methods over one file a session, as most people write them first."""

    def __init__(self, place: Path, lock: Callable[[str], AbstractContextManager[Any]]) -> None:
        self._place = place
        self._lock = lock

    def add_message(self, session_id: str, role: str, content: str) -> bool:
        """Read all, add one, write all."""
        with self._locked(session_id):
            self._write(session_id, [*self._read(session_id), {"role": role, "content": content}])
        return True

    def get_chat_history(self, session_id: str) -> list[dict[str, Any]]:
        """Read all."""
        with self._locked(session_id):
            return self._read(session_id)

    def clear_session(self, session_id: str) -> bool:
        """Write none."""
        with self._locked(session_id):
            self._write(session_id, [])
        return True

    delete_session = clear_session

    def _locked(self, session_id: str) -> AbstractContextManager[Any]:
        return self._lock(str(self._place / f"{session_id}.lock"))

    def _read(self, session_id: str) -> list[dict[str, Any]]:
        file = self._place / f"{session_id}.json"
        found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
        return found

    def _write(self, session_id: str, messages: list[dict[str, Any]]) -> None:
        (self._place / f"{session_id}.json").write_text(json.dumps(messages))


class Maker:
    """A factory, as the adapters have it."""

    def __init__(self, make: Callable[[Path], Any]) -> None:
        self._make = make

    def __call__(self, place: Path) -> Any:
        """Make a store object."""
        return self._make(place)

    def close(self, _store: Any) -> None:
        """Hold nothing."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_store_with_a_lock_loses_nothing(name: str, memory_path: Path) -> None:
    """Of a list in a file under a lock, and of ours, every schedule is run and none is held against it."""
    for make in (DefaultSessionStore, lambda place: Lists(place, FileLock)):
        found = check(Maker(make), name, memory_path)
        assert found["schedules"] > 50
        assert found["lost"] is None
        assert found["raised"] is None


def test_a_store_without_a_lock_loses_a_message_at_once(memory_path: Path) -> None:
    """One preemption is enough, a reader meets an empty file on the way, and the record shows the order."""
    found = check(Maker(lambda place: Lists(place, lambda _path: nullcontext())), "two appends", memory_path)
    assert found["lost"]["schedule"] == found["schedules"] < 10
    assert found["lost"]["preemptions"] == 1
    assert "no order of the calls leads there: trip has ['first', " in found["lost"]["what"]
    assert "open to write trip.json" in "\n".join(found["lost"]["history"])
    assert found["raised"]["what"] == "append raises JSONDecodeError"


@pytest.mark.parametrize(
    ("made", "end", "allowed"),
    [
        ([Made(ONE, 0, 1)], ["first", "one"], True),
        ([Made(ONE, 0, 1)], ["first"], False),
        ([Made(ONE, 0, 1)], ["first", "one", "one"], False),
        ([Made(ONE, 0, 1, error="OSError")], ["first"], True),
        ([Made(ONE, 0, 1, error="OSError")], ["first", "one"], True),
        ([Made(ONE, 0, 2), Made(READ, 1, 3, ["first"])], ["first", "one"], True),
        ([Made(ONE, 0, 1), Made(READ, 2, 3, ["first"])], ["first", "one"], False),
        ([Made(ONE, 0, 1), Made(READ, 2, 3, ["first", "one"])], ["first", "one"], True),
        ([Made(ONE, 0, 2), Made(CLEAR, 1, 3)], ["one"], True),
        ([Made(ONE, 0, 1), Made(CLEAR, 2, 3)], ["one"], False),
        ([Made(ONE, 0, 2), Made(CLEAR, 1, 3)], ["first", "one"], False),
    ],
)
def test_what_is_allowed(made: list[Made], end: list[str], *, allowed: bool) -> None:
    """Every message that was acknowledged once, in an order that keeps what had ended before what began later."""
    assert is_allowed(made, {"trip": ["first"], "hotels": []}, {"trip": end, "hotels": []}) == allowed


def test_every_store_is_recorded_or_named() -> None:
    """There is a record of each store of the matrix that the explorer can stop, and a reason for each other one."""
    assert {store.key for store in THEIRS} >= OUT_OF_SIGHT.keys()
    recorded = {path.stem.removeprefix("threads-theirs-") for path in FOLDER.glob("threads-theirs-*.json")}
    assert recorded == {store.key for store in THEIRS} - OUT_OF_SIGHT.keys()
    for path in FOLDER.glob("threads-theirs-*.json"):
        assert list(json.loads(path.read_text("utf-8"))["programs"]) == list(PROGRAMS)
