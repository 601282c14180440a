"""Sessions in a directory: one JSON file per session, and the only way to change one.

A change is: lock, read, `change`, write a temporary file, fsync it, rename it over the session, fsync the directory,
unlock.

1. Whoever reads or changes a session holds its lock; the lock is entered in `read`, `update`, `delete` and
   `hand_over` only.
2. What is changed is what stands in the file at that moment, never what was read before.
3. The rename is the instant of the change: before it the old state stands, after it the new one.
4. An error before the rename leaves the old state and says so; one after it is `OutcomeUnknown`.
5. One lock at a time: see `storage`; `hand_over` alone waits for another place's while it holds one.
6. The temporary file has one name per session, so what a killed writer left is removed by the next one, and by
   `delete`; nobody touches it without the session's lock.

It assumes that rename is atomic and that flock excludes: a local file system (see the page "Limits").
"""

from __future__ import annotations

import dataclasses
import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Generic
from weakref import WeakKeyDictionary

from readfresh.codec import MOVED, Lines, TooLong, decode, decode_after, encode
from readfresh.disk import STAMP_NS, Disk, HeldLock, NotARegularFile, Stamp, TooLarge, system_disk
from readfresh.errors import (
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SessionDamaged,
    SessionMismatch,
    SessionMoved,
    SessionStoreError,
    SessionTooNew,
    WriteFailed,
)
from readfresh.names import SUFFIX, check_id, file_name, id_of
from readfresh.pins import Pin, Pins
from readfresh.storage import (
    Durability,
    Entry,
    S,
    check_owner,
    decoding,
    refuse_inside_change,
    run_change,
    status_of,
)

TEMPORARY = ".tmp"  # what a session's new state is written to has the session's file name and this

# What opening a lock file for writing answers in a directory that cannot be written.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)

# The session directories whose names this process has flushed, for each disk.
_flushed: WeakKeyDictionary[Disk, set[str]] = WeakKeyDictionary()


