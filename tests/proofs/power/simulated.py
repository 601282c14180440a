"""A disk in memory whose power can be cut, for one thread."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

from readfresh.disk import Disk, HeldLock
from tests.proofs.power.model import DIRECTORY, ROOT, Model, Operation, Order, Tree, parent

__all__ = ["ROOT", "SimulatedDisk"]


class _Held(HeldLock):
    def __init__(self) -> None:
        super().__init__("", -1)

    def still_stands(self) -> bool:
        return True


class SimulatedDisk(Disk):
    """A disk in memory.

    Args:
        moment: called before each verb that changes something, for a test that cuts the power there.
        tree: what is on it and was flushed.
    """

    def __init__(self, moment: Callable[[str], None] = lambda _verb: None, *, tree: Tree | None = None) -> None:
        self.moment = moment
        self._model = Model({ROOT: None} if tree is None else tree)
        self._open: dict[int, tuple[str, int]] = {}  # the path as it was opened, and the number of the file
        self._descriptors = itertools.count(3)

    def tree(self) -> Tree:
        """Return what is on it as long as there is power."""
        return self._model.now()

    def after_a_cut(self, order: Order = "weak") -> Iterator[SimulatedDisk]:
        """Yield every disk that may be found when the power is back."""
        for left in self._model.after_a_cut(order):
            yield SimulatedDisk(tree=left.tree)

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:  # noqa: ARG002
        """Hold a lock: there is nobody else."""
        yield _Held()

    def read(self, path: str, max_bytes: int) -> bytes | None:  # noqa: ARG002
        """Return the content of the file; None when there is none."""
        return self._model.content(path)

    def exists(self, path: str) -> bool:
        """Return whether anything stands there."""
        return path in self._model.names

    def create(self, path: str) -> int:
        """Create the file and open it for writing."""
        self.moment("create")
        if path in self._model.names:
            raise FileExistsError(path)
        if parent(path) not in self._model.names:
            raise FileNotFoundError(path)
        descriptor = next(self._descriptors)
        self._open[descriptor] = path, self._model.new_file()
        self._model.do(Operation("create", path, file=self._model.new_file()))
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write at the end."""
        self.moment("write")
        path, file = self._open[descriptor]
        self._model.do(Operation("write", path, file=file, offset=self._model.size(file), data=data))

    def fsync(self, descriptor: int) -> None:
        """Flush the file, and not its name."""
        self.moment("fsync")
        path, file = self._open[descriptor]
        self._model.do(Operation("flush", path, file=file))

    def close(self, descriptor: int) -> None:
        """Close, which flushes nothing."""
        self.moment("close")
        del self._open[descriptor]

    def replace(self, source: str, target: str) -> None:
        """Rename, which flushes nothing."""
        self.moment("replace")
        self._model.do(Operation("rename", source, target, file=self._model.names[source]))

    def unlink(self, path: str) -> None:
        """Delete the name, which flushes nothing."""
        self.moment("unlink")
        if path not in self._model.names:
            raise FileNotFoundError(path)
        self._model.do(Operation("delete", path, file=self._model.names[path]))

    def names(self, directory: str) -> list[str]:
        """Return the names in the directory."""
        return [PurePosixPath(path).name for path in self._model.names if parent(path) == directory]

    def sync_directory(self, directory: str) -> None:
        """Flush the names in the directory."""
        self.moment("sync_directory")
        self._model.do(Operation("flush names", directory))

    def make_directory(self, directory: str) -> list[str]:
        """Create the directory and those above it."""
        missing = []
        while directory not in self._model.names:
            missing.append(directory)
            directory = parent(directory)
        for path in reversed(missing):
            self.moment("make_directory")
            self._model.do(Operation("make directory", path, file=DIRECTORY))
        return [parent(path) for path in missing]
