"""Where a client's thread is stopped, and what stands in for what while it runs.

Nothing of a store is changed, and nothing of filelock. A client stops at a point

- by an audit hook, before each operation of Python's on a name in the folder that is watched: open, rename, remove,
  mkdir, listdir and the like; and before flock(2);
- by a function in the place of one that raises no audit event: `os.read`, `os.write`, `os.stat`, `os.lstat`, and
  `os.close` of a descriptor that holds a lock.

What is done then is real: the files, the descriptors, flock(2). What is not:

- `time.sleep` and a wait for a condition with a timeout take no time: who polls goes on when somebody else has let
  something go.
- `threading.Lock` and `RLock`, where they are made from now on, show the explorer whether they are held: a client that
  has to wait for one goes on when it is free.
- `open` is Python's own of `_pyio`, which reads, writes and closes by `os.read`, `os.write` and `os.close`; that of C
  shows none of them. So is `io.FileIO`.
- `os.fsync` does not flush, since no schedule loses power.

What reaches the disk by none of these, such as SQLite's library, is not stopped; nor is a thread that a store starts.
"""

from __future__ import annotations

import _pyio  # type: ignore[import-not-found]
import builtins
import fcntl
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

from readfresh import disk
from tests.proofs.threads.explorer import PATIENCE_SECONDS, Client, Schedule, current