class SessionFiles(Generic[S]):
    """The sessions of one directory, read and written as values of `session_type`.

    Args:
        directory: an absolute path; it is created by the first change.
        session_type: the class that reads and writes them.
        lock_timeout: how long to wait for a session's lock, in seconds.
        durability: ``"power"`` flushes every change to the disk; ``"process"`` leaves that to the system.
        max_file_bytes: a larger file is neither read nor written.
        disk: the seam; tests put theirs here.
    """

    def __init__(
        self,
        directory: str,
        session_type: type[S],
        *,
        lock_timeout: float,
        durability: Durability,
        max_file_bytes: int,
        disk: Disk | None = None,
    ) -> None:
        self.directory = directory
        self.session_type = session_type
        self.lock_timeout = lock_timeout
        self.durability = durability
        self.max_file_bytes = max_file_bytes
        self.disk = disk or system_disk()
        self._pins = Pins()
        self._known: dict[str, tuple[Stamp, Entry[S]]] = {}  # by name of file, what its stamp tells from every other

    def read(
        self,
        session_id: str,
        *,
        sees_messages: bool = True,  # noqa: ARG002 - a file is read whole
    ) -> S | None:
        """Return the session as it is now; None when it does not exist.

        A session that does not exist is told so without a lock, and nothing is created.
        In a directory that cannot be written no lock can be taken, and the file is read without one:
        the rename shows it whole all the same.

        Raises:
            StoreMisused, LockTimeout, SessionDamaged, SessionTooNew, SessionMoved, SessionMismatch, ReadFailed:
                nothing was written.
        """
        self._refuse_inside_change(session_id)
        if (kept := self._kept(session_id)) is not None:
            return kept
        if not self._file_stands(session_id, ReadFailed):
            return None
        with ExitStack() as locked:
            try:
                locked.enter_context(self._locked(session_id, ReadFailed))
            except ReadFailed as error:
                if not isinstance(error.__cause__, OSError) or error.__cause__.errno not in _READ_ONLY:
                    raise
                return self._load(session_id, ReadFailed)
            return self._load_and_keep(session_id, ReadFailed)

    def update(
        self,
        session_id: str,
        change: Callable[[S | None], S | None],
        *,
        create: bool = True,
        sees_messages: bool = True,
    ) -> bool:
        """Replace the session by what `change` makes of it, under its lock, on its newest state.

        `change` is given None for a session that does not exist; with `create` False it is not called for one.
        Returning None, or the session that it was given, leaves the file as it is.
        With `sees_messages` False it is given the session without messages and snapshots,
        and those of the result are added at the end.

        Returns:
            Whether the session has changed.

        Raises:
            StoreMisused, LockTimeout, SessionDamaged, SessionTooNew, SessionMoved, SessionMismatch, WriteFailed:
                nothing was written.
            OutcomeUnknown: the new state may stand, and may not outlive a loss of power.
            Exception: whatever `change` raises; nothing was written.
        """
        self._refuse_inside_change(session_id)
        if create:
            self._make_directory(session_id)
        elif not self._file_stands(session_id, WriteFailed):
            return False
        with self._locked(session_id, WriteFailed) as lock:
            current = self._load_and_keep(session_id, WriteFailed)
            if current is None and not create:
                return False
            given = current if sees_messages or current is None else current.without_lists()
            changed = run_change(change, given, session_id, lambda: self.path(session_id))
            if changed is None or changed is given:
                return False
            if current is not None and given is not current:
                changed = changed.after(current)
            self._replace(session_id, self._encoded(session_id, changed.to_lines()), lock, changed)
            return True

    def delete(self, session_id: str, *, only: S | None = None) -> bool:
        """Delete the session, a damaged one too; its lock file stays.

        What a killed writer left of it is deleted too, also where it was killed before the session existed.

        Args:
            session_id: the session.
            only: delete it in this state alone; None in any.

        Returns:
            Whether it was deleted.

        Raises:
            StoreMisused, LockTimeout, SessionMoved, SessionMismatch, WriteFailed: nothing was written.
            OutcomeUnknown: it is gone, and may be back after a loss of power.
        """
        self._refuse_inside_change(session_id)
        with self._failing_as(WriteFailed, session_id):
            if not any(map(self.disk.exists, (self.path(session_id), self._temporary(session_id)))):
                return False
        with self._locked(session_id, WriteFailed) as lock:
            stands = True
            try:
                current = self._load(session_id, WriteFailed)
            except (SessionDamaged, SessionTooNew):
                if only is not None:
                    raise
            else:
                stands = current is not None
                if stands and only is not None and current != only:
                    return False
            self._check_lock(session_id, lock)
            with self._failing_as(WriteFailed, session_id):
                # What a killed writer left holds the session's messages too.
                self._remove_litter(self._temporary(session_id))
                if stands:
                    self.disk.unlink(self.path(session_id))
            self._pins.drop(session_id)
            self._flush_directory(session_id)
            return stands

    def hand_over(self, session_id: str, place: str, copy: Callable[[S | None], None]) -> bool:
        """Mark the session as moved to `place` when `copy` has put it there, all under its lock.

        `copy` is given the newest state, or None when the session does not exist; then nothing is marked.
        It may wait for a lock of the other place, where nobody waits for one of this directory.
        The file keeps what was moved: whoever reads or changes the session here gets `SessionMoved` from now on.

        Returns:
            Whether it was marked.

        Raises:
            StoreMisused, LockTimeout, SessionDamaged, SessionTooNew, SessionMoved, SessionMismatch, WriteFailed:
                nothing was written to the file.
            OutcomeUnknown: it is marked, and may not be after a loss of power.
            Exception: whatever `copy` raises; nothing was written to the file.
        """
        self._refuse_inside_change(session_id)
        with self._locked(session_id, WriteFailed) as lock:
            current = self._load(session_id, WriteFailed)
            copy(current)
            if current is None:
                return False
            self._replace(session_id, self._encoded(session_id, {MOVED: place, **current.to_lines()}), lock)
            return True

    def forget(self, session_id: str | None = None) -> None:
        """Keep nothing of the session, or of all of them, so that the next read looks into the file."""
        self._pins.forget(session_id)

    def exists(self, session_id: str) -> bool:
        """Return whether the session exists, damaged or not. Takes no lock: a rename leaves no moment without a file.

        Raises:
            StoreMisused, SessionMoved, SessionMismatch, ReadFailed: nothing was written.
        """
        self._refuse_inside_change(session_id)
        try:
            return self._load(session_id, ReadFailed) is not None
        except (SessionDamaged, SessionTooNew):
            return True

    def scan(self, *, sees_messages: bool = True) -> Iterator[Entry[S]]:
        """Yield an entry for each file of the directory, in no order.

        Takes no locks, so that one session's writer does not hold up the list of all: each file is read whole, as it
        stood at one instant after the scan began.
        With `sees_messages` False the sessions come without messages and snapshots, and a file that has the stamp of
        the last time is not read again.

        Raises:
            StoreMisused, ReadFailed: nothing was written.
        """
        self._refuse_inside_change(None)
        if not sees_messages:
            yield from self._listed()
            return
        for name in self._names():
            if (entry := self._entry(name)) is not None:
                yield entry

    def count(self) -> int:
        """Return how many files of sessions there are, whatever is in them; raises as `scan` does."""
        return len(self._names())

    def litter(self) -> list[str]:
        """Return the sessions that do not exist and of which a killed writer left its temporary file.

        A file whose name does not tell the id is given by that name. Takes no locks; raises as `scan` does.
        """
        self._refuse_inside_change(None)
        with self._failing_as(ReadFailed, None):
            names = set(self.disk.names(self.directory))
        left = {name.removesuffix(TEMPORARY) for name in names if name.endswith(SUFFIX + TEMPORARY)}
        return sorted(id_of(file, self.disk.reserved_names) or file for file in left - names)

    def raw(self, session_id: str) -> bytes | None:
        """Return the bytes of the session's file, whatever they are; None when there is none. Takes no lock.

        Raises:
            SessionDamaged: what stands there is no regular file, or larger than `max_file_bytes`.
            StoreMisused, ReadFailed: nothing was written.
        """
        self._refuse_inside_change(session_id)
        return self._bytes(self.path(session_id), session_id, ReadFailed)

    def path(self, session_id: str) -> str:
        """Return the path of the session's file."""
        return os.path.join(self.directory, file_name(session_id, self.disk.reserved_names))

    def _temporary(self, session_id: str) -> str:
        # Beside the target: rename is atomic only within one file system.
        return self.path(session_id) + TEMPORARY

    def _names(self) -> list[str]:
        with self._failing_as(ReadFailed, None):
            return [name for name in self.disk.names(self.directory) if name.endswith(SUFFIX)]

    def _kept(self, session_id: str) -> S | None:
        """Return what is kept of the session, when the file in its place is the one that it was read from."""
        pin = self._pins.get(session_id)
        if pin is None or self.disk.version(self.path(session_id)) != pin.version:
            return None
        kept: S | None = pin.session
        pin.used()
        return kept

    def _load_and_keep(self, session_id: str, kind: type[SessionStoreError]) -> S | None:
        """Return the session, whose lock is held: what is kept of it, or else what its file holds, which is kept."""
        if (kept := self._kept(session_id)) is not None:
            return kept
        path = self.path(session_id)
        pin = self.disk.pin(path)
        try:
            session = self._load(session_id, kind)
            self._pins.drop(session_id)
            # A program that takes no lock may have put another file there between the two.
            if session is not None and pin is not None and self.disk.version(path) == pin.version:
                self._pins.keep(session_id, pin, session)
            return session
        finally:
            if pin is not None and pin.session is None:
                pin.close()

    def _load(self, session_id: str, kind: type[SessionStoreError]) -> S | None:
        path = self.path(session_id)
        raw = self._bytes(path, session_id, kind)
        if raw is None:
            return None
        session = self._grown(raw, session_id, path) or self._session(raw, session_id, path)
        check_owner(session, session_id, path, "file")
        return session

    def _grown(self, raw: bytes, session_id: str, path: str) -> S | None:
        """Return the session in `raw`, when its messages begin with those that are kept; None when they do not."""
        pin = self._pins.get(session_id)
        earlier: S | None = None if pin is None else pin.session
        rest = None if earlier is None else decode_after(raw, Lines(earlier.messages))
        if earlier is None or rest is None:
            return None
        with decoding(session_id, path):
            new = self.session_type.from_dict(rest)
        return dataclasses.replace(new, messages=earlier.messages + new.messages)

    def _bytes(self, path: str, session_id: str, kind: type[SessionStoreError]) -> bytes | None:
        try:
            with self._failing_as(kind, session_id, path):
                return self.disk.read(path, self.max_file_bytes)
        except kind as error:
            if isinstance(error.__cause__, NotARegularFile | TooLarge):
                raise SessionDamaged(str(error.__cause__.strerror), session_id=session_id, path=path) from error
            raise

    def _session(self, raw: bytes, session_id: str, path: str) -> S:
        with decoding(session_id, path):
            session = self.session_type.from_dict(decode(raw))
            check_id(session.session_id, "its session_id")
        return session

    def _encoded(self, session_id: str, session: Mapping[str, Any]) -> bytes:
        try:
            return encode(session, self.max_file_bytes)
        except TooLong:
            raise WriteFailed(
                f"it would have more bytes than it may, and max_file_bytes is {self.max_file_bytes}",
                session_id=session_id,
                path=self.path(session_id),
                next_step="Shorten the session, or give the store a larger max_file_bytes.",
            ) from None

    def _replace(self, session_id: str, data: bytes, lock: HeldLock, keeps: S | None = None) -> None:
        """Let `data` take the session's place, and keep the session that it is of, where it is given."""
        path = self.path(session_id)
        temporary = self._temporary(session_id)
        pin: Pin | None = None
        try:
            with self._failing_as(WriteFailed, session_id):
                self._remove_litter(temporary)
                descriptor = self.disk.create(temporary)
                try:
                    try:
                        self.disk.write(descriptor, data)
                        if self.durability == "power":
                            self.disk.fsync(descriptor)
                    finally:
                        self.disk.close(descriptor)
                    self._check_lock(session_id, lock)
                    if keeps is not None:
                        pin = self.disk.pin(temporary)
                    self.disk.replace(temporary, path)
                except BaseException:
                    with suppress(OSError):  # the error that led here says more; the next writer tries again
                        self._remove_litter(temporary)
                    raise
            self._pins.drop(session_id)
            self._flush_directory(session_id)
            if pin is not None:
                self._pins.keep(session_id, pin, keeps)
        finally:
            if pin is not None and pin.session is None:
                pin.close()

    def _check_lock(self, session_id: str, lock: HeldLock) -> None:
        with self._failing_as(WriteFailed, session_id):
            stands = lock.still_stands()
        if not stands:
            raise WriteFailed(
                "its lock file was deleted while it was held",
                session_id=session_id,
                path=self.path(session_id),
                next_step="Stop whatever deletes lock files, and retry.",
            )

    def _remove_litter(self, temporary: str) -> None:
        if self.disk.exists(temporary):
            self.disk.unlink(temporary)

    def _flush_directory(self, session_id: str) -> None:
        if self.durability != "power":
            return
        try:
            self.disk.sync_directory(self.directory)
        except OSError as error:
            raise OutcomeUnknown(
                f"the directory could not be flushed: {error}", session_id=session_id, path=self.path(session_id)
            ) from error

    def _make_directory(self, session_id: str) -> None:
        with self._failing_as(WriteFailed, session_id):
            created = self.disk.make_directory(self.directory)
            flushed = _flushed.setdefault(self.disk, set())
            if self.durability == "power" and (created or self.directory not in flushed):
                self._flush_names_above(created)
                flushed.add(self.directory)

    def _flush_names_above(self, parents_of_created: list[str]) -> None:
        """Flush the names of the directories that lead to the sessions, once in this process for each directory.

        Those that stood already too: another worker may have created them and have died before it flushed them,
        or not have come to that yet.
        """
        for parent in map(str, Path(self.directory).parents):
            try:
                self.disk.sync_directory(parent)
            except OSError as error:
                # What we may not open was created by none of our workers: they create it private and their own.
                if parent in parents_of_created or error.errno not in (*_READ_ONLY, errno.EINVAL):
                    raise

    def _entry(self, name: str) -> Entry[S] | None:
        path = os.path.join(self.directory, name)
        session_id = id_of(name, self.disk.reserved_names) or name
        try:
            raw = self._bytes(path, session_id, ReadFailed)
            if raw is None:  # deleted since the directory was listed
                return None
            session = self._session(raw, session_id, path)
        except (ReadFailed, SessionTooNew, SessionMoved, SessionDamaged) as error:
            return Entry(name, session_id, status_of(error), None, None, error)
        if file_name(session.session_id, self.disk.reserved_names) == name:
            return Entry(name, session.session_id, "ok", session, len(session.messages), None)
        mismatch = SessionMismatch(
            f"the file {name!r} holds the session {session.session_id!r}, whose place is another",
            session_id=session.session_id,
            path=path,
            next_step="Import it under an id of your choice.",
        )
        return Entry(name, session.session_id, "foreign", session, len(session.messages), mismatch)

    def _listed(self) -> Iterator[Entry[S]]:
        newest = time.time_ns() - STAMP_NS
        known: dict[str, tuple[Stamp, Entry[S]]] = {}
        for name in self._names():
            # Before the file is read: after it, the stamp may be a later one's.
            stamp = self.disk.stamp(f"{self.directory}{os.sep}{name}")
            found = self._known.get(name)
            if found is None or found[0] != stamp:
                entry = self._entry(name)
                if entry is None:
                    continue
                if entry.session is not None:
                    entry = dataclasses.replace(entry, session=entry.session.without_lists(), whole=False)
                if entry.status != "ok" or stamp is None or stamp[0] >= newest:
                    yield entry
                    continue
                found = stamp, entry
            known[name] = found
            yield found[1]
        self._known = known

    @contextmanager
    def _locked(self, session_id: str, kind: type[SessionStoreError]) -> Iterator[HeldLock]:
        """Hold the session's lock; what the block raises is passed on as it is.

        A lock that cannot be released is free all the same once its descriptor is closed or the process ends.
        What the block did stands, so an error then is `OutcomeUnknown` for a writer.
        """
        path = self.path(session_id)
        lock = self.disk.lock(path + ".lock", self.lock_timeout)
        try:
            held = lock.__enter__()
        except TimeoutError as error:
            raise LockTimeout(str(error), session_id=session_id, path=path) from None
        except OSError as error:
            raise kind(f"its lock cannot be taken: {error}", session_id=session_id, path=path) from error
        try:
            try:
                yield held
            except BaseException:
                with suppress(OSError):  # the error that led here says more
                    lock.__exit__(None, None, None)
                raise
            try:
                lock.__exit__(None, None, None)
            except OSError as error:
                unknown = OutcomeUnknown if kind is WriteFailed else kind
                raise unknown(f"its lock cannot be released: {error}", session_id=session_id, path=path) from error
        finally:
            self._pins.close_dropped(session_id)

    def _file_stands(self, session_id: str, kind: type[SessionStoreError]) -> bool:
        with self._failing_as(kind, session_id):
            return self.disk.exists(self.path(session_id))

    @contextmanager
    def _failing_as(
        self, kind: type[SessionStoreError], session_id: str | None, path: str | None = None
    ) -> Iterator[None]:
        """Turn what the operating system refuses into an error that names the session and its path."""
        try:
            yield
        except OSError as error:
            if path is None:
                path = self.directory if session_id is None else self.path(session_id)
            raise kind(str(error), session_id=session_id, path=path) from error

    def _refuse_inside_change(self, session_id: str | None) -> None:
        refuse_inside_change(session_id, lambda: self.path(session_id or ""))
