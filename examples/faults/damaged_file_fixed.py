"""A damaged file, fixed: what is no session is an error, and stays there."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


class Damaged(Exception):
    """The file is no session."""


def load() -> dict[str, Any]:
    """Return the session that is in the file."""
    try:
        session: dict[str, Any] = json.loads(Path("trip.json").read_text())
    except FileNotFoundError:
        return {"messages": []}
    except ValueError as error:
        raise Damaged("trip.json is no session") from error
    return session


def save(session: dict[str, Any]) -> None:
    """Put the session into the file, in one step."""
    Path("trip.json.tmp").write_text(json.dumps(session))
    os.replace("trip.json.tmp", "trip.json")


def add_message(text: str) -> None:
    """Add a message."""
    session = load()
    session["messages"].append(text)
    save(session)


def test_a_new_session() -> None:
    """Add a message where there is no file."""
    Path("trip.json").unlink(missing_ok=True)
    add_message("Where to?")
    assert load()["messages"] == ["Where to?"]


def test_a_damaged_file() -> None:
    """Add a message where one character of the file is missing."""
    damaged = '{"messages": ["Where to?", "Porto it is."]'
    Path("trip.json").write_text(damaged)
    with suppress(Damaged):
        add_message("And when?")
    left = Path("trip.json").read_text()
    assert left == damaged, f"left is {left}"


for test in (test_a_new_session, test_a_damaged_file):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
