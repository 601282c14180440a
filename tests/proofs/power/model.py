"""What a loss of power may leave of what was done to a disk.

1. A file that was flushed has what it had then. What was written since may be on the disk or not: none of it, a
   beginning, a beginning with zeros up to the full size, its end with zeros before it, zeros alone, or all of it.
2. A name that was created, renamed or deleted since its directory was flushed may be so or not. *Weak*: each change
   by itself, which is all that POSIX says. *Ordered*: in the order in which they were made, up to any of them, as the
   journals of ext4 and xfs keep them.
3. A rename is one change, which is there or not; everything else that is built on it is built on that.
4. A flush of a file flushes its bytes and no name. (ext4 flushes the names before it too: we count on less.)
5. A file is found when its name and the names of all directories above it are there.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["ordered", "weak"]
ORDERS: tuple[Order, ...] = ("ordered", "weak")

ROOT = "/home"  # the directory that was there before and stays

# Every file and directory by its path; None stands for a directory.
Tree = Mapping[str, bytes | None]

DIRECTORY = -1
_Names = dict[str, int]  # the number of the file that a path leads to; DIRECTORY for a directory


@dataclass(frozen=True)
class Operation:
    """Something that was done to the disk.

    Args:
        verb: ``make directory``, ``create``, ``write``, ``empty``, ``flush``, ``flush names``, ``rename``, ``delete``;
            or ``call`` and ``return``, which do nothing and say where a call of a store began and ended.
        path: the name as it was then; of ``call`` and ``return`` what was called.
        target: the new name, of ``rename``.
        file: the number of the file, which stays when its name changes.
        offset: where ``write`` began.
        data: what it wrote.
    """

    verb: str
    path: str
    target: str = ""
    file: int = DIRECTORY
    offset: int = 0
    data: bytes = b""

    def __str__(self) -> str:
        detail = f" -> {self.target}" if self.target else f" ({len(self.data)} bytes)" if self.data else ""
        return f"{self.verb} {self.path}{detail}"


@dataclass(frozen=True)
class Left:
    """A disk that may be found when the power is back.

    Args:
        tree: what is on it.
        absent: the changes of names that are not, by the number of the operation.
        bytes: what became of the unflushed bytes of a file, by the number of the file.
    """

    tree: Tree
    absent: frozenset[int]
    bytes: Mapping[int, str]


@dataclass
class _File:
    flushed: bytes = b""
    content: bytes = b""
    unflushed: list[Operation] = field(default_factory=list)

    def after_a_cut(self) -> dict[bytes, str]:
        """Return what it may hold, and in words what became of it."""
        if not self.unflushed:
            return {self.flushed: ""}
        size, half = len(self.content), len(self.content) // 2
        found = {self.flushed: "none of its unflushed bytes"}
        content = self.flushed
        for operation in self.unflushed:
            for count in (1, len(operation.data) // 2, len(operation.data) - 1):
                if 0 < count < len(operation.data):
                    torn = _written(content, operation.offset, operation.data[:count])
                    found.setdefault(torn, f"torn after {count} of {len(operation.data)} bytes")
            content = _after(content, operation)
            found.setdefault(content, "empty" if not content else "all of its bytes so far")
        found.setdefault(self.content[:half] + bytes(size - half), f"short: {half} bytes, then {size - half} zeros")
        found.setdefault(bytes(half) + self.content[half:], f"{half} zeros, then its last {size - half} bytes")
        found.setdefault(bytes(size), f"{size} zeros")
        found[self.content] = "all of its bytes"
        return found


class Model:
    """A disk, as far as it is known what a loss of power leaves of it.

    Args:
        tree: what is on it and was flushed.
    """

    def __init__(self, tree: Tree) -> None:
        self._files: dict[int, _File] = {}
        self._durable: _Names = {}
        self._pending: list[tuple[int, str, dict[str, int | None]]] = []  # number of the operation, directory, names
        self._count = 0
        self._last_flushed = -1  # the number of the newest change of names that was flushed
        for path, content in tree.items():
            self._durable[path] = DIRECTORY if content is None else len(self._files)
            if content is not None:
                self._files[len(self._files)] = _File(content, content)
        self.names = dict(self._durable)

    def new_file(self) -> int:
        """Return a number that no file has."""
        return len(self._files)

    def do(self, operation: Operation) -> None:
        """Do something to it."""
        number, self._count = self._count, self._count + 1
        directory = parent(operation.path)
        match operation.verb:
            case "make directory":
                self._change(number, directory, {operation.path: DIRECTORY})
            case "create":
                self._files[operation.file] = _File()
                self._change(number, directory, {operation.path: operation.file})
            case "delete":
                self._change(number, directory, {operation.path: None})
            case "rename":
                if parent(operation.target) != directory:
                    raise NotImplementedError("a rename into another directory is two changes on some file systems")
                self._change(number, directory, {operation.target: operation.file, operation.path: None})
            case "write" | "empty":
                file = self._files[operation.file]
                file.unflushed.append(operation)
                file.content = _after(file.content, operation)
            case "flush":
                file = self._files[operation.file]
                file.flushed, file.unflushed = file.content, []
            case "flush names":
                for change, changed_in, names in self._pending:
                    if changed_in == operation.path:
                        _apply(self._durable, names)
                        self._last_flushed = max(self._last_flushed, change)
                self._pending = [change for change in self._pending if change[1] != operation.path]

    def now(self) -> dict[str, bytes | None]:
        """Return what is on it as long as there is power."""
        return {path: self.content(path) for path in self.names}

    def content(self, path: str) -> bytes | None:
        """Return what a file holds as long as there is power; None where there is no file."""
        file = self.names.get(path, DIRECTORY)
        return None if file == DIRECTORY else self._files[file].content

    def size(self, file: int) -> int:
        """Return how many bytes a file has, by its number."""
        return len(self._files[file].content)

    def after_a_cut(self, order: Order, sees: Callable[[str], bool] = lambda _path: True) -> Iterator[Left]:
        """Yield every disk that may be found when the power is back, each once.

        Args:
            order: how changes of names persist.
            sees: which files to look at; disks that differ in others alone are one.
        """
        seen: set[frozenset[tuple[str, bytes | None]]] = set()
        for names, absent in self._names_after_a_cut(order, sees).items():
            found = _reachable(dict(names))
            # Two names of one file show the same bytes, so it is for files that a content is chosen, not for names.
            numbers = list(dict.fromkeys(file for file in found.values() if file != DIRECTORY))
            for chosen in itertools.product(*(self._files[number].after_a_cut().items() for number in numbers)):
                contents = {number: content for number, (content, _) in zip(numbers, chosen, strict=True)}
                became = {number: what for number, (_, what) in zip(numbers, chosen, strict=True) if what}
                tree = {path: contents.get(file) for path, file in found.items()}
                if (as_set := frozenset(tree.items())) not in seen:
                    seen.add(as_set)
                    yield Left(tree, absent, became)

    def _names_after_a_cut(
        self, order: Order, sees: Callable[[str], bool]
    ) -> dict[frozenset[tuple[str, int]], frozenset[int]]:
        """Return the names that may be found, each with the changes that are absent then: the fewest that lead there.

        The changes are gone through once, with all that may be found so far: those that end at the same names are one
        from then on, so the subsets of the changes need not be gone through one by one.
        """
        pending = [
            (number, {path: file for path, file in names.items() if file == DIRECTORY or sees(path)})
            for number, _, names in self._pending
        ]
        start = {path: file for path, file in self._durable.items() if file == DIRECTORY or sees(path)}
        if order == "ordered":
            found = {}
            # A change that was flushed has taken with it those that were made before it, in other directories too.
            for end in range(sum(number < self._last_flushed for number, _ in pending), len(pending) + 1):
                names = dict(start)
                for _, changed in pending[:end]:
                    _apply(names, changed)
                found[frozenset(names.items())] = frozenset(number for number, _ in pending[end:])
            return found
        found = {frozenset(start.items()): frozenset[int]()}
        for number, changed in pending:
            if not changed:
                continue
            step: dict[frozenset[tuple[str, int]], frozenset[int]] = {}
            for before, absent in found.items():
                names = dict(before)
                _apply(names, changed)
                for after, lacks in ((frozenset(names.items()), absent), (before, absent | {number})):
                    if after not in step or len(lacks) < len(step[after]):
                        step[after] = lacks
            found = step
        return found

    def _change(self, number: int, directory: str, names: dict[str, int | None]) -> None:
        self._pending.append((number, directory, names))
        _apply(self.names, names)


def parent(path: str) -> str:
    """Return the directory that a path stands in."""
    return posixpath.dirname(path)


def _apply(names: _Names, changed: Mapping[str, int | None]) -> None:
    for path, file in changed.items():
        if file is None:
            names.pop(path, None)
        else:
            names[path] = file


def _reachable(names: _Names) -> _Names:
    found = {ROOT: DIRECTORY}
    for path in sorted(names):  # a directory before what stands in it
        if found.get(parent(path)) == DIRECTORY:
            found[path] = names[path]
    return found


def _after(content: bytes, operation: Operation) -> bytes:
    return b"" if operation.verb == "empty" else _written(content, operation.offset, operation.data)


def _written(content: bytes, offset: int, data: bytes) -> bytes:
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]
