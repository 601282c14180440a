"""`DbSessionAdapter`: chat sessions in SQLite or PostgreSQL, with the verbs and guarantees of the stores over files.

A session is a row, each of its messages and snapshots is a row.
A change is one transaction: lock the session's row, read, `change`, write what differs, commit.

1. A read is one statement, and so sees the session at one instant. It takes no lock.
2. What is changed is what stands in the rows at that moment, never what was read before.
3. The commit is the instant of the change. What fails before it is undone; a commit that fails is `OutcomeUnknown`,
   unless the database says that it has undone it.
4. What the database gave up (a deadlock, a serialization failure, a lost connection) is done again from the start,
   until `lock_timeout` has passed: `change` may be called more than once, and counts once.
5. Adding a message writes its row and that of the session, and looks at no other message. So it is added, too, where
   another one is damaged: reading that session raises `SessionDamaged` before and after, and no byte of the damaged row
   has changed.
6. A transaction belongs to the process that began it: a forked child never touches its parent's connection.
7. The first statement of every call gives the version of the tables too, and a migration waits for the changes
   under way.

What makes it fast takes nothing from that: statements are built once, at the import, and SQLAlchemy compiles each once;
an append is one look at the session's row, an INSERT and an UPDATE; and connections are kept (see `dialects`).

It assumes that the database keeps what it has committed: fsync on, a local disk for SQLite (see the page "Limits").
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from readfresh.chat import ChatStore, random_id
from readfresh.codec import SCHEMA_VERSION, NotASession, decode, decode_object, encode_object
from readfresh.default import LOCK_TIMEOUT, durability_of, seconds
from readfresh.dialects import BUSY_SECONDS, Dialect, dialect_of
from readfresh.errors import (
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SchemaMismatch,
    SessionDamaged,
    SessionMismatch,
    SessionStoreError,
    SessionTooNew,
    StoreMisused,
    WriteFailed,
)
from readfresh.model import SessionData
from readfresh.names import SUFFIX, check_id, file_name, id_of
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

__all__ = ["DbSessionAdapter"]

T = TypeVar("T")

# What a migration makes is frozen: a later version of readfresh adds one, and never edits one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE readfresh_sessions (
            key {key_type},
            name TEXT NOT NULL UNIQUE,
            fields TEXT NOT NULL,
            message_count BIGINT NOT NULL,
            next_position BIGINT NOT NULL
        )""",
        """CREATE TABLE readfresh_messages (
            session BIGINT NOT NULL REFERENCES readfresh_sessions (key),
            position BIGINT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (session, position)
        )""",
        """CREATE TABLE readfresh_snapshots (
            session BIGINT NOT NULL REFERENCES readfresh_sessions (key),
            position BIGINT NOT NULL,
            body TEXT NOT NULL,
            PRIMARY KEY (session, position)
        )""",
    ),
)

