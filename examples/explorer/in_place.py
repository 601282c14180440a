"""Write in place: who reads beside it takes half a file for a new session."""

import json
from collections.abc import Iterator
from pathlib import Path


def load() -> list[str]:
    """Read the messages; none where the file cannot be read."""
    try:
        messages: list[str] = json.loads(Path("trip.json").read_text())
    except ValueError:
        return []
    return messages


def worker(message: str) -> Iterator[str]:
    """Add a message; say before each step what it is."""
    yield "read trip.json"
    messages = [*load(), message]
    text = json.dumps(messages)
    yield "write the first half"
    with open("trip.json", "w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        yield "write the rest"
        file.write(text[len(text) // 2 :])


def play(path: str) -> None:
    """Let the two workers make their steps in this order."""
    Path("trip.json").write_text('["Where shall we go?"]')
    workers = {"A": worker("Porto it is."), "B": worker("And when?")}
    for each in workers.values():
        next(each)
    for letter in path:
        next(workers[letter], None)
    print(f"{path}: {Path('trip.json').read_text()!r}")


if __name__ == "__main__":
    play("AAABBB")
    play("AABBBA")
