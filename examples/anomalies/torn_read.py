"""Torn read: worker B reads while worker A is half-way through a write."""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

OLD = '["Where shall we go?"]'
NEW = '["Where shall we go?", "Porto it is."]'

Write = Callable[[str], Iterator[None]]


def in_place(text: str) -> Iterator[None]:
    """Write over the file; the system takes the text in two parts."""
    with open("trip.json", "w") as file:
        file.write(text[:29])
        file.flush()
        yield  # half-way
        file.write(text[29:])


def rename(text: str) -> Iterator[None]:
    """Write beside the file, then rename."""
    Path("trip.json.tmp").write_text(text)
    yield  # half-way
    os.replace("trip.json.tmp", "trip.json")


def lock() -> int | None:
    """Take the lock; None when somebody holds it."""
    descriptor = os.open("trip.json.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def unlock(held: int | None) -> None:
    """Free the lock; closing its file is enough."""
    if held is not None:
        os.close(held)


def play(
    design: str,
    write: Write,
    *,
    writers_lock: bool = False,
    readers_lock: bool = False,
) -> None:
    """Play the steps that the two workers take, in their order."""
    Path("trip.json").write_text(OLD)
    held = lock() if writers_lock else None  # 1. worker A locks
    writing = write(NEW)
    next(writing)  # 2. worker A is half-way
    waits = readers_lock and lock() is None  # 3. worker B wants to read
    if not waits:
        seen = Path("trip.json").read_text()
    next(writing, None)  # 4. worker A ends its write
    unlock(held)  # 5. worker A unlocks
    if waits:
        held = lock()  # 6. worker B has waited for that
        seen = Path("trip.json").read_text()
        unlock(held)
    torn = "no" if seen in (OLD, NEW) else "possible"
    waited = "waits and " if waits else ""
    print(f"{design}: {torn}. worker B {waited}reads {seen}")


play("write in place", in_place)
play("… and writers lock", in_place, writers_lock=True)
play("… and readers lock too", in_place, writers_lock=True, readers_lock=True)
play("rename, no lock", rename)
play("rename and lock", rename, writers_lock=True, readers_lock=True)
