"""A swallowed error, broken: a caller passes fields, the method takes a dict,
and whoever calls it catches everything.
"""

import json
import os
from contextlib import suppress
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


def update_metadata(metadata: dict[str, Any]) -> None:
    """Keep values with the session."""
    session = load()
    session["metadata"].update(metadata)
    save(session)


def end_of_turn(answer: str, tokens: int) -> None:
    """Keep the answer, and what it has cost."""
    session = load()
    session["messages"].append(answer)
    save(session)
    with suppress(Exception):  # what it has cost must not fail the turn
        update_metadata(tokens=tokens)  # type: ignore[call-arg]


def test_the_answer() -> None:
    """End a turn, and read its answer."""
    save({"messages": [], "metadata": {}})
    end_of_turn("Porto it is.", tokens=12)
    assert load()["messages"] == ["Porto it is."]


def test_the_cost() -> None:
    """End a turn, and read what it has cost."""
    save({"messages": [], "metadata": {}})
    end_of_turn("Porto it is.", tokens=12)
    kept = load()["metadata"]
    assert kept == {"tokens": 12}, f"kept is {kept}"


for test in (test_the_answer, test_the_cost):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
