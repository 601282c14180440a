"""The points at which a call can be stopped: before each contact with the outside, and at each line of the store.

Nothing of the store is changed for it: Python itself tells what a thread is about to do.

1. A call of a C function that touches files, locks, sockets or SQLite is a point: between two of them nothing changes
   that another process could see.
2. A line of the store's own code is a point the first time it is reached: a rival in another thread sees memory too.
3. A point remembers whether something was let go since the point before it, such as a lock: a rival that was blocked
   may get through from there on, and not before.
4. What threads do that the store has started is part of the call that is under way.
"""

from __future__ import annotations

import linecache
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, ClassVar

__all__ = ["Points", "own_folders", "watch_new_threads"]

# What in `os` can be seen from elsewhere, or sees it.
_SYSTEM = {
    *("open", "close", "read", "write", "pread", "pwrite", "writev", "sendfile", "fsync", "fdatasync"),
    *("rename", "replace", "link", "symlink", "unlink", "remove", "rmdir", "mkdir", "truncate", "ftruncate"),
    *("stat", "lstat", "fstat", "access", "listdir", "scandir", "lockf", "chmod", "utime"),
}
_CONTACTS = {"_io", "io", "fcntl", "sqlite3", "_sqlite3", "_socket", "mmap"}
_IN_MEMORY = {"StringIO", "BytesIO", "IncrementalNewlineDecoder"}
# What may let a rival through.
_RELEASES = {
    *("close", "flock", "lockf", "unlink", "remove", "rmdir", "rename", "replace", "release", "__exit__"),
    *("execute", "executemany", "executescript", "commit", "rollback", "send", "sendall"),
}
_WAITS = {"sleep", "acquire", "flock", "lockf", "select", "poll"}
_HERE = str(Path(__file__).parent)


class Points:
    """Counts the points of one call, and does something at one of them.

    Args:
        own: the folders and files whose lines are points.
        lines: whether lines are points; contacts always are.
        reached: called at every point with its number, from 0, and where it is; it may return what waits there.
        waiting: called before a call that may wait for somebody, with its name, and after it, with the empty text.
    """

    _current: ClassVar[Points | None] = None  # the one that the store's threads add to

    def __init__(
        self,
        own: tuple[str, ...] = (),
        *,
        lines: bool = False,
        reached: Callable[[int, str], Callable[[], object] | None] | None = None,
        waiting: Callable[[str], None] | None = None,
    ) -> None:
        self._own = own
        self._lines = lines
        self._reached = reached
        self._waiting = waiting
        self._seen: set[tuple[str, int]] = set()
        self._released = False
        self._over = False
        self._adding = threading.Lock()
        self.found: list[tuple[str, bool]] = []

    def __enter__(self) -> Points:
        if self._reached:  # a rival is only asked whether it waits
            Points._current = self
        if self._lines:
            sys.settrace(self._calls)
        sys.setprofile(self._contacts)
        return self

    def __exit__(self, *_raised: object) -> None:
        sys.setprofile(None)
        sys.settrace(None)
        with self._adding:  # from here on nobody is stopped
            self._over = True
        if Points._current is self:
            Points._current = None

    def _point(self, what: str, frame: FrameType) -> None:
        where = f"{what}{' in' if what != 'before' else ''} {self._place(frame)}".rstrip()
        with self._adding:
            if self._over:
                return
            self.found.append((where, self._released))
            self._released = False
            wait = self._reached(len(self.found) - 1, where) if self._reached else None
        if wait:
            wait()

    def _contacts(self, frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            if self._waiting and _waits(function):
                self._waiting(function.__name__)
            if (name := _contact(function)) and not _of_an_import(frame):
                self._point(f"before {name}", frame)
        elif event == "c_return":
            if self._waiting and _waits(function):
                self._waiting("")
            if getattr(function, "__name__", "") in _RELEASES:
                self._released = True

    def _calls(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        return self._line if self._is_own(frame.f_code.co_filename) else None

    def _line(self, frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            line = (frame.f_code.co_filename, frame.f_lineno)
            if line not in self._seen:
                self._seen.add(line)
                self._point("before", frame)
            elif linecache.getline(*line).lstrip().startswith(("with ", "async with ")):
                self._released = True  # Python comes back to the line of `with` when it leaves the block
        return self._line

    def _is_own(self, file: str) -> bool:
        return file.startswith(self._own) and not file.startswith(_HERE)

    def _place(self, frame: FrameType | None) -> str:
        while frame is not None and not self._is_own(frame.f_code.co_filename):
            frame = frame.f_back
        return f"{Path(frame.f_code.co_filename).name} line {frame.f_lineno}" if frame else "what it calls"


def watch_new_threads() -> None:
    """Let the threads that are started from now on add to the call that is under way."""

    def contacts(frame: FrameType, event: str, function: Any) -> None:
        if points := Points._current:
            points._contacts(frame, event, function)

    def calls(frame: FrameType, event: str, argument: Any) -> Any:
        points = Points._current
        return points._calls(frame, event, argument) if points and points._lines else None

    threading.setprofile(contacts)
    threading.settrace(calls)


def own_folders(store: object, factory: object) -> tuple[str, ...]:
    """Return the folders and files of the code that a store is made of: its classes', its parts', its factory's."""
    parts = [type(value) for value in getattr(store, "__dict__", {}).values()]
    classes = [kind for part in (type(store), *parts) for kind in part.__mro__]
    names = {kind.__module__.split(".")[0] for kind in classes} | {str(getattr(factory, "__module__", ""))}
    found = set()
    for name in names - {*sys.stdlib_module_names, "filelock", "builtins", "sqlalchemy", "psycopg", "redis"}:
        module = sys.modules.get(name)
        if paths := getattr(module, "__path__", None):
            found |= {str(path) + "/" for path in paths}
        elif file := getattr(module, "__file__", None):
            found.add(str(file))
    return tuple(sorted(found))


def _contact(function: Any) -> str:
    """Return the name of a C function that touches the outside; the empty text for any other."""
    owner = getattr(function, "__self__", None)
    name: str = getattr(function, "__name__", "")
    if isinstance(owner, ModuleType):
        module = owner.__name__
        if module in ("posix", "nt"):
            return name if name in _SYSTEM else ""
        return name if module in _CONTACTS and not name.startswith("text_") else ""
    kind = owner if isinstance(owner, type) else type(owner)
    if (
        not _CONTACTS.intersection(base.__module__ for base in kind.__mro__)
        or kind.__name__ in _IN_MEMORY
        or name.startswith("__init")
    ):
        return ""
    return {"__exit__": "close", "__enter__": ""}.get(name, name)


def _of_an_import(frame: FrameType) -> bool:
    # The first call of a store may import: that is no step of the store.
    return frame.f_code.co_filename.startswith("<frozen ")


def _waits(function: Any) -> bool:
    return getattr(function, "__name__", "") in _WAITS
