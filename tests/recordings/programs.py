"""The designs that lose, which stand on the pages as programs: their functions, on files that are watched.

What a program defines is taken from its file as it stands. What it does with its definitions, its plays and prints,
is left out: the scenario plays instead, and says who does what.
"""

from __future__ import annotations

import ast
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, Any
from unittest.mock import patch

from filelock import FileLock

from tests.recordings.stage import Stage, acting

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_DEFINES = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)


def program(stage: Stage, name: str) -> Any:
    """Return what the example defines, with its contacts with files watched by the stage."""
    path = EXAMPLES / name
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, _DEFINES) and not _plays(node)]
    module = ModuleType(path.stem)
    with patch.dict(sys.modules, {module.__name__: module}):  # where dataclasses look for it
        exec(compile(tree, str(path), "exec"), module.__dict__)
    watch = _Watch(stage)
    watched: dict[str, Any] = {"open": watch.open, "Path": watch.path, "os": watch.os(), "fcntl": watch.fcntl()}
    watched["FileLock"] = watch.file_lock
    module.__dict__.update(watched)
    return module


def _plays(node: ast.stmt) -> bool:
    """Return whether it is the beginning of a play: a file or a store that is made when the program starts."""
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)


class _Watch:
    """What a program uses of files, each of it the real thing, with a word to the stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def tell(self, what: str, path: str | os.PathLike[str]) -> None:
        """Write down what the worker that acts has done with a file, and what is in that now."""
        worker = acting()
        if worker is None:  # before the diagram begins, or a look of the scenario's own
            return
        path = Path(path)
        shows = "" if what in ("lock", "unlock") else self.stage.shows(path.read_bytes())
        self.stage.tell(worker.who, what, path.name.removesuffix(".lock"), shows)

    def open(self, path: str, mode: str = "r") -> IO[str]:
        """Open a file, every write to which is flushed and told of."""
        file: Any = open(path, mode)  # noqa: SIM115 - the program closes it
        return _File(file, self, path)  # type: ignore[return-value]

    def path(self, *parts: str) -> Path:
        """Return a path that tells of reads and writes."""
        watch = self

        class Watched(type(Path())):  # type: ignore[misc]
            def read_text(self, *args: Any, **options: Any) -> str:
                text: str = super().read_text(*args, **options)
                watch.tell("read", self)
                return text

            def write_text(self, *args: Any, **options: Any) -> int:
                count: int = super().write_text(*args, **options)
                watch.tell("write", self)
                return count

        return Watched(*parts)

    def os(self) -> Any:
        """Return the module, which tells of renames."""

        def replace(source: str, target: str) -> None:
            os.replace(source, target)
            self.tell("replace", target)

        return SimpleNamespace(**{**vars(os), "replace": replace})

    @contextmanager
    def file_lock(self, path: str, **options: Any) -> Iterator[None]:
        """Hold a lock, and tell when it is taken and let go."""
        with FileLock(path, **options):
            self.tell("lock", path)
            yield
            self.tell("unlock", path)

    def fcntl(self) -> Any:
        """Return the module, which tells of locks."""

        def flock(descriptor: int, operation: int) -> None:
            fcntl.flock(descriptor, operation)
            self.tell("lock", os.readlink(f"/proc/self/fd/{descriptor}"))

        return SimpleNamespace(**{**vars(fcntl), "flock": flock})


class _File:
    """A file that is open for writing."""

    def __init__(self, file: Any, watch: _Watch, path: str) -> None:
        self._file = file
        self._watch = watch
        self._path = path

    def write(self, text: str) -> int:
        """Write, and tell what the file holds now."""
        count: int = self._file.write(text)
        self._file.flush()
        self._watch.tell("write", self._path)
        return count

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
