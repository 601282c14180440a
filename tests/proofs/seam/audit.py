"""Hears every contact of this process with files, and tells those that readfresh makes past its seam.

1. Contacts are the audit events of Python that are about a path, or a descriptor of a file; and calls of `os.stat`,
   `os.lstat`, `os.access` and `os.readlink`, which raise none. Reading, writing and closing go with what was opened.
2. A contact is readfresh's own when a function of it is on the stack. The innermost one has to be the seam's, and at
   that moment one of its verbs has to be under way: what calls a function of the seam that is no verb is past it too.
   One of them outlives its verb: the thread that waits for a lock locks the file that the verb has opened for it, and
   unlocks it where nobody wants it any more.
3. Imports are the interpreter's, and so is the source that it prints of where an error was raised; the file of a SQLite
   database is SQLite's, which `disk_sqlite` looks at and never opens.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import readfresh
from readfresh import disk, disk_sqlite, waiting

OURS = str(Path(readfresh.__file__).parent) + os.sep
SEAM = {str(Path(str(module.__file__))) for module in (disk, disk_sqlite, waiting)}
SILENT = ("stat", "lstat", "access", "readlink")
PASSED_BY = ("import", "compile", "exec", "sqlite3.")
VERBS = {
    name: owner
    for owner in (disk.Disk, disk_sqlite.SQLiteFile)
    for name in vars(owner)
    if not name.startswith("_") and name != "reserved_names"
}
OF_TWO = ("os.rename", "os.link", "os.symlink")
# Verbs that name no path: what they are about was opened by another one.
OF_DESCRIPTORS = {"write", "fsync", "close"}


class Audit:
    """What was heard.

    Args:
        folder: where the sessions are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.contacts: Counter[str] = Counter()
        self.verbs: Counter[str] = Counter()
        self.unheard: set[str] = set()
        self.past: list[str] = []
        self.waits = 0
        self._here = threading.local()  # .verbs: the verbs under way, innermost last; .hearing

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge one event."""
        if event.startswith(PASSED_BY) or getattr(self._here, "hearing", False):
            return
        self._here.hearing = True
        try:
            about = arguments[: 2 if event in OF_TWO or event.startswith("shutil.") else 1]
            names = [name for one in about if (name := _file(event, one))]
            owner = _innermost(sys._getframe(1)) if names else None
            if owner is not None:
                self._judge(event, names, owner)
        finally:
            self._here.hearing = False

    def _judge(self, event: str, names: list[str], owner: FrameType) -> None:
        verbs = self._under_way()
        place = "the sessions" if all(self._is_a_sessions(name) for name in names) else "other files"
        self.contacts[place] += 1
        if event == "fcntl.flock" and waiting.Wait._wait.__code__ in (
            owner.f_code,
            owner.f_back and owner.f_back.f_code,
        ):
            self.waits += 1
        elif owner.f_code.co_filename not in SEAM or not verbs:
            file = os.path.basename(owner.f_code.co_filename)
            self.past.append(f"{event} in {owner.f_code.co_name}, {file}: {', '.join(map(os.path.basename, names))}")
        else:
            verbs[-1][1].append(event)

    def _is_a_sessions(self, name: str) -> bool:
        return os.path.abspath(name).startswith(self.folder)

    def _under_way(self) -> list[tuple[str, list[str]]]:
        if not hasattr(self._here, "verbs"):
            self._here.verbs = []
        found: list[tuple[str, list[str]]] = self._here.verbs
        return found

    @contextmanager
    def verb(self, name: str) -> Iterator[None]:
        """Be told that a verb of the seam is under way."""
        self.verbs[name] += 1
        heard: list[str] = []
        self._under_way().append((name, heard))
        try:
            yield
        finally:
            self._under_way().pop()
            if not heard and name not in OF_DESCRIPTORS:
                self.unheard.add(name)


def install(audit: Audit) -> None:
    """Let it hear this process, from now on and for good."""
    for name, owner in VERBS.items():
        recorded = _recorded_lock if name == "lock" else _recorded
        setattr(owner, name, recorded(audit, name, getattr(owner, name)))
    setattr(disk.HeldLock, "still_stands", _recorded(audit, "still_stands", disk.HeldLock.still_stands))  # noqa: B010
    for name in SILENT:
        setattr(os, name, _announced(audit, name, getattr(os, name)))
    sys.addaudithook(audit.hear)


def _recorded(audit: Audit, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(verb)
    def call(*arguments: Any) -> Any:
        with audit.verb(name):
            return verb(*arguments)

    return call


def _recorded_lock(audit: Audit, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    """A lock is under way while it is taken and while it is let go; in between the store goes on."""

    @contextmanager
    def lock(*arguments: Any) -> Iterator[Any]:
        held = verb(*arguments)
        with audit.verb(name):
            got = held.__enter__()
        try:
            yield got
        finally:
            with audit.verb("unlock"):
                held.__exit__(None, None, None)

    return lock


def _announced(audit: Audit, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        audit.hear(f"os.{name}", arguments)
        return function(*arguments, **named)

    return call


def _file(event: str, argument: object) -> str:
    """Return the path that an argument is, or that a descriptor is of; the empty text for anything else."""
    if isinstance(argument, int) and not isinstance(argument, bool):
        if not event.startswith("fcntl.") and event != "os.truncate":
            return ""
        try:
            return os.readlink(f"/proc/self/fd/{argument}")
        except OSError:
            return ""
    if event.startswith(("os.", "open", "shutil.", "tempfile.", "glob.", "pathlib.", "fcntl.")) and isinstance(
        argument, str | bytes | os.PathLike
    ):
        return os.fsdecode(argument)
    return ""


def _innermost(frame: FrameType | None) -> FrameType | None:
    """Return the innermost function of readfresh that led here; None where none did, or the interpreter's own work."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith("<frozen importlib") or file == linecache.__file__:
            return None
        if file.startswith(OURS):
            return frame
        frame = frame.f_back
    return None
