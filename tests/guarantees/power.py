"""A disk in memory whose power can be cut.

What may be on it afterwards is what POSIX allows, with nothing that one file system happens to do better:

1. A file that was flushed has what it had then.
   One that was written since may have none of it, half of it, all of it, or zeros in its place.
2. A name that was created, renamed or deleted since its directory was flushed may be so or not, each by itself.
3. A file is found when its name and the names of all directories above it are there.

The model is kept in order by its own test: a store that flushes nothing must be seen to lose data in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from readfresh.disk import Disk, HeldLock

ROOT = "/home"


class _Held(HeldLock):
    def __init__(self) -> None:
        super().__init__("", -1)

    def still_stands(self) -> bool:
        return True


@dataclass
class _File:
    content: bytes = b""
    flushed: bytes = b""

    def after_a_cut(self) -> list[bytes]:
        if self.content == self.flushed:
            return [self.flushed]
        half = self.content[: len(self.content) // 2]
        return [self.flushed, half, bytes(len(self.content)), self.content]


@dataclass(frozen=True)
class _Change:
    """Of names, in one directory: what they stand for from now on. None: nothing; a directory stands for itself."""

    directory: str
    names: dict[str, _File | str | None]


def _above(path: str) -> str:
    return str(PurePosixPath(path).parent)


class SimulatedDisk(Disk):
    """A disk in memory, for one thread.

    Args:
        moment: called before each verb that changes something, for a test that cuts the power there.
    """

    def __init__(self, moment: Callable[[str], None] = lambda _verb: None) -> None:
        self.moment = moment
        self._durable: dict[str, _File | str] = {ROOT: ROOT}
        self._pending: list[_Change] = []
        self._open: dict[int, _File] = {}
        self._descriptors = itertools.count(3)

    def after_a_cut(self) -> Iterator[SimulatedDisk]:
        """Yield every disk that may be found when the power is back."""
        for chosen in itertools.product((False, True), repeat=len(self._pending)):
            names = dict(self._durable)
            for change in itertools.compress(self._pending, chosen):
                _apply(names, change)
            found = {path: entry for path, entry in names.items() if _reachable(path, names)}
            files = {path: entry for path, entry in found.items() if isinstance(entry, _File)}
            for contents in itertools.product(*(entry.after_a_cut() for entry in files.values())):
                disk = SimulatedDisk()
                disk._durable = dict(found)
                for path, content in zip(files, contents, strict=True):
                    disk._durable[path] = _File(content, content)
                yield disk

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:  # noqa: ARG002
        """Hold a lock: there is nobody else."""
        yield _Held()

    def read(self, path: str, max_bytes: int) -> bytes | None:  # noqa: ARG002
        """Return the content of the file; None when there is none."""
        found = self._names().get(path)
        return found.content if isinstance(found, _File) else None

    def exists(self, path: str) -> bool:
        """Return whether anything stands there."""
        return path in self._names()

    def create(self, path: str) -> int:
        """Create the file and open it for writing."""
        self.moment("create")
        if path in self._names():
            raise FileExistsError(path)
        if _above(path) not in self._names():
            raise FileNotFoundError(path)
        descriptor = next(self._descriptors)
        self._open[descriptor] = _File()
        self._change(path, self._open[descriptor])
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write."""
        self.moment("write")
        self._open[descriptor].content += data

    def fsync(self, descriptor: int) -> None:
        """Flush the file, and not its name."""
        self.moment("fsync")
        self._open[descriptor].flushed = self._open[descriptor].content

    def close(self, descriptor: int) -> None:
        """Close, which flushes nothing."""
        self.moment("close")
        del self._open[descriptor]

    def replace(self, source: str, target: str) -> None:
        """Rename, which flushes nothing."""
        self.moment("replace")
        self._pending.append(_Change(_above(target), {target: self._names()[source], source: None}))

    def unlink(self, path: str) -> None:
        """Delete the name, which flushes nothing."""
        self.moment("unlink")
        if path not in self._names():
            raise FileNotFoundError(path)
        self._change(path, None)

    def names(self, directory: str) -> list[str]:
        """Return the names in the directory."""
        return [PurePosixPath(path).name for path in self._names() if _above(path) == directory]

    def sync_directory(self, directory: str) -> None:
        """Flush the names in the directory."""
        self.moment("sync_directory")
        for change in self._pending:
            if change.directory == directory:
                _apply(self._durable, change)
        self._pending = [change for change in self._pending if change.directory != directory]

    def make_directory(self, directory: str) -> list[str]:
        """Create the directory and those above it."""
        missing = []
        while directory not in self._names():
            missing.append(directory)
            directory = _above(directory)
        for path in reversed(missing):
            self.moment("make_directory")
            self._change(path, path)
        return [_above(path) for path in missing]

    def _names(self) -> dict[str, _File | str]:
        names = dict(self._durable)
        for change in self._pending:
            _apply(names, change)
        return names

    def _change(self, path: str, entry: _File | str | None) -> None:
        self._pending.append(_Change(_above(path), {path: entry}))


def _apply(names: dict[str, _File | str], change: _Change) -> None:
    for path, entry in change.names.items():
        if entry is None:
            names.pop(path, None)
        else:
            names[path] = entry


def _reachable(path: str, names: dict[str, _File | str]) -> bool:
    return path == ROOT or (_above(path) in names and _reachable(_above(path), names))
