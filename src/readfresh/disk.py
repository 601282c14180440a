"""The seam: every contact with the file system is one of these verbs.

Tests put a disk of their own in its place that records the verbs, stops between two of them, or makes one fail.

1. A verb does one thing, knows nothing about sessions, and raises `OSError` as the system gives it.
2. Files are created private (0600) in one step; there is no moment at which others can read them.
3. A symbolic link where a file is expected is refused (O_NOFOLLOW, open(2)); a pipe is never waited on.
4. A lock file is never deleted: two holders would each lock an inode of their own.
5. Whatever is opened is opened here: `waiting` locks what was opened for it, and `pins` closes what it keeps.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from readfresh.pins import Pin, Version, close_all
from readfresh.waiting import IS_POSSIBLE, let_go, wait_for

if TYPE_CHECKING:
    from filelock import BaseFileLock

# Where flock(2) cannot be waited for: with 8 processes the 99th percentile of the wait is 20 ms; with filelock's own
# 50 ms it is 101 ms.
POLL_INTERVAL_SECONDS = 0.001


Stamp = tuple[int, int, int, int, int]
"""Times of change and of modification in ns, size in bytes, inode number and device of a file."""

STAMP_NS = 2_000_000_000
"""How much later than its time of change a file has to be looked at for its stamp to be its own.

Whatever takes its place after that look, or changes it, has a later time of change, also where the file system keeps
times in steps of two seconds. Git calls a file racily clean that is younger: it may have been changed in the same step.
"""


class NotARegularFile(OSError):
    """Something else stands where a file is expected: a link, a directory, a pipe."""


class TooLarge(OSError):
    """The file is larger than the caller is ready to read."""


class HeldLock:
    """A lock that is held, until the `with` block of `Disk.lock` ends."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def still_stands(self) -> bool:
        """Return whether the lock file at the path is the one that is locked.

        False means that somebody deleted it, or its directory: another worker may hold a lock of its own.
        """
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except FileNotFoundError:
            return False


class Disk:
    """The file system of a POSIX machine. Its methods may be called from any thread."""

    reserved_names: frozenset[str] = frozenset()

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        """Hold the exclusive lock on the file `path`, which is created if need be.

        Waits first for the threads of this process, then for other processes: the lock is one of flock(2), taken
        through filelock when it is free, and waited for by `waiting` when it is not.
        The death of a holder frees the lock.

        Raises:
            TimeoutError: it was not free within `timeout_seconds`, both waits together.
            OSError: the lock file cannot be opened, or its directory does not exist.
        """
        os.stat(os.path.dirname(path))  # filelock would create a directory that has vanished, and not a private one
        deadline = time.monotonic() + timeout_seconds
        thread_lock = _thread_lock(path)
        if not thread_lock.lock.acquire(timeout=timeout_seconds):
            raise TimeoutError(f"another thread held the lock for {timeout_seconds} s")
        try:
            taken = thread_lock.taken(path) or _waited_for(path, thread_lock, deadline)
            if taken is None:
                raise TimeoutError(f"another process held the lock for {timeout_seconds} s")
            try:
                yield taken.lock
            finally:
                taken.let_go()
        finally:
            thread_lock.lock.release()

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Return the content of the file `path`; None when there is none.

        Raises:
            NotARegularFile: something else stands there.
            TooLarge: it has more than `max_bytes` bytes; nothing was read.
        """
        try:
            descriptor = _open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
                raise NotARegularFile(error.errno, "it is no regular file") from None
            raise
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NotARegularFile(errno.EINVAL, "it is no regular file")
            if status.st_size > max_bytes:
                raise TooLarge(errno.EFBIG, f"it has {status.st_size} bytes, and max_file_bytes is {max_bytes}")
            chunks = []
            left = max_bytes  # what is written into the file while it is read has no end of its own
            while chunk := os.read(descriptor, min(max(status.st_size, 1 << 16), left) + 1):
                chunks.append(chunk)
                left -= len(chunk)
                if left < 0:
                    raise TooLarge(errno.EFBIG, f"it has grown beyond {max_bytes} bytes, which is max_file_bytes")
            return b"".join(chunks)
        finally:
            os.close(descriptor)

    def pin(self, path: str) -> Pin | None:
        """Hold the file `path` open, so that no other file is taken for it; None when that cannot be done.

        Whoever reads it instead meets the reason, if there is one.
        """
        with suppress(OSError), ExitStack() as opened:
            file = opened.enter_context(io.FileIO(path, opener=_open_to_pin))
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                opened.pop_all()
                return Pin(file, _version(status))
        return None

    def version(self, path: str) -> Version | None:
        """Return the version of the file that stands at `path` now; None when there is none, or none that can be seen.

        Two are equal when they are of one file that is pinned.
        """
        try:
            return _version(os.lstat(path))
        except OSError:
            return None

    def exists(self, path: str) -> bool:
        """Return whether anything at all stands at `path`, a dangling link included."""
        try:
            os.lstat(path)
        except FileNotFoundError:
            return False
        return True

    def stamp(self, path: str) -> Stamp | None:
        """Return the stamp of what stands at `path` now; None when nothing does, or nothing that can be seen."""
        try:
            status = os.lstat(path)
        except OSError:
            return None
        return status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev

    def create(self, path: str) -> int:
        """Create the file `path`, which must not exist, open it for writing, and return its descriptor."""
        return _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def fsync(self, descriptor: int) -> None:
        """Return when what was written has reached the disk. A failure must not be retried."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the descriptor."""
        os.close(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Let `source` take the place of `target` in one step (rename(2))."""
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        """Delete the file `path`, which must exist."""
        os.unlink(path)

    def names(self, directory: str) -> list[str]:
        """Return the names in `directory`; none when it does not exist."""
        try:
            return os.listdir(directory)
        except FileNotFoundError:
            return []

    def sync_directory(self, directory: str) -> None:
        """Return when what was created, renamed and deleted in `directory` has reached the disk."""
        descriptor = _open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_directory(self, directory: str) -> list[str]:
        """Create `directory` and its missing parents, all private (0700); return the parents of what was created."""
        if os.path.isdir(directory):
            return []
        missing = []
        path = Path(directory)
        while not path.exists() and path != path.parent:  # a drive that is not there is its own parent
            missing.append(path)
            path = path.parent
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
        return [str(path.parent) for path in missing]


@cache
def system_disk() -> Disk:
    """Return the disk of the platform that this runs on, the same for all stores of the process."""
    # It takes a quarter as long to import as all else of a store, so not before there is one; and not as late as the
    # first lock, when the process may have no file left to open.
    import filelock  # noqa: F401

    if sys.platform == "win32":
        from readfresh.disk_windows import WindowsDisk

        return WindowsDisk()
    return Disk()


def _open(path: str, flags: int) -> int:
    """Open a file as open(2) does, private where it is made; what is kept gives way to a process's limit of files."""
    try:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE) or not close_all():
            raise
        return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _open_lock(path: str) -> int:
    return _open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)


