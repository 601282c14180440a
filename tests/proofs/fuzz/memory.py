"""A session directory in memory, which counts what is read and written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from readfresh.disk import Disk, HeldLock, TooLarge

DIRECTORY = Path(os.sep, "sessions")


class _Held(HeldLock):
    def __init__(self) -> None:
        super().__init__("", -1)

    def still_stands(self) -> bool:
        return True


class MemoryDisk(Disk):
    """The files of `DIRECTORY`, for one thread.

    Args:
        files: what is there, by name.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.read_bytes = self.reads = self.written_bytes = 0
        self._open: dict[int, str] = {}

    def name_of(self, path: str) -> str:
        """Return the name under which a path's file is kept."""
        return os.path.basename(path)

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:  # noqa: ARG002 - there is nobody else
        """Hold a lock."""
        yield _Held()

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Return the content of the file; None when there is none."""
        found = self.files.get(self.name_of(path))
        if found is not None:
            if len(found) > max_bytes:
                raise TooLarge(27, f"it has {len(found)} bytes, and max_file_bytes is {max_bytes}")
            self.reads += 1
            self.read_bytes += len(found)
        return found

    def exists(self, path: str) -> bool:
        """Return whether it is there."""
        return self.name_of(path) in self.files

    def create(self, path: str) -> int:
        """Create the file, and open it for writing."""
        name = self.name_of(path)
        if name in self.files:
            raise FileExistsError(17, "File exists", path)
        self.files[name] = b""
        descriptor = 1000 + len(self._open)
        self._open[descriptor] = name
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write."""
        self.files[self._open[descriptor]] += data
        self.written_bytes += len(data)

    def fsync(self, descriptor: int) -> None:
        """Pass for a flush."""

    def close(self, descriptor: int) -> None:
        """Close."""
        del self._open[descriptor]

    def replace(self, source: str, target: str) -> None:
        """Rename."""
        self.files[self.name_of(target)] = self.files.pop(self.name_of(source))

    def unlink(self, path: str) -> None:
        """Delete."""
        try:
            del self.files[self.name_of(path)]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", path) from None

    def names(self, directory: str) -> list[str]:  # noqa: ARG002 - it is the only one
        """Return the names."""
        return list(self.files)

    def sync_directory(self, directory: str) -> None:
        """Pass for a flush."""

    def make_directory(self, directory: str) -> list[str]:  # noqa: ARG002
        """Have made it."""
        return []


class FoldingDisk(MemoryDisk):
    """A disk that takes ``A`` and ``a`` for one name, the one that was there first, as macOS and Windows do."""

    def name_of(self, path: str) -> str:
        """Return the name that is there already, however it is written."""
        wanted = os.path.basename(path)
        return next((name for name in self.files if name.lower() == wanted.lower()), wanted)
