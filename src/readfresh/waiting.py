"""Waiting for a lock file that another process holds, in the order in which the system grants it.

Asking again and again is unfair: whoever has let go is the first to ask, and with 8 processes at one session some were
seen to wait for seconds. flock(2) wakes whoever waits when the lock is let go; it waits without a limit, though, and so
does it in a thread of its own here.

1. One such thread waits for a path in a process, at most: the lock among threads stands before it.
2. A wait that has been given up is taken over by the next one for that path; what it is granted with nobody waiting is
   let go at once.
3. A lock that was granted is the one whose file the caller sees: `Disk.lock` compares before anything is written.
4. A forked child closes what it has inherited, and never unlocks it: the lock is its parent's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

try:
    import fcntl
except ImportError:  # Windows
    IS_POSSIBLE = False
else:
    IS_POSSIBLE = True


class Wait:
    """A wait for the lock of the file `path`, in a thread of its own; `opens` opens it."""

    def __init__(self, path: str, opens: Callable[[str], int]) -> None:
        self._path = path
        self._opens = opens
        self._descriptor = -1
        self._guard = threading.Lock()
        self._granted = threading.Event()
        self._is_wanted = True
        self._failure: OSError | None = None

    def begin(self) -> None:
        """Open the file and wait; raise OSError when it cannot be opened."""
        with _forking:  # a child must know what it inherits
            self._descriptor = self._opens(self._path)
            _waits[self._path] = self
        threading.Thread(target=self._wait, name=f"readfresh waits for {self._path}", daemon=True).start()

    def result(self, timeout_seconds: float) -> int | None:
        """Return the descriptor that holds the lock; None when it was not granted in time.

        Raises:
            OSError: flock(2) failed.
        """
        try:
            self._granted.wait(timeout_seconds)
        finally:
            with self._guard:
                self._is_wanted = self._granted.is_set()
        if not self._is_wanted:
            return None
        if self._failure is not None:
            raise self._failure
        return self._descriptor

    def again(self) -> bool:
        """Want it again after it was given up; return whether it can still be granted."""
        with self._guard:
            self._is_wanted = self._descriptor >= 0 and not self._granted.is_set()
            return self._is_wanted

    def _wait(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        except OSError as error:
            self._failure = error
        with self._guard, _forking:
            del _waits[self._path]
            if self._is_wanted and self._failure is None:
                _held.add(self._descriptor)
            else:
                _unlock(self._descriptor)
                self._descriptor = -1
            if self._is_wanted:
                self._granted.set()

    def abandon(self) -> None:
        """Close the descriptor, in a child whose parent waits."""
        os.close(self._descriptor)


def wait_for(path: str, timeout_seconds: float, opens: Callable[[str], int]) -> int | None:
    """Return a descriptor that holds the lock of the file `path`; None when it was not granted in time.

    The caller holds the lock among the threads of this process for that path, and calls `let_go` in the end.
    `opens` opens the lock file.

    Raises:
        OSError: the lock file cannot be opened, or not be locked.
    """
    wait = _waits.get(path)
    if wait is None or not wait.again():
        wait = Wait(path, opens)
        wait.begin()
    return wait.result(timeout_seconds)


def let_go(descriptor: int) -> None:
    """Let go of a lock that was waited for; in a forked child it is the parent's, and stays."""
    with _forking:
        if descriptor in _held:
            _held.discard(descriptor)
            _unlock(descriptor)


def _unlock(descriptor: int) -> None:
    try:
        # Closing alone would leave the lock to a child that has inherited the descriptor and has not closed it yet.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


_waits: dict[str, Wait] = {}
_held: set[int] = set()
_forking = threading.RLock()  # held while a process forks


def _leave_to_the_parent() -> None:
    global _forking
    _forking = threading.RLock()
    for wait in _waits.values():
        wait.abandon()
    for descriptor in _held:
        os.close(descriptor)
    _waits.clear()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _forking.acquire(),
        after_in_parent=lambda: _forking.release(),
        after_in_child=_leave_to_the_parent,
    )
