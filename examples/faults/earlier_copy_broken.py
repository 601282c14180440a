"""An earlier copy, broken: a change is made to what was read when the store
was made, and all of it is saved.
"""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock


def load() -> dict[str, Any]:
    """Return the session that is in the file."""
    session: dict[str, Any] = json.loads(Path("trip.json").read_text())
    return session


def save(session: dict[str, Any]) -> None:
    """Put the session into the file, in one step."""
    Path("trip.json.tmp").write_text(json.dumps(session))
    os.replace("trip.json.tmp", "trip.json")


class Store:
    """Keep the session of a trip."""

    def __init__(self) -> None:
        self._session = load()

    def add_message(self, text: str) -> None:
        """Add a message to what is in the file."""
        with FileLock("trip.json.lock"):
            session = load()
            session["messages"].append(text)
            save(session)

    def set_title(self, title: str) -> None:
        """Set the title."""
        with FileLock("trip.json.lock"):
            session = self._session
            session["title"] = title
            save(session)


def test_one_store() -> None:
    """Add and set with one store, and read with another."""
    save({"messages": [], "title": ""})
    Store().add_message("Where to?")
    Store().set_title("Trip")
    assert load() == {"messages": ["Where to?"], "title": "Trip"}


def test_two_stores() -> None:
    """Set the title with a store that was made before the message came."""
    save({"messages": [], "title": ""})
    worker_a, worker_b = Store(), Store()
    worker_b.add_message("Where to?")
    worker_a.set_title("Trip")
    assert load()["messages"], "the message is gone"


for test in (test_one_store, test_two_stores):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
