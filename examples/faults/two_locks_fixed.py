"""Two locks, fixed: a message is added with one lock around load and save."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout


def load() -> dict[str, Any]:
    """Return the session that is in the file."""
    session: dict[str, Any] = json.loads(Path("trip.json").read_text())
    return session


def save(session: dict[str, Any]) -> None:
    """Put the session into the file, in one step."""
    Path("trip.json.tmp").write_text(json.dumps(session))
    os.replace("trip.json.tmp", "trip.json")


def nothing() -> None:
    """Do nothing in between."""


def add_message(text: str, between: Callable[[], None] = nothing) -> None:
    """Add a message; `between` is what others do between load and save."""
    with FileLock("trip.json.lock", timeout=0):
        session = load()
        between()
        session["messages"].append(text)
        save(session)


def test_one_after_the_other() -> None:
    """Add twice: the test that was called concurrent."""
    save({"messages": []})
    add_message("Where to?")
    add_message("Porto it is.")
    assert len(load()["messages"]) == 2


def test_in_between() -> None:
    """Add while another writer is between load and save."""
    save({"messages": []})
    waiting: list[str] = []

    def other_writer() -> None:
        try:
            add_message("Porto it is.")
        except Timeout:  # the lock is held
            waiting.append("Porto it is.")

    add_message("Where to?", other_writer)
    for text in waiting:
        add_message(text)
    left = len(load()["messages"])
    assert left == 2, f"{left} of 2 messages is left"


for test in (test_one_after_the_other, test_in_between):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
