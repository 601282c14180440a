"""Which SQLite file stands at a path, and the end of a log whose file no longer does.

SQLite finds the log of a database by its name, `<path>-wal`. Whoever puts another file in the database's place while
somebody has it open leaves the old log beside the new file, and SQLite would read the one into the other
("How To Corrupt An SQLite Database File", 1.4). SQLite itself leaves such a log where it is.

Closing a descriptor of the database, or of `<path>-shm`, lets go what SQLite has locked of it in this process
(the same page, 2.2): neither is opened here.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["Identity", "SQLiteFile"]

Identity = tuple[int, int]
"""Device and inode: of no other file, for as long as anybody has it open."""


class SQLiteFile:
    """The place of a SQLite database and of its log. A method may be called from any thread.

    Args:
        path: where the database stands, or will stand.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def identity(self) -> Identity | None:
        """Return which file stands there, links followed; None where the system finds none."""
        return _identity(self.path)

    def log(self) -> Identity | None:
        """Return which log stands beside it; None where the system finds none."""
        return _identity(f"{self.path}-wal")

    def discard_log(self, log: Identity) -> None:
        """Delete the log and the shared memory of the database that stood here, if its log was `log` and still stands.

        Many processes may do so at once: whoever deletes holds a lock on that very log, and has seen that it stands.

        Raises:
            OSError: the system refuses.
        """
        if sys.platform == "win32":  # which lets nobody replace a file that is open
            return
        import fcntl

        try:
            descriptor = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for two calls of the system
            if _identity(f"{self.path}-wal") == log:
                with suppress(FileNotFoundError):
                    os.unlink(f"{self.path}-shm")
                os.unlink(f"{self.path}-wal")
        finally:
            os.close(descriptor)


def _identity(path: str) -> Identity | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
