"""The first read, broken: a process shows what it has read first for ever."""

import json
import os
from pathlib import Path
from typing import Any


def load() -> dict[str, Any]:
    """Return the session that is in the file."""
    session: dict[str, Any] = json.loads(Path("trip.json").read_text())
    return session


def save(session: dict[str, Any]) -> None:
    """Put the session into the file, in one step."""
    Path("trip.json.tmp").write_text(json.dumps(session))
    os.replace("trip.json.tmp", "trip.json")


class Store:
    """Read the session of a trip."""

    def __init__(self) -> None:
        self._cache: dict[str, Any] | None = None

    def get_session(self) -> dict[str, Any]:
        """Return the session."""
        if self._cache is None:
            self._cache = load()
        return self._cache

    def add_message(self, text: str) -> None:
        """Add a message."""
        self._cache = load()
        self._cache["messages"].append(text)
        save(self._cache)


def test_one_process() -> None:
    """Read what the same store has written."""
    save({"messages": []})
    store = Store()
    store.get_session()
    store.add_message("Where to?")
    assert store.get_session()["messages"] == ["Where to?"]


def test_two_processes() -> None:
    """Read what another store has written."""
    save({"messages": []})
    worker_a, worker_b = Store(), Store()
    worker_b.get_session()
    worker_a.add_message("Where to?")
    seen = len(worker_b.get_session()["messages"])
    assert seen == 1, f"{seen} of 1 message is seen"


for test in (test_one_process, test_two_processes):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
