"""Change an earlier copy: the lock is taken after the read."""

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path


def worker(message: str) -> Iterator[str]:
    """Add a message; say before each step what it is."""
    yield "read trip.json"
    messages = [*json.loads(Path("trip.json").read_text()), message]
    yield "lock"
    with open("trip.json.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield "write trip.json.tmp"
        Path("trip.json.tmp").write_text(json.dumps(messages))
        yield "rename to trip.json"
        os.replace("trip.json.tmp", "trip.json")
        yield "unlock"


def play(path: str) -> None:
    """Let the two workers make their steps in this order."""
    Path("trip.json").write_text('["Where shall we go?"]')
    workers = {"A": worker("Porto it is."), "B": worker("And when?")}
    for each in workers.values():
        next(each)
    for letter in path:
        next(workers[letter], None)
    print(f"{path}: {Path('trip.json').read_text()}")


if __name__ == "__main__":
    play("AAAAABBBBB")
    play("ABBBBBAAAA")