def _open_to_pin(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _version(status: os.stat_result) -> Version:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _let_go(file_lock: BaseFileLock, descriptor: int) -> None:
    """Release a lock; one that the system does not unlock is free when this raises, all the same."""
    try:
        file_lock.release()
    except OSError:
        # filelock keeps the descriptor of such a lock, and with it the lock, for as long as anybody keeps the error.
        with suppress(OSError):
            if file_lock.is_locked:
                nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.dup2(nothing, descriptor, inheritable=False)  # closes the lock file, which frees the lock
                finally:
                    os.close(nothing)
                file_lock.release()
        raise


class _Taken(NamedTuple):
    lock: HeldLock
    let_go: Callable[[], None]


class _ThreadLock:
    """A lock among the threads of this process, and the lock of the file that its holder may take."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._file_lock: BaseFileLock | None = None  # making one takes as long as taking it
        self._descriptor = -1

    def taken(self, path: str, timeout_seconds: float = 0) -> _Taken | None:
        """Return the lock of the file, which is asked for until the time has passed; None when it was not free."""
        from filelock import Timeout

        file_lock, self._file_lock = self._file_lock or self._made(path), None
        try:
            try:
                file_lock.acquire(timeout=timeout_seconds)
            except OSError as error:
                if isinstance(error, Timeout) or error.errno not in (errno.EMFILE, errno.ENFILE) or not close_all():
                    raise
                file_lock.acquire(timeout=timeout_seconds)
        except Timeout:
            return None

        descriptor = self._descriptor

        def let_go() -> None:
            _let_go(file_lock, descriptor)
            self._file_lock = file_lock

        return _Taken(HeldLock(path, descriptor), let_go)

    def _made(self, path: str) -> BaseFileLock:
        from filelock import FileLock

        def acquired(descriptor: int) -> None:
            self._descriptor = descriptor

        return FileLock(
            path,
            mode=0o600,
            thread_local=False,
            poll_interval=POLL_INTERVAL_SECONDS,
            fallback_to_soft=False,
            preserve_lock_file=True,
            on_acquired=acquired,
        )


def _waited_for(path: str, thread_lock: _ThreadLock, deadline: float) -> _Taken | None:
    """Return the lock of a file that another process holds; None when it was not free in time."""
    while (left := deadline - time.monotonic()) > 0:
        if not IS_POSSIBLE:
            return thread_lock.taken(path, left)
        try:
            descriptor = wait_for(path, left, _open_lock)
        except FileNotFoundError:  # it was deleted meanwhile
            taken = thread_lock.taken(path)
        else:
            if descriptor is None:
                return None
            taken = _Taken(HeldLock(path, descriptor), partial(let_go, descriptor))
            if not taken.lock.still_stands():
                taken.let_go()
                taken = None
        if taken is not None:
            return taken
    return None


_thread_locks: WeakValueDictionary[str, _ThreadLock] = WeakValueDictionary()
_used_last: deque[_ThreadLock] = deque(maxlen=256)  # kept for who asks for them again
_thread_locks_guard = threading.Lock()


def _thread_lock(path: str) -> _ThreadLock:
    with _thread_locks_guard:
        found = _thread_locks.get(path)
        if found is None:
            found = _thread_locks[path] = _ThreadLock()
        _used_last.append(found)
        return found


def _forget_thread_locks() -> None:
    # A thread that held one does not exist in the child, and nobody would release it there.
    global _thread_locks, _thread_locks_guard
    _thread_locks = WeakValueDictionary()
    _used_last.clear()
    _thread_locks_guard = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_thread_locks)
