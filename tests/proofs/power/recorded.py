"""What a program does to a folder of the real file system, written down where Python asks the system for it.

It stands below the seam, so that it sees what the real `Disk` does, and what a fault does in the place of it.

1. What is written down is what the system has done: a call that fails leaves nothing.
2. Nothing gets past: at the end what was written down must lead to what stands in the folder, or `PastTheRecord` is
   raised.
3. Flushes are written down, and left out unless they are asked for: no power is cut here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

from tests.proofs.power.model import DIRECTORY, ROOT, Model, Operation, Tree


class PastTheRecord(Exception):
    """Something was done to the folder that the record does not hold."""


@dataclass
class _Open:
    path: str
    file: int
    offset: int = 0


class Recorder:
    """The record of a folder, which appears in it as `ROOT`.

    Args:
        folder: the folder; what is in it counts as flushed.
        flushes: whether flushes reach the system.
    """

    def __init__(self, folder: Path, *, flushes: bool = False) -> None:
        self.folder = str(folder)
        self.flushes = flushes
        self.start = tree_of(folder)
        self.operations: list[Operation] = []
        self._model = Model(self.start)
        self._opened: dict[int, _Open] = {}

    def note(self, verb: str, path: str, **details: Any) -> None:
        """Write an operation down."""
        operation = Operation(verb, path, **details)
        self.operations.append(operation)
        self._model.do(operation)

    def now(self) -> Tree:
        """Return what the folder holds, as far as it was written down."""
        return self._model.now()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Write down what this process does to the folder inside the block."""
        rename, delete, flush = self._replace(os.replace), self._unlink(os.unlink), self._fsync(os.fsync)
        with mock.patch.multiple(
            os,
            open=self._open_file(os.open),
            write=self._write(os.write),
            fsync=flush,
            fdatasync=flush,
            close=self._close(os.close),
            mkdir=self._mkdir(os.mkdir),
            replace=rename,
            rename=rename,
            unlink=delete,
            remove=delete,
        ):
            yield
        there, noted = tree_of(Path(self.folder)).items(), self._model.now().items()
        if there != noted:
            raise PastTheRecord(f"the record does not lead to {sorted({path for path, _ in there ^ noted})}")

    def _inside(self, path: Any) -> str | None:
        """Return the path as it stands in the record; None outside the folder."""
        text = os.path.abspath(os.fsdecode(path))
        if text != self.folder and not text.startswith(self.folder + os.sep):
            return None
        return ROOT + text.removeprefix(self.folder)

    def _open_file(self, original: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *rest: Any, **options: Any) -> int:
            descriptor = original(path, flags, *rest, **options)
            if (inside := self._inside(path)) is None:
                return descriptor
            if inside not in self._model.names:
                self.note("create", inside, file=self._model.new_file())
            file = self._model.names[inside]
            if flags & os.O_TRUNC and self._model.content(inside):
                self.note("empty", inside, file=file)
            self._opened[descriptor] = _Open(inside, file)
            return descriptor

        return call

    def _write(self, original: Callable[..., int]) -> Callable[..., int]:
        def call(descriptor: int, data: bytes) -> int:
            count = original(descriptor, data)
            if opened := self._opened.get(descriptor):
                self.note("write", opened.path, file=opened.file, offset=opened.offset, data=bytes(data[:count]))
                opened.offset += count
            return count

        return call

    def _fsync(self, original: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            if self.flushes:
                original(descriptor)
            if opened := self._opened.get(descriptor):
                self.note("flush names" if opened.file == DIRECTORY else "flush", opened.path, file=opened.file)

        return call

    def _close(self, original: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            self._opened.pop(descriptor, None)
            original(descriptor)

        return call

    def _mkdir(self, original: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, *rest: Any, **options: Any) -> None:
            original(path, *rest, **options)
            if inside := self._inside(path):
                self.note("make directory", inside)

        return call

    def _replace(self, original: Callable[..., None]) -> Callable[..., None]:
        def call(source: Any, target: Any, **options: Any) -> None:
            original(source, target, **options)
            if (inside := self._inside(source)) and (new := self._inside(target)):
                self.note("rename", inside, target=new, file=self._model.names[inside])

        return call

    def _unlink(self, original: Callable[..., None]) -> Callable[..., None]:
        def call(path: Any, **options: Any) -> None:
            original(path, **options)
            if inside := self._inside(path):
                self.note("delete", inside, file=self._model.names[inside])

        return call


def tree_of(folder: Path) -> Tree:
    """Return what is in a folder, which appears as `ROOT`."""
    found: dict[str, bytes | None] = {ROOT: None}
    for path in sorted(folder.rglob("*")):
        found[f"{ROOT}/{path.relative_to(folder)}"] = None if path.is_dir() else path.read_bytes()
    return found


def lay_out(tree: Tree, folder: Path) -> None:
    """Put a tree into a folder."""
    for path, content in tree.items():
        place = folder / PurePosixPath(path).relative_to(ROOT)
        if content is None:
            place.mkdir(exist_ok=True)
        else:
            place.write_bytes(content)
