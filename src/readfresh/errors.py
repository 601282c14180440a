"""What can go wrong, in the order in which it occurs, and what to do next.

Every error of a store is a `SessionStoreError`.
It carries the session, the path, the cause, what has been written, and the next step; its text says all five.

1. An error with ``written == "nothing"`` left the session byte for byte as it was.
2. An error with ``written == "unknown"`` came after the point of no return: read before you retry.
3. A wrong argument is no `SessionStoreError`: it raises `TypeError` or `ValueError` that names the argument.
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "LockTimeout",
    "OutcomeUnknown",
    "ReadFailed",
    "SchemaMismatch",
    "SessionDamaged",
    "SessionExists",
    "SessionMismatch",
    "SessionMoved",
    "SessionNotFound",
    "SessionStoreError",
    "SessionTooNew",
    "StoreMisused",
    "WriteFailed",
]


class SessionStoreError(Exception):
    """The base of every error that a store raises.

    Attributes:
        session_id: the session that was asked for; None when the call named none.
        path: the session's file, or the database and its name there; None when there is none.
        cause: what happened, as one clause.
        written: ``"nothing"`` when the session is as it was, ``"unknown"`` when the change may stand.
        next_step: what the caller can do about it.
    """

    written: ClassVar[Literal["nothing", "unknown"]] = "nothing"
    default_next_step: ClassVar[str] = "Read the cause."

    def __init__(
        self,
        cause: str,
        *,
        session_id: str | None = None,
        path: str | None = None,
        next_step: str | None = None,
    ) -> None:
        self.cause = cause
        self.session_id = session_id
        self.path = path
        self.next_step = next_step or self.default_next_step
        super().__init__(cause)

    def __str__(self) -> str:
        what = "The session store" if self.session_id is None else f"Session {self.session_id!r}"
        where = f" ({self.path})" if self.path else ""
        known = "Nothing was written." if self.written == "nothing" else "Whether it was written is unknown."
        said = f"{what}{where}: {self.cause}. {known} {self.next_step}"
        # A path may hold bytes that are no UTF-8, and an error that cannot be logged is lost.
        return said.encode(errors="backslashreplace").decode()


class StoreMisused(SessionStoreError):
    """A store or a bot was called where it cannot be.

    Inside `change`, by a child that was forked there or in the middle of a call to SQLite, or by a bot's agent for the
    user that it is answering.
    """

    default_next_step = "Return from `change` first; read what it needs before the update."


class SchemaMismatch(SessionStoreError):
    """The database has no tables of readfresh's, or those of another version."""

    default_next_step = "Call create_schema() on the DbSessionAdapter once, when you deploy."


class LockTimeout(SessionStoreError):
    """Another worker held the session's lock for longer than `lock_timeout` seconds.

    Retrying is right.
    """

    default_next_step = "Retry, or give the store a longer lock_timeout."


class SessionDamaged(SessionStoreError):
    """The file is there and is no session; its bytes stay as they are (guarantee: damage-is-kept)."""

    default_next_step = "See what can be read with readfresh.rescue(store, session_id)."


class SessionTooNew(SessionStoreError):
    """The file was written by a newer readfresh, whose fields this one does not know how to keep."""

    default_next_step = "Upgrade readfresh."


class SessionMoved(SessionStoreError):
    """The session has been moved to a database, and the file that is left says where it is."""

    default_next_step = "Use it there, through a DbSessionAdapter."


class SessionMismatch(SessionStoreError):
    """The file that stands where this session belongs holds a session of another id (guarantee: ids-are-apart)."""

    default_next_step = "Choose another id, or move the file that stands in its place."


class SessionNotFound(SessionStoreError):
    """A fork, a snapshot, a child, an export or a rescue was asked of a session that does not exist."""

    default_next_step = "Check the id; list_sessions() gives those that exist."


class SessionExists(SessionStoreError):
    """A session was to be created, imported or rescued under an id that is taken."""

    default_next_step = "Choose another id, or leave it out to get a new one."


class ReadFailed(SessionStoreError):
    """The operating system, or the database, refused to read the session; what it holds is not known."""

    default_next_step = "Mend what the cause names and read again."


class WriteFailed(SessionStoreError):
    """The change could not be written; the old state stands and retrying is right once the cause is mended."""

    default_next_step = "Mend what the cause names and retry."


class OutcomeUnknown(SessionStoreError):
    """The change was put in place, and what makes it outlive a loss of power failed.

    The new state may stand, and may be gone after a crash. Of a database: the commit failed, and nobody knows how far.
    A failed fsync is not retried: the kernel may have dropped the pages (PostgreSQL's "fsyncgate" of 2018).
    """

    written = "unknown"
    default_next_step = "Read the session before you retry."