# The audit events that are points, and which of their arguments name what they are about.
POINTS = {
    **dict.fromkeys(("open", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.utime"), (0,)),
    **dict.fromkeys(("os.listdir", "os.scandir", "fcntl.flock"), (0,)),
    **dict.fromkeys(("os.rename", "os.link"), (0, 1)),
    "os.symlink": (1,),
}
LETS_GO = {"os.remove", "os.rename", "os.rmdir"}  # somebody may wait for a name to go
LISTS = {"os.listdir", "os.scandir"}


class Watched:
    """The folder that is watched, and what clients have open and locked there.

    Args:
        folder: an absolute path.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.open: dict[int, str] = {}
        self.locked: set[int] = set()

    def name(self, of: object) -> str:
        """Return the name in the folder, of a path or an open descriptor; ``.`` for the folder, empty outside it."""
        if isinstance(of, int):
            return self.open.get(of, "")
        if not isinstance(of, str | bytes | os.PathLike):
            return ""
        path = os.fsdecode(of)
        if path == self.folder:
            return "."
        return path.removeprefix(self.folder + "/") if path.startswith(self.folder + "/") else ""

    def close_all(self) -> None:
        """Close what a schedule has left open."""
        for descriptor in self.open:
            REAL["os.close"](descriptor)
        self.open.clear()
        self.locked.clear()


_watched: list[Watched] = []
_hooked: list[bool] = []


@contextmanager
def watching(folder: str) -> Iterator[Watched]:
    """Stop clients at what they do in the folder, for the length of the block."""
    if not _hooked:
        sys.addaudithook(_heard)  # for good: Python takes none back
        _hooked.append(True)
    watched = Watched(folder)
    _watched.append(watched)
    _put(STANDS_IN)
    try:
        yield watched
    finally:
        _put(REAL)
        _watched.clear()
        watched.close_all()


def _put(values: dict[str, Any]) -> None:
    for name, value in values.items():
        owner, _, attribute = name.rpartition(".")
        setattr(attrgetter(owner)(PLACES), attribute, value)


def _here() -> tuple[Watched, Schedule, Client] | None:
    """Return what is watched and whose thread this is; None when it is nobody's."""
    at = current()
    return (_watched[0], *at) if at and _watched else None


def _stop(what: str, *about: object, also_the_folder: bool = False) -> None:
    """Stop at a point, when it is about something in the folder; the folder itself stands, whatever clients do."""
    if here := _here():
        watched, schedule, client = here
        names = [name for one in about if (name := watched.name(one)) and (name != "." or also_the_folder)]
        if names:
            schedule.reach(client, " ".join([what, *names]))


def _lets_go() -> None:
    if here := _here():
        _, schedule, client = here
        schedule.lets_go(client)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or event not in POINTS:
        return
    what = event.rpartition(".")[2]
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE != os.O_RDONLY:
        what = "open to write"
    elif event == "fcntl.flock":
        what = "unlock" if arguments[1] & fcntl.LOCK_UN else "lock"
    _stop(what, *(arguments[place] for place in POINTS[event]), also_the_folder=event in LISTS)
    if event in LETS_GO:
        _lets_go()


def _before(name: str) -> Callable[..., Any]:
    """Return the function of `os` with a point before it."""
    function = getattr(os, name)

    def stopped(about: Any, *arguments: Any, **named: Any) -> Any:
        _stop(name, about)
        return function(about, *arguments, **named)

    return stopped


def _open(path: Any, *arguments: Any, **named: Any) -> int:
    descriptor: int = REAL["os.open"](path, *arguments, **named)
    if (here := _here()) and (name := here[0].name(path)):
        here[0].open[descriptor] = name
    return descriptor


def _close(descriptor: int) -> None:
    for watched in _watched:
        if descriptor in watched.locked and (here := _here()):
            _, schedule, client = here
            _stop("close", descriptor)
            schedule.lets_go(client)
        watched.locked.discard(descriptor)
        watched.open.pop(descriptor, None)  # whoever closes it: what a store keeps may go with it, in no client's hands
    REAL["os.close"](descriptor)


def _flock(descriptor: Any, how: int) -> None:
    REAL["fcntl.flock"](descriptor, how)
    if (here := _here()) and descriptor in here[0].open:
        if how & fcntl.LOCK_UN:
            here[0].locked.discard(descriptor)
            _lets_go()
        else:
            here[0].locked.add(descriptor)


def _fsync(descriptor: int) -> None:
    here = _here()
    if not here or descriptor not in here[0].open:
        REAL["os.fsync"](descriptor)


def _poll(seconds: float) -> None:
    if here := _here():
        _, schedule, client = here
        schedule.poll(client)
    else:
        REAL["time.sleep"](seconds)


def _wait(self: Any, timeout: float | None = None) -> bool:
    here = _here()
    if here is None or timeout is None:
        return bool(REAL["threading.Condition.wait"](self, timeout))
    state = self._release_save()
    try:
        _poll(timeout)
    finally:
        self._acquire_restore(state)
    return False


class Lock:
    """A lock of `threading`, of which the explorer sees whether it is held."""

    def __init__(self) -> None:
        self._real: Any = REAL["threading.Lock"]()
        self._refused = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; a client that would have to wait is not chosen before it is free."""
        here = _here()
        if here is None or not blocking:
            got = bool(self._real.acquire(blocking, timeout))
            self._refused = self._refused or not got
            return got
        _, schedule, client = here
        schedule.reach(client, "take a thread lock", lambda: not self._real.locked())
        return bool(self._real.acquire(timeout=PATIENCE_SECONDS))

    def release(self) -> None:
        """Let it go; to who polls it matters only where it was refused, and most locks are one's own."""
        self._real.release()
        if self._refused:
            self._refused = False
            _lets_go()

    def locked(self) -> bool:
        """Return whether it is held."""
        return bool(self._real.locked())

    def __enter__(self) -> bool:
        """Take it."""
        return self.acquire()

    def __exit__(self, *_raised: object) -> None:
        """Let it go."""
        self.release()


class RLock(Lock):
    """The same, which its holder may take again."""

    def __init__(self) -> None:
        super().__init__()
        self._holder: int | None = None
        self._times = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, or once more."""
        if self._holder != threading.get_ident():
            if not super().acquire(blocking, timeout):
                return False
            self._holder = threading.get_ident()
        self._times += 1
        return True

    def release(self) -> None:
        """Let it go, or once less."""
        if self._holder != threading.get_ident():
            raise RuntimeError("cannot release un-acquired lock")
        self._times -= 1
        if not self._times:
            self._holder = None
            super().release()

    def _is_owned(self) -> bool:  # `threading.Condition` asks
        return self._holder == threading.get_ident()


PLACES = SimpleNamespace(builtins=builtins, disk=disk, fcntl=fcntl, io=io, os=os, threading=threading, time=time)
STANDS_IN: dict[str, Any] = {
    "os.open": _open,
    "os.close": _close,
    "os.fsync": _fsync,
    **{f"os.{name}": _before(name) for name in ("read", "write", "stat", "lstat")},
    "fcntl.flock": _flock,
    "disk.IS_POSSIBLE": False,  # who waits asks again and again: a wait in flock(2) is a thread that is no client
    "time.sleep": _poll,
    "threading.Condition.wait": _wait,
    "threading.Lock": Lock,
    "threading.RLock": RLock,
    "builtins.open": _pyio.open,
    "io.open": _pyio.open,
    "io.FileIO": _pyio.FileIO,
}
REAL: dict[str, Any] = {name: attrgetter(name)(PLACES) for name in STANDS_IN}
