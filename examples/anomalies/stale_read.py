"""Stale read: worker B has read the session, worker A writes, worker B reads
again.
"""

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


class Cache:
    """What was read first, for ever."""

    def __init__(self) -> None:
        self.kept: Messages | None = None

    def read(self) -> Messages:
        """Return what is kept; read the file the first time."""
        if self.kept is None:
            self.kept = load()
        return self.kept


class CacheByTime:
    """What was read last, as long as the file's modification time and size
    stay the same.
    """

    def __init__(self) -> None:
        self.kept: tuple[tuple[int, int], Messages] | None = None

    def read(self) -> Messages:
        """Return what is kept; read the file when its time or size differ."""
        status = os.stat("trip.json")
        version = (status.st_mtime_ns, status.st_size)
        if self.kept is None or self.kept[0] != version:
            self.kept = (version, load())
        return self.kept[1]


def play(
    design: str, save: Callable[[Messages], None], read: Callable[[], Messages]
) -> None:
    """Play the steps that the two workers take, in their order; a lock has
    nothing to say, for nobody overlaps.
    """
    save(["Porto it is."])
    os.utime("trip.json", ns=(0, 0))
    read()  # 1. worker B reads
    save(["Paris it is."])  # 2. worker A writes, and has returned
    os.utime(
        "trip.json", ns=(0, 0)
    )  # the clock of the file system has not moved between the two writes
    seen = read()  # 3. worker B reads again
    stale = "no" if seen == ["Paris it is."] else "possible"
    print(f"{design}: {stale}. worker B reads {seen[0]}")


play("write in place", in_place, load)
play("rename", rename, load)
play("rename and a cache", rename, Cache().read)
play("rename and a cache with a timestamp", rename, CacheByTime().read)
