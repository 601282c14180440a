"""The seam on Windows. Written for it, and untested: no machine of ours runs Windows.

What differs from POSIX:

1. Names such as ``con`` and ``nul`` belong to devices; their first letter is encoded.
2. A file that a reader has open cannot be replaced or deleted at that moment: both are tried again for a second.
3. Nothing is pinned, for the same reason: every read and every change reads the file.
4. A directory cannot be flushed; a rename outlives a loss of power when NTFS has written its journal.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable

from readfresh.disk import Disk, NotARegularFile, TooLarge

RETRY_SECONDS = 1.0


class WindowsDisk(Disk):
    """The file system of a Windows machine."""

    reserved_names = frozenset(
        ["con", "prn", "aux", "nul", *(f"{port}{digit}" for port in ("com", "lpt") for digit in range(10))]
    )

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Return the content of the file `path`; None when there is none. Raises as `Disk.read` does."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            raise NotARegularFile(errno.EINVAL, "it is no regular file")
        if status.st_size > max_bytes:
            raise TooLarge(errno.EFBIG, f"it has {status.st_size} bytes, and max_file_bytes is {max_bytes}")
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def create(self, path: str) -> int:
        """Create the file `path`, which must not exist, open it for writing, and return its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOINHERIT", 0)
        return os.open(path, flags, 0o600)

    def pin(self, _path: str) -> None:
        """Hold nothing open: the file could not be replaced."""

    def replace(self, source: str, target: str) -> None:
        """Let `source` take the place of `target` in one step (MoveFileEx)."""
        _while_somebody_reads(lambda: os.replace(source, target))

    def unlink(self, path: str) -> None:
        """Delete the file `path`, which must exist."""
        _while_somebody_reads(lambda: os.unlink(path))

    def sync_directory(self, directory: str) -> None:
        """Do nothing: Windows gives no way to flush a directory."""


def _while_somebody_reads(action: Callable[[], None]) -> None:
    deadline = time.monotonic() + RETRY_SECONDS
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
