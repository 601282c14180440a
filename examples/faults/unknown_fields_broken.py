"""Unknown fields, broken: a class keeps the fields that it knows, and its
subclass knows more.
"""

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


class Session:
    """Know messages."""

    known: tuple[str, ...] = ("messages",)

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = {name: data[name] for name in self.known}


class HierarchicalSession(Session):
    """Know the tree too."""

    known = ("messages", "parent_id")


def clear(kind: type[Session]) -> None:
    """Clear the messages of a session."""
    session = kind(load())
    session.data["messages"] = []
    save(session.data)


def test_the_verb_alone() -> None:
    """Clear a session, and look at what was cleared."""
    save({"messages": ["Where to?"], "parent_id": "year"})
    clear(Session)
    assert load()["messages"] == []


def test_what_was_not_asked_for() -> None:
    """Clear a session, and look at all else."""
    save({"messages": ["Where to?"], "parent_id": "year"})
    clear(Session)
    assert load().get("parent_id") == "year", "parent_id is gone"


for test in (test_the_verb_alone, test_what_was_not_asked_for):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
