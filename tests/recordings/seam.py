"""Where a recording listens: the disk of a store, the methods of a store, and the statements of a database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

from readfresh.disk import Disk, HeldLock
from readfresh.pins import Pin, Version
from tests.recordings.stage import Stage, Worker, acting

LOCK = ".lock"


class WatchedDisk(Disk):
    """The real disk, which writes down every verb of a worker's store once it is done, and stops where it is told."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._files: dict[int, str] = {}
        self._pins: WeakSet[Pin] = WeakSet()

    def _tell(self, verb: str, path: str, shows: str = "") -> None:
        self._worker.stage.tell(self._worker.who, verb, os.path.basename(path).removesuffix(LOCK), shows)

    def _shows(self, path: str, data: bytes | None) -> str:
        return self._worker.stage.shows(data) if path.endswith(".json") else ""

    @contextmanager
    def _step(self, verb: str, path: str) -> Iterator[None]:
        self._worker.at(verb, os.path.basename(path).removesuffix(LOCK))
        yield
        self._tell(verb, path)

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        """Try the lock; where it is taken, write down that this worker waits, and wait."""
        self._worker.at("lock", os.path.basename(path).removesuffix(LOCK))
        with ExitStack() as stack:
            try:
                held = stack.enter_context(super().lock(path, 0.0))
                self._tell("lock", path)
            except TimeoutError:
                self._tell("lock", path, "waits")
                self._worker.pause()
                held = stack.enter_context(super().lock(path, timeout_seconds))
            try:
                yield held
            finally:
                self._worker.at("unlock", os.path.basename(path).removesuffix(LOCK))
                self._tell("unlock", path)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read, and write down what was read."""
        self._worker.at("read", os.path.basename(path))
        data = super().read(path, max_bytes)
        self._tell("read", path, self._shows(path, data))
        return data

    def pin(self, path: str) -> Pin | None:
        """Hold open, which is in no diagram."""
        if (pin := super().pin(path)) is not None:
            self._pins.add(pin)
        return pin

    def version(self, path: str) -> Version | None:
        """Look, and write down what that proves to be as it was: a look that proves nothing is in no diagram."""
        found = super().version(path)
        if any(pin.version == found for pin in self._pins if pin.session is not None):
            self._tell("look", path, ", ".join(filter(None, ["unchanged", self._shows(path, Path(path).read_bytes())])))
        return found

    def exists(self, path: str) -> bool:
        """Look."""
        with self._step("exists", path):
            return super().exists(path)

    def create(self, path: str) -> int:
        """Create."""
        with self._step("create", path):
            descriptor = super().create(path)
            self._files[descriptor] = path
            return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write."""
        with self._step("write", self._files[descriptor]):
            super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        """Flush."""
        with self._step("fsync", self._files[descriptor]):
            super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close."""
        with self._step("close", self._files.pop(descriptor)):
            super().close(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Rename, and write down what stands there now."""
        self._worker.at("replace", os.path.basename(target))
        super().replace(source, target)
        self._tell("replace", target, self._shows(target, Path(target).read_bytes()))

    def unlink(self, path: str) -> None:
        """Delete."""
        with self._step("unlink", path):
            super().unlink(path)

    def names(self, directory: str) -> list[str]:
        """List."""
        with self._step("names", directory):
            return super().names(directory)

    def sync_directory(self, directory: str) -> None:
        """Flush a directory."""
        with self._step("sync_directory", directory):
            super().sync_directory(directory)

    def make_directory(self, directory: str) -> list[str]:
        """Make a directory."""
        with self._step("make_directory", directory):
            return super().make_directory(directory)


class WatchedStore:
    """A worker's store, which writes down every call of a method; for what calls a store itself, such as a bot.

    Args:
        worker: whose it is.
        told: what to show a reader of the answers, by the method.
    """

    def __init__(self, worker: Worker, **told: Any) -> None:
        self._worker = worker
        self._told = told

    def __getattr__(self, name: str) -> Any:
        """Return the method, watched."""
        return partial(self._worker.does, name, getattr(self._worker.store, name), told=self._told.get(name))


@contextmanager
def listening(stage: Stage, on: str) -> Iterator[None]:
    """Write down what the worker that acts in a thread says to a database, which the diagram calls `on`.

    A worker may stop before each statement, and ``after`` it: ``after SELECT … FOR UPDATE``.
    """
    import sqlalchemy as sa

    def tell(what: str) -> None:
        if worker := acting():
            worker.at(what, on)
            stage.tell(worker.who, what, on)

    def transaction(what: str, connection: Any) -> None:
        # SQLAlchemy tells of it also where every statement is a transaction of its own and nothing is sent.
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            tell(what)

    def executes(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        tell(statement(text))

    def executed(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if worker := acting():
            worker.at(f"after {statement(text)}", on)

    listeners: dict[str, Callable[..., None]] = {
        "before_cursor_execute": executes,
        "after_cursor_execute": executed,
        "begin": partial(transaction, "BEGIN"),
        "commit": partial(transaction, "COMMIT"),
        "rollback": partial(transaction, "ROLLBACK"),
    }
    for name, function in listeners.items():
        sa.event.listen(sa.Engine, name, function)
    try:
        yield
    finally:
        for name, function in listeners.items():
            sa.event.remove(sa.Engine, name, function)


def statement(text: str) -> str:
    """Return what a reader needs to know of a statement: its verb, and whether it holds the rows it reads."""
    if "readfresh_schema" in text and "readfresh_sessions" not in text:  # else it gives a session's row, too
        return "version"
    verb = text.split(maxsplit=1)[0]
    return f"{verb} … FOR UPDATE" if "FOR UPDATE" in text else verb
