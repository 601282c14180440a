"""Faults in how sessions are locked, written, flushed, waited for and read again."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from tests.sabotage.fault import Fault, put


def no_lock() -> None:
    """Let everybody in."""
    from readfresh.disk import Disk, HeldLock

    @contextmanager
    def lock(_self: Disk, path: str, _timeout_seconds: float) -> Iterator[HeldLock]:
        yield _held_by_nobody(path)

    put(Disk, lock=lock)


def lock_among_threads_only() -> None:
    """Leave out the lock that excludes other processes."""
    from readfresh import disk

    @contextmanager
    def lock(_self: disk.Disk, path: str, timeout_seconds: float) -> Iterator[disk.HeldLock]:
        thread_lock = disk._thread_lock(path)
        if not thread_lock.lock.acquire(timeout=timeout_seconds):
            raise TimeoutError("another thread held the lock")
        try:
            yield _held_by_nobody(path)
        finally:
            thread_lock.lock.release()

    put(disk.Disk, lock=lock)


def lock_given_up_on_timeout() -> None:
    """Go on without the lock when it is not free in time."""
    from readfresh.disk import Disk, HeldLock

    original = Disk.lock

    @contextmanager
    def lock(self: Disk, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        held = original(self, path, timeout_seconds)
        try:
            got = held.__enter__()
        except TimeoutError:
            yield _held_by_nobody(path)
            return
        try:
            yield got
        finally:
            held.__exit__(None, None, None)

    put(Disk, lock=lock)


def lock_released_between_read_and_write() -> None:
    """Read under one lock, write under another."""
    from readfresh.files import SessionFiles

    original = SessionFiles.update

    def update(self: SessionFiles[Any], session_id: str, change: Callable[[Any], Any], **how: bool) -> bool:
        current = self.read(session_id)
        if current is None and not how.get("create", True):
            return False
        changed = change(current)
        return original(self, session_id, lambda _newest: changed, **how)

    put(SessionFiles, update=update)


def hierarchical_store_locks_twice() -> None:
    """Give the hierarchical store a loading and saving of its own (PraisonAI #1745)."""
    from readfresh import HierarchicalSessionStore

    original = HierarchicalSessionStore._update

    def update(self: Any, session_id: str, change: Callable[[Any], Any], **how: bool) -> bool:
        changed = change(self._read(session_id))
        return original(self, session_id, lambda _newest: changed, **how)

    put(HierarchicalSessionStore, _update=update)


def change_made_to_an_earlier_value() -> None:
    """Change what was read before, and save it over the file (PraisonAI #1709, #1724)."""
    from readfresh.files import SessionFiles

    read, update = SessionFiles.read, SessionFiles.update
    seen: WeakKeyDictionary[SessionFiles[Any], dict[str, Any]] = WeakKeyDictionary()

    def remember(self: SessionFiles[Any], session_id: str, **how: bool) -> Any:
        found = seen.setdefault(self, {})[session_id] = read(self, session_id, **how)
        return found

    def change_it(self: SessionFiles[Any], session_id: str, change: Callable[[Any], Any], **how: bool) -> bool:
        def changed(newest: Any) -> Any:
            known = seen.setdefault(self, {})
            after = known[session_id] = change(known.get(session_id) or newest)
            return after

        return update(self, session_id, changed, **how)

    put(SessionFiles, read=remember, update=change_it)


def lock_kept_after_a_failure() -> None:
    """Release the lock only when all went well."""
    from readfresh.disk import HeldLock
    from readfresh.files import SessionFiles

    original = SessionFiles._locked
    kept = []

    @contextmanager
    def locked(self: SessionFiles[Any], *args: Any) -> Iterator[HeldLock]:
        held = original(self, *args)
        kept.append(held)
        yield held.__enter__()
        held.__exit__(None, None, None)

    put(SessionFiles, _locked=locked)


def deleted_lock_file_unnoticed() -> None:
    """Trust a lock whose file has been deleted."""
    from readfresh.disk import HeldLock

    put(HeldLock, still_stands=lambda _self: True)


def first_read_kept_for_ever() -> None:
    """Answer every read with what the first one found (PraisonAI #1759, #1764)."""
    _cache(lambda _path, _kept: True)


def cache_refreshed_by_own_writes() -> None:
    """Keep a cache that the same store object's writes refresh, and nobody else's."""
    from readfresh.files import SessionFiles

    forget = _cache(lambda _path, _kept: True)
    original = SessionFiles.update

    def update(self: SessionFiles[Any], session_id: str, *args: Any, **options: Any) -> bool:
        forget(self, session_id)
        return original(self, session_id, *args, **options)

    put(SessionFiles, update=update)


def cache_validated_by_time_and_size() -> None:
    """Hold a file for unchanged when its modification time and its size are."""
    _cache(lambda path, kept: _time_and_size(path) == kept)


def kept_file_known_by_time_and_size() -> None:
    """Take another file of the same time and size for the one that is held open."""
    from readfresh import disk

    version = disk._version
    put(disk, _version=lambda status: (0, 0, *version(status)[2:]))


def kept_file_not_held_open() -> None:
    """Keep what was read, and close its file at once: another file may get its inode number."""
    from readfresh.disk import Disk

    original = Disk.pin

    def pin(self: Disk, path: str) -> Any:
        pinned = original(self, path)
        if pinned is not None:
            pinned._file.close()
        return pinned

    put(Disk, pin=pin)


def list_trusts_time_and_size() -> None:
    """Take a file of the same time of modification and size for the one that was listed."""
    from readfresh.disk import Disk

    original = Disk.stamp

    def stamp(self: Disk, path: str) -> Any:
        found = original(self, path)
        return found and (0, *found[1:3], 0, 0)

    put(Disk, stamp=stamp)


def list_trusts_young_files() -> None:
    """Keep the stamp of a file that may change once more within the same tick of the clock."""
    from readfresh import files

    put(files, STAMP_NS=-(10**18))


def cache_that_must_be_invalidated() -> None:
    """Keep what was read until `invalidate_cache` is called."""
    from readfresh.store import SessionStore

    forget = _cache(lambda _path, _kept: True)

    def invalidate_cache(self: SessionStore[Any], session_id: str | None = None) -> None:
        forget(self._storage, session_id)

    put(SessionStore, invalidate_cache=invalidate_cache)


def invalidate_writes_back_what_was_read() -> None:
    """Let `invalidate_cache` flush the store's last value to the file."""
    from readfresh.files import SessionFiles
    from readfresh.store import SessionStore

    read = SessionFiles.read
    seen: dict[int, Any] = {}

    def remember(self: SessionFiles[Any], session_id: str, **how: bool) -> Any:
        found = seen[id(self)] = read(self, session_id, **how)
        return found

    def invalidate_cache(self: SessionStore[Any], _session_id: str | None = None) -> None:
        found = seen.pop(id(self._storage), None)
        if found is not None:
            self._storage.update(found.session_id, lambda _newest: found)

    put(SessionFiles, read=remember)
    put(SessionStore, invalidate_cache=invalidate_cache)


def second_cache_in_the_hierarchical_store() -> None:
    """Give the subclass a cache of its own, which nothing clears (PraisonAI #1745, #1785)."""
    from readfresh import HierarchicalSessionStore

    original = HierarchicalSessionStore.get_session
    seen: dict[tuple[int, str], Any] = {}

    def get_session(self: HierarchicalSessionStore, session_id: str) -> Any:
        key = (id(self), session_id)
        if key not in seen:
            found = original(self, session_id)
            if found.created_at is None:
                return found
            seen[key] = found
        return seen[key]

    put(HierarchicalSessionStore, get_session=get_session)


def listing_kept() -> None:
    """Keep the list of sessions that the first query saw."""
    from readfresh.files import SessionFiles

    original = SessionFiles.scan
    seen: dict[int, list[Any]] = {}

    def scan(self: SessionFiles[Any], **how: bool) -> Iterator[Any]:
        if id(self) not in seen:
            seen[id(self)] = list(original(self, **how))
        return iter(seen[id(self)])

    put(SessionFiles, scan=scan)


def read_without_the_lock() -> None:
    """Read the file whoever is writing."""
    from readfresh.errors import ReadFailed
    from readfresh.files import SessionFiles

    put(SessionFiles, read=lambda self, session_id, **_: self._load(session_id, ReadFailed))


def written_in_place() -> None:
    """Open the session's own file for writing."""
    from readfresh.disk import Disk

    def create(_self: Disk, path: str) -> int:
        return os.open(path.removesuffix(".tmp"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    put(Disk, create=create, replace=lambda _self, _source, _target: None)


def changed_in_two_steps() -> None:
    """Write a change as two: first the fields, then the messages."""
    import dataclasses

    from readfresh.files import SessionFiles

    original = SessionFiles.update

    def update(self: SessionFiles[Any], session_id: str, change: Callable[[Any], Any], **how: bool) -> bool:
        after: list[Any] = []

        def first(newest: Any) -> Any:
            after.append(change(newest))
            if after[0] is None or newest is None:
                return after[0]
            return dataclasses.replace(after[0], messages=newest.messages)

        done = original(self, session_id, first, **how)
        return done and (original(self, session_id, lambda _newest: after[0]) or True)

    put(SessionFiles, update=update)


def temporary_file_in_the_way() -> None:
    """Stop at what a killed writer has left."""
    from readfresh.files import SessionFiles

    original = SessionFiles._replace

    class Blind(_Without):
        def exists(self, path: str) -> bool:
            found: bool = self.disk.exists(path)
            return found and not path.endswith(".tmp")

    put(SessionFiles, _replace=lambda self, *args: original(_on(Blind, self), *args))


def no_fsync() -> None:
    """Do not flush the file before the rename."""
    from readfresh.files import SessionFiles

    original = SessionFiles._replace

    class Unflushed(_Without):
        def fsync(self, _descriptor: int) -> None:
            pass

    put(SessionFiles, _replace=lambda self, *args: original(_on(Unflushed, self), *args))


def fsync_failure_ignored() -> None:
    """Rename a file whose flush has failed."""
    from readfresh.files import SessionFiles

    original = SessionFiles._replace

    class Careless(_Without):
        def fsync(self, descriptor: int) -> None:
            with suppress(OSError):
                self.disk.fsync(descriptor)

    put(SessionFiles, _replace=lambda self, *args: original(_on(Careless, self), *args))


def fsync_does_nothing() -> None:
    """Let the verb of the real disk be empty."""
    from readfresh.disk import Disk

    put(Disk, fsync=lambda _self, _descriptor: None)


def directory_fsync_does_nothing() -> None:
    """Let the other verb of the real disk be empty."""
    from readfresh.disk import Disk

    put(Disk, sync_directory=lambda _self, _directory: None)


def no_directory_fsync() -> None:
    """Do not flush the rename."""
    from readfresh.files import SessionFiles

    put(SessionFiles, _flush_directory=lambda _self, _session_id: None)


def no_fsync_of_the_parent() -> None:
    """Do not flush the entry of a session directory that was created."""
    from readfresh.files import SessionFiles

    def make_directory(self: SessionFiles[Any], _session_id: str) -> None:
        self.disk.make_directory(self.directory)

    put(SessionFiles, _make_directory=make_directory)


def directory_flushed_by_its_creator_only() -> None:
    """Do not flush the entry of a session directory that was there already."""
    from readfresh.files import SessionFiles

    def make_directory(self: SessionFiles[Any], _session_id: str) -> None:
        for parent in self.disk.make_directory(self.directory):
            self.disk.sync_directory(parent)

    put(SessionFiles, _make_directory=make_directory)


def directory_fsync_failure_swallowed() -> None:
    """Return as if the rename had been flushed."""
    from readfresh.errors import OutcomeUnknown
    from readfresh.files import SessionFiles

    original = SessionFiles._flush_directory

    def flush(self: SessionFiles[Any], session_id: str) -> None:
        with suppress(OutcomeUnknown):
            original(self, session_id)

    put(SessionFiles, _flush_directory=flush)


def written_behind() -> None:
    """Return before anything is written; write at the store's next call."""
    from readfresh.files import SessionFiles

    read, update = SessionFiles.read, SessionFiles.update
    behind: list[Callable[[], object]] = []

    def flush() -> None:
        while behind:
            behind.pop(0)()

    def later(self: SessionFiles[Any], *args: Any, **options: Any) -> bool:
        flush()
        behind.append(lambda: update(self, *args, **options))
        return True

    def read_behind(self: SessionFiles[Any], session_id: str, **how: bool) -> Any:
        flush()
        return read(self, session_id, **how)

    put(SessionFiles, read=read_behind, update=later)


def timeout_ignored() -> None:
    """Wait for ever."""
    from readfresh.disk import Disk

    original = Disk.lock
    put(Disk, lock=lambda self, path, _timeout_seconds: original(self, path, 3600.0))


def timeout_of_threads_ignored() -> None:
    """Wait for ever for a thread of the own process, and as long as agreed for others."""
    from readfresh import disk

    original = disk.Disk.lock

    @contextmanager
    def lock(self: disk.Disk, path: str, timeout_seconds: float) -> Iterator[disk.HeldLock]:
        thread_lock = disk._thread_lock(path + " of the fault")
        with thread_lock.lock, original(self, path, timeout_seconds) as held:
            yield held

    put(disk.Disk, lock=lock)


def timeout_for_each_wait() -> None:
    """Wait for processes as long as agreed, however long the wait for threads was."""
    from readfresh import disk

    original = disk.Disk.lock
    waited_for = disk._waited_for

    @contextmanager
    def lock(self: disk.Disk, path: str, timeout_seconds: float) -> Iterator[disk.HeldLock]:
        def afresh(path: str, thread_lock: Any, _deadline: float) -> Any:
            return waited_for(path, thread_lock, time.monotonic() + timeout_seconds)

        put(disk, _waited_for=afresh)
        with original(self, path, timeout_seconds) as held:
            yield held

    put(disk.Disk, lock=lock)


def timeout_answered_with_false() -> None:
    """Say False instead of raising (PraisonAI)."""
    from readfresh import LockTimeout
    from readfresh.files import SessionFiles

    original = SessionFiles.update

    def update(self: SessionFiles[Any], *args: Any, **options: Any) -> bool:
        try:
            return original(self, *args, **options)
        except LockTimeout:
            return False

    put(SessionFiles, update=update)


def timeout_answered_with_an_empty_session() -> None:
    """Read a locked session as if it did not exist."""
    from readfresh import LockTimeout
    from readfresh.files import SessionFiles

    original = SessionFiles.read

    def read(self: SessionFiles[Any], session_id: str, **how: bool) -> Any:
        try:
            return original(self, session_id, **how)
        except LockTimeout:
            return None

    put(SessionFiles, read=read)


def lock_that_outlives_its_holder() -> None:
    """Hold the lock as long as a file exists, whoever has died."""
    import threading
    import time

    from readfresh.disk import Disk, HeldLock

    @contextmanager
    def lock(_self: Disk, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        claim = Path(path + ".claim")
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                claim.touch(exist_ok=False)
                break
            except FileExistsError:
                if time.monotonic() >= deadline:
                    raise TimeoutError("somebody held the lock") from None
                threading.Event().wait(0.001)
        try:
            yield _held_by_nobody(path)
        finally:
            claim.unlink()

    put(Disk, lock=lock)


def litter_left_after_a_failure() -> None:
    """Leave the temporary file where it is when a write fails; the next writer removes it."""
    from readfresh.files import SessionFiles

    original = SessionFiles._replace

    class Untidy(_Without):
        created = False

        def create(self, path: str) -> int:
            self.created = True
            descriptor: int = self.disk.create(path)
            return descriptor

        def exists(self, path: str) -> bool:
            return not self.created and self.disk.exists(path)

    put(SessionFiles, _replace=lambda self, *args: original(_on(Untidy, self), *args))


def descriptor_left_open_after_a_failure() -> None:
    """Close the temporary file only when it could be written and flushed."""
    from readfresh.files import SessionFiles

    original = SessionFiles._replace

    class Leaky(_Without):
        failed = True

        def write(self, descriptor: int, data: bytes) -> None:
            self.disk.write(descriptor, data)
            self.failed = False

        def fsync(self, descriptor: int) -> None:
            self.failed = True
            self.disk.fsync(descriptor)
            self.failed = False

        def close(self, descriptor: int) -> None:
            if not self.failed:
                self.disk.close(descriptor)

    put(SessionFiles, _replace=lambda self, *args: original(_on(Leaky, self), *args))


def directory_left_open_after_a_failure() -> None:
    """Close a directory only when it could be flushed."""
    from readfresh.disk import Disk

    def sync_directory(_self: Disk, directory: str) -> None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(descriptor)
        os.close(descriptor)

    put(Disk, sync_directory=sync_directory)


def lock_kept_with_its_error() -> None:
    """Leave a lock that flock(2) does not unlock to filelock, which keeps it as long as the error is kept."""
    from readfresh import disk

    put(disk, _let_go=lambda file_lock, _descriptor: file_lock.release())


def fsync_tried_again() -> None:
    """Ask again for a flush that has failed, and believe the second answer."""
    from readfresh.files import SessionFiles

    original = SessionFiles._replace

    class Stubborn(_Without):
        def fsync(self, descriptor: int) -> None:
            try:
                self.disk.fsync(descriptor)
            except OSError:
                self.disk.fsync(descriptor)

    put(SessionFiles, _replace=lambda self, *args: original(_on(Stubborn, self), *args))


def doubt_said_to_be_none() -> None:
    """Say that nothing was written when the directory cannot be flushed after the rename."""
    from readfresh import WriteFailed, files

    put(files, OutcomeUnknown=WriteFailed)


def _held_by_nobody(path: str) -> Any:
    from readfresh.disk import HeldLock

    class Held(HeldLock):
        def still_stands(self) -> bool:
            return True

    return Held(path, -1)


def _cache(valid: Callable[[str, object], bool]) -> Callable[..., None]:
    """Give the storage a cache of what was read; return the function that forgets."""
    from readfresh.files import SessionFiles

    original = SessionFiles.read
    kept: dict[tuple[int, str], tuple[Any, object, object]] = {}

    def read(self: SessionFiles[Any], session_id: str, **how: bool) -> Any:
        key = (id(self), session_id)
        path = self.path(session_id)
        # The storage is kept too: another one may not get its id.
        if key in kept and valid(path, kept[key][1]):
            return kept[key][0]
        before = _time_and_size(path)
        found = original(self, session_id, **how)
        if found is not None:
            kept[key] = found, before, self
        return found

    def forget(self: object, session_id: str | None = None) -> None:
        for key in list(kept):
            if key[0] == id(self) and session_id in (None, key[1]):
                del kept[key]

    put(SessionFiles, read=read)
    return forget


def _time_and_size(path: str) -> object:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size


class _Without:
    """A disk that lacks something, in front of the one that has it."""

    def __init__(self, disk: Any) -> None:
        self.disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self.disk, name)


def _on(kind: type[_Without], files: Any) -> Any:
    changed = copy.copy(files)
    changed.disk = kind(files.disk)
    return changed


FAILING = "tests/store/test_faults.py::"
KEPT = "tests/store/test_pins.py::"
LISTED = "tests/store/test_listing.py::"

FAULTS = {
    "no-lock": Fault(no_lock, ("no-lost-update", "waiting-is-bounded"), "nobody takes a lock", found_by="orders-pairs"),
    "lock-among-threads-only": Fault(
        lock_among_threads_only, ("no-lost-update",), "other processes are not excluded", found_by="threads-appends"
    ),
    "lock-given-up-on-timeout": Fault(
        lock_given_up_on_timeout,
        ("no-lost-update", "waiting-is-bounded"),
        "a writer that has waited long enough writes without the lock",
    ),
    "lock-released-between-read-and-write": Fault(
        lock_released_between_read_and_write,
        ("no-lost-update",),
        "the lock is taken twice, to read and to write",
        tests=("tests/explorer/test_explorer.py::test_recording_is_what_the_code_does",),
        found_by="orders-pairs",
    ),
    "hierarchical-store-locks-twice": Fault(
        hierarchical_store_locks_twice,
        ("no-lost-update",),
        "the hierarchical store loads and saves by itself",
        found_by="orders-pairs",
    ),
    "change-made-to-an-earlier-value": Fault(
        change_made_to_an_earlier_value,
        ("no-lost-update",),
        "what is changed is what was read earlier",
        found_by="model-files",
    ),
    "lock-kept-after-a-failure": Fault(
        lock_kept_after_a_failure, ("no-lost-update",), "a change that raises keeps the lock", found_by="faults-seam"
    ),
    "deleted-lock-file-unnoticed": Fault(
        deleted_lock_file_unnoticed, ("no-lost-update",), "a lock is trusted whose file has been deleted"
    ),
    "first-read-kept-for-ever": Fault(
        first_read_kept_for_ever, ("read-fresh",), "the first read is kept for ever", found_by="model-files"
    ),
    "cache-refreshed-by-own-writes": Fault(
        cache_refreshed_by_own_writes, ("read-fresh",), "a cache knows the writes of its own store object only"
    ),
    "cache-validated-by-time-and-size": Fault(
        cache_validated_by_time_and_size, ("read-fresh",), "a cache holds a modification time and a size for a version"
    ),
    "kept-file-known-by-time-and-size": Fault(
        kept_file_known_by_time_and_size,
        ("read-fresh",),
        "a file is taken for the one that is held open by its modification time and its size",
        (f"{KEPT}test_another_file_is_never_taken_for_the_one_that_is_kept",),
    ),
    "kept-file-not-held-open": Fault(
        kept_file_not_held_open,
        (),
        "a file is closed whose inode number is compared",
        (f"{KEPT}test_what_was_written_or_read_is_held_open",),
    ),
    "list-trusts-time-and-size": Fault(
        list_trusts_time_and_size,
        (),
        "a list shows what it knows of a file as long as its time of modification and its size are the same",
        (f"{LISTED}test_what_has_changed_is_read_again",),
    ),
    "list-trusts-young-files": Fault(
        list_trusts_young_files,
        (),
        "a list shows what it knows of a file that changed in the same tick of the clock",
        (f"{LISTED}test_a_young_file_is_read_each_time",),
    ),
    "cache-that-must-be-invalidated": Fault(
        cache_that_must_be_invalidated, ("read-fresh", "cache-is-invisible"), "a read is stale until invalidate_cache"
    ),
    "invalidate-writes-back-what-was-read": Fault(
        invalidate_writes_back_what_was_read, ("cache-is-invisible",), "invalidate_cache flushes an old value"
    ),
    "second-cache-in-the-hierarchical-store": Fault(
        second_cache_in_the_hierarchical_store, ("read-fresh",), "a subclass has a cache that nothing clears"
    ),
    "listing-kept": Fault(listing_kept, ("read-fresh",), "queries keep the list of sessions they saw first"),
    "read-without-the-lock": Fault(read_without_the_lock, ("read-fresh",), "a read does not wait for a writer"),
    "written-in-place": Fault(
        written_in_place, ("all-or-nothing", "durable"), "the file itself is overwritten", found_by="kills-plain"
    ),
    "changed-in-two-steps": Fault(changed_in_two_steps, ("all-or-nothing",), "one change is two renames"),
    "temporary-file-in-the-way": Fault(
        temporary_file_in_the_way,
        ("all-or-nothing",),
        "what a killed writer left stops the next one",
        found_by="kills-plain",
    ),
    "no-fsync": Fault(
        no_fsync, ("all-or-nothing", "durable"), "the file is not flushed before the rename", found_by="power-full"
    ),
    "fsync-failure-ignored": Fault(
        fsync_failure_ignored, ("durable",), "a file is renamed whose flush has failed", found_by="faults-seam"
    ),
    "fsync-does-nothing": Fault(fsync_does_nothing, ("durable",), "the disk's fsync is empty"),
    "directory-fsync-does-nothing": Fault(
        directory_fsync_does_nothing, ("durable",), "the disk's fsync of a directory is empty"
    ),
    "no-directory-fsync": Fault(no_directory_fsync, ("durable",), "the rename is not flushed", found_by="power-full"),
    "no-fsync-of-the-parent": Fault(
        no_fsync_of_the_parent, ("durable",), "the entry of a new session directory is not flushed"
    ),
    "directory-flushed-by-its-creator-only": Fault(
        directory_flushed_by_its_creator_only,
        ("durable",),
        "a session directory is flushed by the worker that created it, if that lives long enough",
    ),
    "directory-fsync-failure-swallowed": Fault(
        directory_fsync_failure_swallowed, ("durable",), "a rename that could not be flushed counts as done"
    ),
    "written-behind": Fault(written_behind, ("durable", "read-fresh"), "a call returns before it has written"),
    "timeout-ignored": Fault(timeout_ignored, ("waiting-is-bounded",), "a lock is waited for without end"),
    "timeout-of-threads-ignored": Fault(
        timeout_of_threads_ignored, ("waiting-is-bounded",), "a thread of the own process is waited for without end"
    ),
    "timeout-for-each-wait": Fault(
        timeout_for_each_wait, ("waiting-is-bounded",), "threads and processes are waited for one timeout each"
    ),
    "timeout-answered-with-false": Fault(
        timeout_answered_with_false, ("waiting-is-bounded",), "a write that found no time returns False"
    ),
    "timeout-answered-with-an-empty-session": Fault(
        timeout_answered_with_an_empty_session, ("waiting-is-bounded",), "a read that found no time returns nothing"
    ),
    "lock-that-outlives-its-holder": Fault(
        lock_that_outlives_its_holder, ("waiting-is-bounded",), "a killed holder holds for ever"
    ),
    "litter-left-after-a-failure": Fault(
        litter_left_after_a_failure,
        (),
        "a write that fails leaves its temporary file",
        (f"{FAILING}test_a_failed_flush_is_not_tried_again",),
    ),
    "descriptor-left-open-after-a-failure": Fault(
        descriptor_left_open_after_a_failure,
        (),
        "a write that fails leaves a descriptor open",
        (f"{FAILING}test_a_failed_write_leaves_nothing_open",),
    ),
    "directory-left-open-after-a-failure": Fault(
        directory_left_open_after_a_failure,
        (),
        "a flush of a directory that fails leaves a descriptor open",
        (f"{FAILING}test_a_failed_write_leaves_nothing_open",),
    ),
    "lock-kept-with-its-error": Fault(
        lock_kept_with_its_error,
        (),
        "a lock that the system does not unlock stays held while the error is kept",
        ("tests/store/test_locks.py::test_a_lock_that_the_system_does_not_unlock_is_let_go",),
    ),
    "fsync-tried-again": Fault(
        fsync_tried_again,
        (),
        "a failed flush is tried again, and the second answer is believed",
        (f"{FAILING}test_a_failed_flush_is_not_tried_again",),
    ),
    "doubt-said-to-be-none": Fault(
        doubt_said_to_be_none,
        (),
        "an error after the rename says that nothing was written",
        (f"{FAILING}test_unknown_is_said_exactly_after_the_point_of_no_return",),
    ),
}
