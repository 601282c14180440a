"""The generic store: fresh reads, and one way to write.

1. There is no `save`. A change is a function from session to session, and runs on the newest state.
2. Every error of the storage passes through `on_error`, after the lock has been released, and is then raised.
3. The store itself keeps nothing between two calls: no session, no cache, no lock. What a storage keeps, it proves.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic

from readfresh.errors import SessionStoreError
from readfresh.model import SessionData, now_as_text
from readfresh.names import check_id
from readfresh.storage import Entry, SessionStorage, inside_change

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    S = TypeVar("S", bound=SessionData, default=SessionData)
else:
    from typing import TypeVar

    S = TypeVar("S", bound=SessionData)

logger = logging.getLogger("readfresh")

_here = threading.local()  # .reporting: whether this thread is inside `on_error`


class SessionStore(Generic[S]):
    """Sessions of one class in one place.

    Args:
        storage: where they are kept.
        session_type: their class.
        on_error: called with every `SessionStoreError` before it is raised, and with those that a query reports
            instead of raising; for logs and alerts. It may call the store; it is not told of errors that it causes.
            What it raises itself is logged and goes no further.
        now: the clock, in seconds since the epoch.
    """

    def __init__(
        self,
        storage: SessionStorage[S],
        session_type: type[S],
        *,
        on_error: Callable[[SessionStoreError], object] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._session_type = session_type
        self._on_error = on_error
        self._now = now

    def get_session(self, session_id: str) -> S:
        """Return the session as it is now; an empty one, with `created_at` None, when it does not exist.

        Guarantee: read-fresh. The value is frozen; a later change shows in a later read, not in this value.

        Raises:
            LockTimeout: another worker held it for longer than `lock_timeout`.
            SessionDamaged, SessionTooNew, SessionMismatch: what stands in its place cannot be read as this session.
            SessionMoved: it is in a database now.
            ReadFailed: the system refused.
            StoreMisused: called inside `change`.
        """
        session = self._read(check_id(session_id))
        return self._session_type(session_id) if session is None else session

    def update(self, session_id: str, change: Callable[[S], S]) -> bool:
        """Replace the session by what `change` makes of its newest state, under its lock.

        This is the one way to write: a change is a function, and every verb is one.
        `change` is given the session, an empty one when it does not exist, and returns the session as it is to be;
        `dataclasses.replace` and `with_message` make one.
        Returning the session that it was given leaves everything as it is.
        It runs while the lock is held: it must be quick, and must not call a store.

        Guarantees: no-lost-update, all-or-nothing, durable, nothing-else-changes.

        Returns:
            Whether the session has changed.

        Raises:
            LockTimeout, SessionDamaged, SessionTooNew, SessionMoved, SessionMismatch, WriteFailed, StoreMisused:
                nothing was written.
            OutcomeUnknown: the new state may stand, and may not outlive a loss of power.
            TypeError: `change` is no function, or what it returns is no session of this store's class.
            ValueError: what `change` returns has another id.
            Exception: whatever `change` raises; nothing was written.
        """
        if not callable(change):
            raise TypeError(f"change must be a function, not {type(change).__name__}")

        return self._update(session_id, self._from_empty(session_id, change))

    def delete_session(self, session_id: str) -> bool:
        """Delete the session and all that is known about it, a damaged one too, since it was asked for by name.

        Its lock file stays, empty: deleting it would let two workers hold a lock each.

        Returns:
            True when it was deleted; False when it did not exist.

        Raises:
            LockTimeout, SessionMoved, SessionMismatch, WriteFailed, StoreMisused: nothing was deleted.
            OutcomeUnknown: it is gone, and may be back after a loss of power.
        """
        checked = check_id(session_id)
        with self._reporting():
            return self._storage.delete(checked)

    def session_exists(self, session_id: str) -> bool:
        """Return whether the session exists; a damaged one does.

        Raises:
            SessionMismatch: the file that stands in its place holds a session of another id.
            SessionMoved: it is in a database now.
            ReadFailed: the system refused.
            StoreMisused: called inside `change`.
        """
        checked = check_id(session_id)
        with self._reporting():
            return self._storage.exists(checked)

    def invalidate_cache(self, session_id: str | None = None) -> None:
        """Drop what is cached of one session, or of all. No answer of the store changes by it.

        Guarantee: cache-is-invisible. A store over files keeps what it has read or written, and proves by a look at
        the file that it is fresh (see `readfresh.pins`); this lets go of the memory and of the files that are held
        open for it. PraisonAI's method of the same name did not clear all that its reads used (#1785).
        """
        if session_id is not None:
            check_id(session_id)
        self._storage.forget(session_id)

    def _read(self, session_id: str, *, sees_messages: bool = True) -> S | None:
        with self._reporting():
            return self._storage.read(session_id, sees_messages=sees_messages)

    def _update(
        self,
        session_id: str,
        change: Callable[[S | None], S | None],
        *,
        create: bool = True,
        sees_messages: bool = True,
    ) -> bool:
        def stamped(current: S | None) -> S | None:
            after = change(current)
            if after is None or after is current:
                return None
            self._check(session_id, after)
            return self._stamped(after)

        with self._reporting():
            return self._storage.update(session_id, stamped, create=create, sees_messages=sees_messages)

    def _update_fields(self, session_id: str, change: Callable[[S], S]) -> bool:
        """Do as `update` does, for a `change` that looks at no message and only adds some, or none."""
        return self._update(session_id, self._from_empty(session_id, change), sees_messages=False)

    def _update_existing(self, session_id: str, change: Callable[[S], S], *, sees_messages: bool = True) -> bool:
        """Do as `_update` does, and return False for a session that does not exist."""
        return self._update(
            session_id,
            lambda current: None if current is None else change(current),
            create=False,
            sees_messages=sees_messages,
        )

    def _from_empty(self, session_id: str, change: Callable[[S], S]) -> Callable[[S | None], S | None]:
        """Return `change` for a session that may not exist yet, and is an empty one then."""
        check_id(session_id)

        def changed(current: S | None) -> S | None:
            session = self._session_type(session_id) if current is None else current
            after = change(session)
            if after is None:  # a function that forgot to return has not asked for nothing
                raise TypeError(f"change must return {self._session_type.__name__}, not None")
            return None if after is session else after

        return changed

    def _check(self, session_id: str, after: S) -> None:
        if type(after) is not self._session_type:
            raise TypeError(f"change must return {self._session_type.__name__}, not {type(after).__name__}")
        if after.session_id != session_id:
            raise ValueError(f"change must not rename the session {session_id!r} to {after.session_id!r}")

    def _stamped(self, session: S) -> S:
        now = now_as_text(self._now())
        return dataclasses.replace(session, created_at=session.created_at or now, updated_at=now)

    def _scan(self, *, sees_messages: bool = True) -> Iterator[Entry[S]]:
        with self._reporting():
            yield from self._storage.scan(sees_messages=sees_messages)

    def _report(self, error: SessionStoreError) -> None:
        """Tell `on_error` of an error."""
        if self._on_error is None or getattr(_here, "reporting", False):  # what the hook meets, it meets itself
            return
        _here.reporting = True
        try:
            self._on_error(error)
        except Exception:
            logger.exception("on_error raised while it was told: %s", error)
        finally:
            _here.reporting = False

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except SessionStoreError as error:
            if not inside_change():  # else the update around it reports, when the lock has been released
                self._report(error)
            raise
