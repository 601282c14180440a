"""A stream that is left, broken: the turn is saved when the stream has come to
its end.
"""

import json
import os
from collections.abc import Iterator
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


def add_message(text: str) -> None:
    """Add a message."""
    session = load()
    session["messages"].append(text)
    save(session)


def stream(prompt: str, words: list[str]) -> Iterator[str]:
    """Say the words of the answer, and keep the turn."""
    said = []
    for word in words:
        said.append(word)
        yield word
    add_message(prompt)
    add_message(" ".join(said))


def test_to_its_end() -> None:
    """Take every word."""
    save({"messages": []})
    list(stream("Where to?", ["Porto", "it", "is."]))
    assert load()["messages"] == ["Where to?", "Porto it is."]


def test_left_half_way() -> None:
    """Take two words, and close the page."""
    save({"messages": []})
    answer = stream("Where to?", ["Porto", "it", "is."])
    next(answer)
    next(answer)
    answer.close()  # type: ignore[attr-defined]
    left = load()["messages"]
    assert left == ["Where to?", "Porto it"], f"left is {left}"


for test in (test_to_its_end, test_left_half_way):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
