"""Lost update: worker B changes what it has read, and worker A has written in
between.
"""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path

Messages = list[str]


def load() -> Messages:
    """Read the messages from the file."""
    messages: Messages = json.loads(Path("trip.json").read_text())
    return messages


def in_place(messages: Messages) -> None:
    """Write over the file."""
    Path("trip.json").write_text(json.dumps(messages))


def rename(messages: Messages) -> None:
    """Write beside the file, then rename."""
    Path("trip.json.tmp").write_text(json.dumps(messages))
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
    save: Callable[[Messages], None],
    *,
    locked: bool = False,
    cached: bool = False,
) -> None:
    """Play the steps that the two workers take, in their order."""
    save(["Where shall we go?"])
    cache = (
        load() if cached else None
    )  # 0. worker B has read the session earlier, and keeps it
    held = lock() if locked else None  # 1. worker A locks
    first = load()  # 2. worker A reads
    waits = locked and lock() is None  # 3. worker B wants to change it too
    if not waits:
        second = cache or load()
    save([*first, "Porto it is."])  # 4. worker A writes
    unlock(held)  # 5. worker A unlocks
    if waits:
        held = lock()  # 6. worker B has waited for that
        second = cache or load()
    save([*second, "And when?"])  # 7. worker B writes
    if waits:
        unlock(held)
    lost = "no" if "Porto it is." in load() else "possible"
    print(
        f"{design}: {lost}. {len(load())} of 3 messages: {', '.join(load())}"
    )


play("write in place", in_place)
play("… and writers lock", in_place, locked=True)
play("… and readers lock too", in_place, locked=True)
play("rename, no lock", rename)
play("rename and lock", rename, locked=True)
play("rename, lock and an unproven cache", rename, locked=True, cached=True)
