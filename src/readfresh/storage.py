"""The contract between the stores and the places where sessions are kept: files in a directory, rows in a database.

1. `change` runs on the newest state, while nobody else can change the session.
2. One session at a time: `change` must not call a store, of any session.
3. An error says whether anything was written; where none is raised, the change stands.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeVar

from readfresh.codec import Moved, NotASession, TooNew
from readfresh.errors import (
    ReadFailed,
    SessionDamaged,
    SessionMismatch,
    SessionMoved,
    SessionStoreError,
    SessionTooNew,
    StoreMisused,
)
from readfresh.model import SessionData, seconds_of

S = TypeVar("S", bound=SessionData)

Durability = Literal["power", "process"]
Status = Literal["ok", "damaged", "foreign", "moved", "too-new", "unreadable"]

_here = threading.local()  # .changing: whether this thread is inside `change`


@dataclass(frozen=True)
class Entry(Generic[S]):
    """One session, as `SessionStorage.scan` finds it.

    Args:
        file: the name of its file, or of its row.
        session_id: the id in the file; where that cannot be read, the id that the name is made of, else the name.
        status: ``ok``; ``damaged``; ``moved``; ``too-new``; ``unreadable``, when the system refuses to read it;
            or ``foreign``, when name and id do not belong together.
        session: what is known about it, None when that cannot be read.
        message_count: how many messages it has; None when that cannot be read.
        error: why it cannot be read, or does not belong here; None when it is ok.
        whole: whether its messages and snapshots have been looked at; a database leaves them out.
    """

    file: str
    session_id: str
    status: Status
    session: S | None
    message_count: int | None
    error: SessionStoreError | None
    whole: bool = True

    @cached_property
    def changed_at(self) -> float:
        """When it was changed last, as `seconds_of` gives it."""
        return seconds_of(None if self.session is None else self.session.updated_at)


class SessionStorage(Protocol[S]):
    """What a store needs of the place where sessions are kept."""

    def read(self, session_id: str, *, sees_messages: bool = True) -> S | None:
        """Return the session as it is now; None when it does not exist.

        With `sees_messages` False the storage may leave out its messages and snapshots.
        """

    def update(
        self,
        session_id: str,
        change: Callable[[S | None], S | None],
        *,
        create: bool = True,
        sees_messages: bool = True,
    ) -> bool:
        """Replace the session by what `change` makes of its newest state; return whether it has changed.

        `change` is given None for a session that does not exist; with `create` False it is not called for one.
        Returning None, or the session that it was given, leaves all as it is.
        With `sees_messages` False, `change` looks at no message and no snapshot and takes none away:
        the storage may give it the session without them, and adds those that are in the result at the end.
        So the cost of adding one does not have to grow with the session.
        """

    def delete(self, session_id: str, *, only: S | None = None) -> bool:
        """Delete the session, if it is in the state `only` where that is given; return whether it was deleted."""

    def exists(self, session_id: str) -> bool:
        """Return whether the session exists, damaged or not."""

    def scan(self, *, sees_messages: bool = True) -> Iterator[Entry[S]]:
        """Yield every session, in no order, those that cannot be read included.

        With `sees_messages` False the sessions may come without messages and snapshots.
        """

    def count(self) -> int:
        """Return how many sessions there are, those that cannot be read included."""

    def forget(self, session_id: str | None = None) -> None:
        """Drop what is kept in memory of the session, or of all; no answer changes by it."""

    def litter(self) -> list[str]:
        """Return the sessions that do not exist and of which something is left that `delete` removes, in order."""

    def raw(self, session_id: str) -> bytes | None:
        """Return the session's bytes as they are kept, damaged or not; None when it does not exist."""

    def path(self, session_id: str) -> str:
        """Return what an error calls the place of the session."""


class StorageProvider(Protocol):
    """A place that keeps sessions of any class.

    Attributes:
        place: what people call it.
        lock_timeout: how long a change waits for a session, in seconds.
        durability: what a change that has returned outlives.
    """

    place: str
    lock_timeout: float
    durability: Durability

    def storage_for(self, session_type: type[S]) -> SessionStorage[S]:
        """Return the storage of the sessions of a class; storages of one place share their sessions."""


def run_change(
    change: Callable[[S | None], S | None], current: S | None, session_id: str, path: Callable[[], str]
) -> S | None:
    """Return what `change` makes of a session, with every store refused until it has returned.

    Raises:
        StoreMisused: the process was forked inside `change`, and this is the child.
        Exception: whatever `change` raises.
    """
    process = os.getpid()
    _here.changing = True
    try:
        changed = change(current)
    except SessionStoreError as error:
        error.path = error.path or path()
        raise
    finally:
        _here.changing = False
    if os.getpid() != process:
        raise StoreMisused(
            "this process was forked inside `change`, and its parent holds the lock",
            session_id=session_id,
            path=path(),
            next_step="Fork before the update or after it, not inside `change`.",
        )
    return changed


def inside_change() -> bool:
    """Return whether this thread is inside a `change`, and so holds a lock."""
    return getattr(_here, "changing", False)


def refuse_inside_change(session_id: str | None, path: Callable[[], str]) -> None:
    """Raise `StoreMisused` when this thread is inside a `change`."""
    if inside_change():
        raise StoreMisused(
            "a store was called inside `change`",
            session_id=session_id,
            path=None if session_id is None else path(),
        )


@contextmanager
def decoding(session_id: str, path: str) -> Iterator[None]:
    """Turn what the codec and the model refuse into an error that names the session and its place."""
    try:
        yield
    except TooNew as error:
        raise SessionTooNew(str(error), session_id=session_id, path=path) from error
    except Moved as error:
        raise SessionMoved(str(error), session_id=session_id, path=path) from error
    except (NotASession, TypeError, ValueError) as error:
        raise SessionDamaged(str(error), session_id=session_id, path=path) from error


def check_owner(session: SessionData, session_id: str, path: str, kind: Literal["file", "row"]) -> None:
    """Raise `SessionMismatch` when what stands in a session's place has another id (guarantee: ids-are-apart)."""
    if session.session_id != session_id:
        raise SessionMismatch(
            f"the {kind} holds the session {session.session_id!r}",
            session_id=session_id,
            path=path,
            next_step=f"Choose another id, or move the {kind} that stands in its place.",
        )


def status_of(error: SessionStoreError) -> Status:
    """Return the status of a session that cannot be read for this reason."""
    if isinstance(error, ReadFailed):
        return "unreadable"
    if isinstance(error, SessionMoved):
        return "moved"
    return "too-new" if isinstance(error, SessionTooNew) else "damaged"