_metadata = sa.MetaData()
_schema = sa.Table("readfresh_schema", _metadata, sa.Column("version", sa.Integer))
_sessions = sa.Table(
    "readfresh_sessions",
    _metadata,
    sa.Column("key", sa.BigInteger, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("fields", sa.Text),
    sa.Column("message_count", sa.BigInteger),
    sa.Column("next_position", sa.BigInteger),
)
_messages, _snapshots = (
    sa.Table(
        name,
        _metadata,
        sa.Column("session", sa.BigInteger),
        sa.Column("position", sa.BigInteger),
        sa.Column("body", sa.Text),
    )
    for name in ("readfresh_messages", "readfresh_snapshots")
)
_LISTS = {"messages": _messages, "snapshots": _snapshots}  # the fields that are rows of their own

# Each is built once: that costs more than to execute it.
_VERSION = sa.select(_schema.c.version)
_version = _VERSION.scalar_subquery().label("version")  # as a column: one statement sees the rows and their version
_named = _sessions.c.name == sa.bindparam("name")
_FIELDS = sa.select(
    sa.literal_column("'fields'").label("part"),
    sa.literal_column("0").label("position"),
    _sessions.c.fields.label("body"),
    _version,
).where(_named)
_WHOLE = sa.union_all(
    _FIELDS,
    *(
        sa.select(sa.literal_column(f"'{part}'"), table.c.position, table.c.body, sa.literal_column("0"))
        .join_from(table, _sessions, table.c.session == _sessions.c.key)
        .where(_named)
        for part, table in _LISTS.items()
    ),
).order_by("part", "position")
_LOCKED = (
    sa.select(_sessions.c.key, _sessions.c.next_position, _sessions.c.fields, _version).where(_named).with_for_update()
)
_ALL = sa.select(_sessions.c.name, _sessions.c.fields, _sessions.c.message_count, _version)
_COUNT = sa.select(sa.func.count().label("count"), _version).select_from(_sessions)
_INSERT = {part: sa.insert(table) for part, table in _LISTS.items()}
_ADD, _REPLACE = (
    sa.update(_sessions)
    .where(_sessions.c.key == sa.bindparam("of"))
    .values(fields=sa.bindparam("new_fields"), message_count=count, next_position=sa.bindparam("next"))
    for count in (_sessions.c.message_count + sa.bindparam("count"), sa.bindparam("count"))
)

_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_torn: set[str | None] = set()  # what this process was forked in the middle of using, and cannot use


class DbSessionAdapter(ChatStore[SessionData]):
    """Chat sessions in a database, shared by any number of threads, processes and machines.

    Verbs and guarantees are those of `DefaultSessionStore`. Any method may be called from any thread.
    `HierarchicalSessionStore(storage=adapter)` has forks, snapshots and trees over the same sessions.
    Call `create_schema` once, when you deploy, before the first use.

    A forked child uses it as its parent does. Over SQLite alone, where a thread of the parent was in the middle of a
    call, the child cannot use that file, and every call raises `StoreMisused`.

    Args:
        url: ``sqlite:///chats.db`` for one machine, ``postgresql+psycopg://user@host/name`` for many.
        max_messages: how many messages `add_message` and `set_chat_history` leave in a session, the newest.
            None, the default, drops nothing, and adds a message without looking at the others.
        lock_timeout: how long a change waits for a session, for a connection, and for a database that is restarting,
            in seconds. Reads of a session that is being changed do not wait.
        durability: ``"power"``: a change that has returned outlives the loss of power on the database's machine.
            ``"process"``: it outlives the death of its own process, and a crash of the server may take it, whole.
        on_error: called with every `SessionStoreError` before it is raised, and with those that a query reports
            instead of raising; for logs and alerts.
        now: the clock, in seconds since the epoch.
        new_id: makes the ids that the store gives itself, each a new one.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
        ModuleNotFoundError: a package is missing; the message names the extra.
    """

    session_type = SessionData

    def __init__(
        self,
        url: str,
        max_messages: int | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
        durability: Durability = "power",
        *,
        on_error: Callable[[SessionStoreError], object] | None = None,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self.lock_timeout = seconds(lock_timeout, "lock_timeout")
        self.durability = durability_of(durability)
        self._database = Database(url, self.lock_timeout, self.durability)
        self._place = self.place = self._database.place
        super().__init__(
            self.storage_for(self.session_type),
            self.session_type,
            max_messages=max_messages,
            on_error=on_error,
            now=now,
            new_id=new_id,
        )

    def create_schema(self) -> bool:
        """Make the tables, or bring those of an older readfresh to this version; keep what is in them.

        Any number of processes may call it at once, and again: one makes them, in one transaction.
        For SQLite it creates the file, private, and its directory has to exist; a copy gets back its write-ahead log.

        Returns:
            True when something was made; False when all was there.

        Raises:
            SchemaMismatch: the tables are of a newer readfresh.
            LockTimeout, WriteFailed: nothing was made.
            OutcomeUnknown: whether it was made is not known; call it again.
        """
        with self._reporting():
            return self._database.create_schema()

    def storage_for(self, session_type: type[S]) -> SessionRows[S]:
        """Return the storage of the sessions of a class, for a store over this database."""
        return SessionRows(self._database, session_type)

    def close(self) -> None:
        """Close the connections that are idle. The adapter may be used again, and opens new ones then."""
        self._database.close()


class Database:
    """One database: its engines, its tables, and the way to ask it again."""

    def __init__(self, url: str, lock_timeout: float, durability: Durability) -> None:
        self._made_of = (url, lock_timeout, durability)
        self.lock_timeout = lock_timeout
        self.dialect: Dialect = dialect_of(url, lock_timeout, durability)
        self.place = self.dialect.place
        self._calls: set[object] = set()  # those under way, in any thread
        self._process = os.getpid()
        _databases.add(self)
        weakref.finalize(self, self.dialect.close)  # whoever drops an adapter leaves no connection behind

    def __reduce__(self) -> tuple[object, ...]:
        return Database, self._made_of

    def close(self) -> None:
        """Close the connections that are idle."""
        self.dialect.close()

    def leave_to_the_parent(self) -> None:
        """Forget the connections that this process has inherited, without closing them."""
        self._process = os.getpid()
        has_locks = self.dialect.forget()
        if (self._calls or has_locks) and self.dialect.torn_by_fork:
            _torn.add(self.dialect.torn_by_fork)

    def create_schema(self) -> bool:
        """Make the tables or migrate them; return whether anything was made."""

        def attempt(deadline: float) -> bool:
            if self._is_current():  # a worker that calls it at its start waits for nobody's change
                return False
            try:
                self.dialect.before_tables()
            except OSError as error:
                raise WriteFailed(str(error), path=self.place) from error
            with self._transaction(self.dialect.makers, deadline, None, self.place) as connection:
                return self._make_tables(connection)

        return self._asking_again(attempt, None, self.place, WriteFailed, asks_a_busy_one=True)

    def look(self, query: Any, name: str | None, session_id: str | None, path: str) -> list[Any]:
        """Return the rows of one statement about a row, or all, which sees the database at one instant.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, ReadFailed: nothing was written.
        """

        def attempt(_deadline: float) -> list[Any]:
            with self.dialect.connected(self.dialect.readers) as connection:
                rows = self.dialect.execute(connection, query, {"name": name})
                self.check_schema(connection, rows)
                return rows

        return self._asking_again(attempt, session_id, path, ReadFailed, asks_a_busy_one=True)

    def change(self, work: Callable[[sa.Connection, float], bool], session_id: str, path: str) -> bool:
        """Return whether `work` has changed something: in one transaction, which has been committed then.

        It begins with a look at the session's row, and calls `check_schema` with what that has given.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, WriteFailed: nothing was written.
            OutcomeUnknown: the commit failed.
            Exception: whatever `change` raises; nothing was written.
        """

        def attempt(deadline: float) -> bool:
            with self._transaction(self.dialect.writers, deadline, session_id, path) as connection:
                if not work(connection, deadline):
                    raise _Nothing
            return True

        try:
            return self._asking_again(attempt, session_id, path, WriteFailed)
        except _Nothing:
            return False
        except _Raised as raised:
            error = raised.error
        raise error

    @contextmanager
    def _transaction(
        self, engine: sa.Engine, deadline: float, session_id: str | None, path: str
    ) -> Iterator[sa.Connection]:
        process = os.getpid()
        with self.dialect.connected(engine) as connection:
            transaction = connection.begin()
            try:
                self.dialect.begin(connection, max(deadline - time.monotonic(), 0.0))
                yield connection
            except BaseException:
                if os.getpid() == process:
                    try:
                        transaction.rollback()
                    except sa.exc.SQLAlchemyError:  # the error that led here says more
                        connection.invalidate()
                raise
            try:
                transaction.commit()
            except DBAPIError as error:
                if self.dialect.verdict(error) in ("busy", "undone"):
                    raise
                raise OutcomeUnknown(f"the commit failed: {_said(error)}", session_id=session_id, path=path) from error

    def _asking_again(
        self,
        attempt: Callable[[float], T],
        session_id: str | None,
        path: str,
        kind: type[SessionStoreError],
        *,
        asks_a_busy_one: bool = False,
    ) -> T:
        deadline = time.monotonic() + self.lock_timeout
        while True:
            try:
                with self._call(session_id, path):
                    return attempt(deadline)
            except PoolTimeout as error:
                raise LockTimeout(
                    f"no connection became free within {self.lock_timeout} seconds", session_id=session_id, path=path
                ) from error
            except DBAPIError as error:
                verdict = self.dialect.verdict(error)
                pause = PAUSE_SECONDS if verdict in ("undone", "lost") else BUSY_SECONDS
                again = verdict in ("undone", "lost") or (asks_a_busy_one and verdict == "busy")
                if again and deadline - time.monotonic() > pause:
                    # A server that restarts refuses at once, and is not to be asked a thousand times a second.
                    threading.Event().wait(pause)
                    continue
                if verdict == "no schema":
                    self._refuse_another_version()
                raise self._named(error, verdict, session_id, path, kind) from error
            # None that we know of, and what a driver raises by itself; named all the same.
            except (sa.exc.SQLAlchemyError, UnicodeError, OverflowError) as error:
                raise kind(f"{type(error).__name__}: {error}", session_id=session_id, path=path) from error

    @contextmanager
    def _call(self, session_id: str | None, path: str) -> Iterator[None]:
        """Let a fork know that a call is under way."""
        if self._process != os.getpid():  # a fork of another language's has told nobody
            self.leave_to_the_parent()
        if self.dialect.torn_by_fork in _torn:
            raise StoreMisused(
                "this process was forked while a thread of its parent used the SQLite file, whose locks cannot be told "
                "from the parent's here",
                session_id=session_id,
                path=path,
                next_step="Fork between two calls, or start the process by spawn.",
            )
        call = object()
        self._calls.add(call)
        try:
            yield
        finally:
            self._calls.discard(call)

    def _named(
        self, error: DBAPIError, verdict: str, session_id: str | None, path: str, kind: type[SessionStoreError]
    ) -> SessionStoreError:
        if verdict == "busy":
            return LockTimeout(
                f"another worker held it for longer than {self.lock_timeout} seconds", session_id=session_id, path=path
            )
        if verdict == "no schema":
            return SchemaMismatch("the database has no tables of readfresh's", session_id=session_id, path=self.place)
        return kind(_said(error), session_id=session_id, path=path)

    def _make_tables(self, connection: sa.Connection) -> bool:
        self.dialect.lock_tables(connection)
        version = None
        if sa.inspect(connection).has_table(_schema.name):
            version = connection.execute(_VERSION).scalar()
            if version == len(MIGRATIONS):
                return False
            self._refuse_newer(version or 0)
            self.dialect.stop_changes(connection)
        else:
            connection.execute(sa.text("CREATE TABLE readfresh_schema (version INTEGER NOT NULL)"))
        if version is None:
            connection.execute(sa.insert(_schema).values(version=0))
        for statements in MIGRATIONS[version or 0 :]:
            for statement in statements:
                connection.execute(sa.text(statement.format(key_type=self.dialect.key_type)))
        connection.execute(sa.update(_schema).values(version=len(MIGRATIONS)))
        return True

    def _is_current(self) -> bool:
        try:
            with self.dialect.connected(self.dialect.readers) as connection:
                version = connection.execute(_VERSION).scalar()
                return version == len(MIGRATIONS) and self.dialect.is_prepared(connection)
        except DBAPIError as error:
            if self.dialect.verdict(error) in ("busy", "undone", "lost"):
                raise
            return False  # whoever makes them meets the reason, if there is one

    def check_schema(self, connection: sa.Connection, rows: Sequence[Any] = ()) -> None:
        """Raise `SchemaMismatch` unless the tables are of this version, as the first row says; without one, ask."""
        version = (rows[0].version if rows else connection.execute(_VERSION).scalar()) or 0
        self._refuse_newer(version)
        if version < len(MIGRATIONS):
            raise SchemaMismatch(
                f"its tables have version {version}, and this readfresh needs version {len(MIGRATIONS)}",
                path=self.place,
            )

    def _refuse_another_version(self) -> None:
        """Raise `SchemaMismatch` where a statement has failed because the tables are of another version."""
        with suppress(sa.exc.SQLAlchemyError), self.dialect.connected(self.dialect.readers) as connection:
            self.check_schema(connection)

    def _refuse_newer(self, version: int) -> None:
        if version > len(MIGRATIONS):
            raise SchemaMismatch(
                f"its tables have version {version}, and this readfresh knows versions up to {len(MIGRATIONS)}",
                path=self.place,
                next_step="Upgrade readfresh.",
            )


PAUSE_SECONDS = 0.05


class SessionRows(Generic[S]):
    """The sessions of a database, read and written as values of `session_type`: a `SessionStorage`."""

    def __init__(self, database: Database, session_type: type[S]) -> None:
        self.database = database
        self.session_type = session_type

    def read(self, session_id: str, *, sees_messages: bool = True) -> S | None:
        """Return the session as it is now, with `sees_messages` False without messages and snapshots.

        None when it does not exist.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, SessionDamaged, SessionTooNew, SessionMismatch, ReadFailed:
                nothing was written.
        """
        self._refuse_inside_change(session_id)
        query = _WHOLE if sees_messages else _FIELDS
        rows = self.database.look(query, _name(session_id), session_id, self.path(session_id))
        return self._session(rows, session_id)

    def update(
        self,
        session_id: str,
        change: Callable[[S | None], S | None],
        *,
        create: bool = True,
        sees_messages: bool = True,
    ) -> bool:
        """Replace the session by what `change` makes of its newest state, in one transaction that holds its row.

        `change` is given None for a session that does not exist; with `create` False it is not called for one.
        Returning None, or the session that it was given, leaves all as it is.
        With `sees_messages` False it is given the session without messages and snapshots,
        and those of the result are added at the end, whether or not the others can be read.

        Returns:
            Whether the session has changed.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, SessionDamaged, SessionTooNew, SessionMismatch, WriteFailed:
                nothing was written.
            OutcomeUnknown: the commit failed; the new state may stand.
            Exception: whatever `change` raises; nothing was written.
        """
        self._refuse_inside_change(session_id)
        name = _name(session_id)
        path = self._path(name)

        def work(connection: sa.Connection, deadline: float) -> bool:
            row, is_new = self._locked(connection, name, deadline, create=create)
            if row is None:
                return False
            rows: list[Any] = []
            current = None
            if sees_messages and not is_new:
                rows = self.database.dialect.execute(connection, _WHOLE, {"name": name})
                current = self._session(rows, session_id)
            elif not is_new:
                current = self._decoded({"messages": []}, _octets(row.fields), session_id, path)
                check_owner(current, session_id, path, "row")
            try:
                changed = run_change(change, current, session_id, lambda: path)
            except Exception as error:  # an error of a database, too, is another database's
                raise _Raised(error) from None
            if changed is None or changed is current:
                return False
            _write(self.database.dialect, connection, row, rows, changed, sees_messages=sees_messages)
            return True

        return self.database.change(work, session_id, path)

    def delete(self, session_id: str, *, only: S | None = None) -> bool:
        """Delete the session, a damaged one too, in the state `only` where that is given.

        Returns:
            Whether it was deleted.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, SessionMismatch, WriteFailed: nothing was deleted.
            OutcomeUnknown: the commit failed; it may be gone.
        """
        self._refuse_inside_change(session_id)
        name = _name(session_id)

        def work(connection: sa.Connection, deadline: float) -> bool:
            row, _ = self._locked(connection, name, deadline, create=False)
            if row is None:
                return False
            try:
                query = _FIELDS if only is None else _WHOLE
                found = self.database.dialect.execute(connection, query, {"name": name})
                current = self._session(found, session_id)
            except (SessionDamaged, SessionTooNew):
                if only is not None:
                    raise
            else:
                if only is not None and current != only:
                    return False
            for table in _LISTS.values():
                connection.execute(sa.delete(table).where(table.c.session == row.key))
            connection.execute(sa.delete(_sessions).where(_sessions.c.key == row.key))
            return True

        return self.database.change(work, session_id, self._path(name))

    def exists(self, session_id: str) -> bool:
        """Return whether the session exists, damaged or not.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, SessionMismatch, ReadFailed: nothing was written.
        """
        self._refuse_inside_change(session_id)
        rows = self.database.look(_FIELDS, _name(session_id), session_id, self.path(session_id))
        try:
            return self._session(rows, session_id) is not None
        except (SessionDamaged, SessionTooNew):
            return True

    def scan(
        self,
        *,
        sees_messages: bool = True,  # noqa: ARG002 - a list never does
    ) -> Iterator[Entry[S]]:
        """Yield an entry for each session as all of them stood at one instant, without messages and snapshots.

        A message that cannot be read does not show here, but when the session is read, and in `verify`.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, ReadFailed: nothing was written.
        """
        self._refuse_inside_change(None)
        for name, fields, count, _ in self.database.look(_ALL, None, None, self.database.place):
            yield self._entry(name, fields, count)

    def count(self) -> int:
        """Return how many sessions there are; raises as `scan` does."""
        self._refuse_inside_change(None)
        return int(self.database.look(_COUNT, None, None, self.database.place)[0][0])

    def forget(self, session_id: str | None = None) -> None:
        """Do nothing: no session is kept in memory."""

    def litter(self) -> list[str]:
        """Return nothing: of a transaction that has not been committed the database keeps nothing."""
        return []

    def raw(self, session_id: str) -> bytes | None:
        """Return the session's rows, put together as a file would have them; None when it does not exist.

        Raises:
            StoreMisused, SchemaMismatch, LockTimeout, ReadFailed: nothing was written.
        """
        self._refuse_inside_change(session_id)
        rows = self.database.look(_WHOLE, _name(session_id), session_id, self.path(session_id))
        if not rows:
            return None
        text = next(_octets(row.body) for row in rows if row.part == "fields").rstrip().removesuffix(b"}")
        for part in _LISTS:
            bodies = [_octets(row.body) for row in rows if row.part == part]
            if bodies or part == "messages":
                text += b',\n  "%s": [\n    %s\n  ]' % (part.encode(), b",\n    ".join(bodies))
        return text + b"\n}\n"

    def path(self, session_id: str) -> str:
        """Return where the session is, for people."""
        return self._path(_name(session_id))

    def _path(self, name: str) -> str:
        return f"{self.database.place}#{name}"

    def _locked(self, connection: sa.Connection, name: str, deadline: float, *, create: bool) -> tuple[Any, bool]:
        """Return the session's row, held until the transaction ends, and whether it was made for it now."""
        while True:
            rows = self.database.dialect.execute(connection, _LOCKED, {"name": name})
            self.database.check_schema(connection, rows)
            if rows or not create:
                return (rows[0] if rows else None), False
            self.database.dialect.limit_wait(connection, max(deadline - time.monotonic(), 0.0))
            made = connection.execute(
                self.database.dialect.insert_unless_there(_sessions)
                .values(name=name, fields="{}", message_count=0, next_position=0)
                .returning(_sessions.c.key, _sessions.c.next_position)
            ).one_or_none()
            if made is not None:
                return made, True
            # Another worker was first; by now it may have deleted the session again.
            self.database.dialect.limit_wait(connection, max(deadline - time.monotonic(), 0.0))

    def _session(self, rows: list[Any], session_id: str) -> S | None:
        if not rows:
            return None
        path = self.path(session_id)
        lists: dict[str, list[Any]] = {"messages": []}
        fields = b""
        with decoding(session_id, path):
            for row in rows:
                if row.part == "fields":
                    fields = _octets(row.body)
                else:
                    lists.setdefault(row.part, []).append(decode_object(_octets(row.body)))
        session = self._decoded(lists, fields, session_id, path)
        check_owner(session, session_id, path, "row")
        return session

    def _decoded(self, lists: Mapping[str, list[Any]], fields: bytes, session_id: str, path: str) -> S:
        with decoding(session_id, path):
            data = decode(fields)
            if "messages" in data:
                raise NotASession("its fields hold 'messages', each of which is a row of its own")
            session = self.session_type.from_dict({**data, **lists})
            check_id(session.session_id, "its session_id")
        return session

    def _entry(self, name: str, fields: str | bytes, count: int) -> Entry[S]:
        session_id = id_of(name + SUFFIX) or name
        path = self._path(name)
        try:
            session = self._decoded({"messages": []}, _octets(fields), session_id, path)
        except SessionStoreError as error:
            return Entry(name, session_id, status_of(error), None, None, error)
        if _name(session.session_id) == name:
            return Entry(name, session.session_id, "ok", session, count, None, whole=False)
        mismatch = SessionMismatch(
            f"the row {name!r} holds the session {session.session_id!r}, whose place is another",
            session_id=session.session_id,
            path=path,
            next_step="Import it under an id of your choice.",
        )
        return Entry(name, session.session_id, "foreign", session, count, mismatch, whole=False)

    def _refuse_inside_change(self, session_id: str | None) -> None:
        refuse_inside_change(session_id, lambda: self.path(session_id or ""))


class _Nothing(Exception):
    """Undoes a transaction that has nothing to keep."""


class _Raised(Exception):
    """Carries what `change` raised past those who look for errors of the database."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _name(session_id: str) -> str:
    """Return the name of the session's row: that of its file, so that ids are apart by the same rule."""
    return file_name(session_id).removesuffix(SUFFIX)


def _write(
    dialect: Dialect,
    connection: sa.Connection,
    row: Any,
    rows: list[Any],
    changed: SessionData,
    *,
    sees_messages: bool,
) -> None:
    """Write what differs between the session as it stands in `rows` and as it is to be."""
    data: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **changed.to_dict()}
    position = row.next_position
    for part, table in _LISTS.items():
        items = data.get(part)
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            items = []  # to a plain store, `snapshots` is a field like any other
        if items or part == "messages":
            del data[part]
        bodies = [encode_object(item) for item in items]
        before = [(each.position, each.body) for each in rows if each.part == part]
        kept = _kept(before, bodies)
        dropped = [at for at, _ in before if at not in kept]
        if dropped:
            of_session = table.c.session == row.key
            first, last = min(dropped), max(dropped)
            connection.execute(sa.delete(table).where(of_session, table.c.position.between(first, last)))
        added = [
            {"session": row.key, "position": position + index, "body": body}
            for index, body in enumerate(bodies[len(kept) :])
        ]
        if added:
            dialect.execute(connection, _INSERT[part], added if len(added) > 1 else added[0])
            position += len(added)
        if part == "messages":
            count = len(bodies)
    dialect.execute(
        connection,
        _REPLACE if sees_messages else _ADD,
        {"of": row.key, "new_fields": encode_object(data), "count": count, "next": position},
    )


def _kept(before: list[tuple[int, str]], bodies: list[str]) -> set[int]:
    """Return the positions of the rows that stay: they begin the new list, and are the old one's head or its tail."""
    head = 0
    while head < min(len(before), len(bodies)) and before[head][1] == bodies[head]:
        head += 1
    if head == 0 and bodies:
        # Trimmed at its beginning: what is left is found by where its first body stood.
        start = next((at for at, (_, body) in enumerate(before) if body == bodies[0]), len(before))
        tail = [body for _, body in before[start:]]
        if tail and tail == bodies[: len(tail)]:
            return {position for position, _ in before[start:]}
    return {position for position, _ in before[:head]}


def _octets(body: str | bytes) -> bytes:
    """Return the bytes of a row's text, which another program may have put there as they are."""
    return body if isinstance(body, bytes) else body.encode(errors="surrogateescape")


def _said(error: DBAPIError) -> str:
    return " ".join(str(error.orig).split()).rstrip(".")


def _close_before_a_fork() -> None:
    for database in list(_databases):
        database.dialect.before_fork()


def _leave_connections_to_the_parent() -> None:
    for database in list(_databases):
        database.leave_to_the_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_before_a_fork, after_in_child=_leave_connections_to_the_parent)
