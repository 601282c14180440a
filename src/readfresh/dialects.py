"""What SQLite and PostgreSQL do differently: connecting, locking a session, the tables, and what an error means.

1. A statement waits for a lock at most the time that is left of `lock_timeout`.
2. A transaction that changes something holds what it changes from its first statement on.
3. A verdict on an error says whether the database has undone the transaction, and said so.
4. No error text holds a password or a message of a session.
"""

from __future__ import annotations

import math
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from readfresh.disk import system_disk
from readfresh.disk_sqlite import SQLiteFile
from readfresh.storage import Durability

__all__ = ["Dialect", "dialect_of"]

Verdict = Literal["busy", "undone", "lost", "no schema", "failed"]
"""``busy``: somebody held it for too long. ``undone``: the database gave up, and asks to be asked once more.

``lost``: the connection ended, or was never made: what became of a commit is not known.
"""

# So much of `lock_timeout` may pass before the server is told that less is left.
NOTICEABLE_SECONDS = 0.1
# So long a connection to a SQLite file is kept that nobody has used, and so many by one adapter.
IDLE_SECONDS = 1.0
IDLE_CONNECTIONS = 5
# So long it takes until SQLite is asked again that was busy: a commit that waits for a disk takes a fraction of it.
BUSY_SECONDS = 0.001


class Dialect(ABC):
    """One database, as `DbSessionAdapter` uses it.

    Attributes:
        place: the URL without a password, for people.
        readers: an engine for single statements that look.
        writers: an engine for transactions that change.
        makers: an engine for the transaction that makes the tables; for SQLite the one that may create the file.
        key_type: the SQL type of a session's key.
        torn_by_fork: what a child cannot use that was forked in the middle of a statement; None where it can.
    """

    place: str
    readers: sa.Engine
    writers: sa.Engine
    makers: sa.Engine
    key_type: str
    torn_by_fork: str | None = None

    @abstractmethod
    def insert_unless_there(self, table: sa.Table) -> Any:
        """Return an INSERT that does nothing where the row is there."""

    @abstractmethod
    def before_tables(self) -> None:
        """Prepare the place for its tables; raise OSError where the system refuses."""

    def is_prepared(self, connection: sa.Connection) -> bool:  # noqa: ARG002
        """Return whether `before_tables` would change nothing."""
        return True

    @abstractmethod
    def lock_tables(self, connection: sa.Connection) -> None:
        """Keep others from making the tables until the transaction ends."""

    @abstractmethod
    def stop_changes(self, connection: sa.Connection) -> None:
        """Wait for the changes under way, and hold up later ones until the transaction ends."""

    @abstractmethod
    def begin(self, connection: sa.Connection, seconds_left: float) -> None:
        """Begin a transaction that changes something."""

    def execute(self, connection: sa.Connection, statement: Any, values: Any) -> list[Any]:
        """Return the rows that a statement gives, which is one of a few that are built once.

        An INSERT may be given the values of many rows.
        """
        result = connection.execute(statement, values)
        return list(result) if result.returns_rows else []

    @abstractmethod
    def limit_wait(self, connection: sa.Connection, seconds_left: float) -> None:
        """Let the rest of the transaction wait for locks no longer than this."""

    @abstractmethod
    def verdict(self, error: DBAPIError) -> Verdict:
        """Return what an error says about the statement that caused it."""

    @contextmanager
    def connected(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        """Lend a connection of one of the engines, for one call; a child that was forked meanwhile leaves it alone."""
        process = os.getpid()
        connection = self._take(engine)
        try:
            yield connection
        finally:
            if os.getpid() == process:
                self._give_back(connection)
            else:
                _keep_for_ever(connection.connection.dbapi_connection)
                _keep_for_ever(connection)

    def _take(self, engine: sa.Engine) -> sa.Connection:
        return engine.connect()

    def _give_back(self, connection: sa.Connection) -> None:
        connection.close()

    @abstractmethod
    def close(self) -> None:
        """Close the connections that are idle."""

    def before_fork(self) -> None:  # noqa: B027 - most have nothing to do
        """Close what a child must not find open."""

    @abstractmethod
    def forget(self) -> bool:
        """Leave what this process has inherited to its parent, unclosed; return whether SQLite's locks were in it."""


class PostgreSQL(Dialect):
    """PostgreSQL 12 or newer, through psycopg 3. A session is locked by `SELECT … FOR UPDATE` on its row.

    The codes are those of PostgreSQL's appendix A, "Error Codes".
    """

    key_type = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
    _TABLES_LOCK = 0x7265616466726573  # "readfres": the key of an advisory lock is a number

    def __init__(self, url: sa.URL, lock_timeout: float, durability: Durability) -> None:
        shown = {name: value for name, value in url.query.items() if "password" not in name}
        url = url.set(drivername="postgresql+psycopg")  # one name for one place, whichever of three was given
        self.place = url.set(query=shown).render_as_string(hide_password=True)
        self._lock_timeout = lock_timeout
        self._durability = durability
        patience = min(max(2, math.ceil(lock_timeout)), 3600)
        wanted = {
            "connect_timeout": patience,
            # A server whose machine is gone answers nothing: this is how long nothing may be heard of it.
            "tcp_user_timeout": patience * 1000,
            "keepalives_idle": patience,
            # So that the server, and not the driver, says what it cannot store.
            "client_encoding": "utf8",
        }
        self.writers = self.makers = sa.create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_timeout=lock_timeout,
            hide_parameters=True,
            connect_args={name: value for name, value in wanted.items() if name not in url.query},
        )
        # One statement sees one state, so a read needs no transaction around it.
        self.readers = self.writers.execution_options(isolation_level="AUTOCOMMIT")
        sa.event.listen(self.writers, "connect", self._connected)

    def _connected(self, connection: Any, _record: object) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", (_milliseconds(self._lock_timeout),))
            # What an administrator has made stronger stays.
            wanted, unwanted = ("on", "off") if self._durability == "power" else ("off", "on")
            cursor.execute(
                "SELECT set_config('synchronous_commit', %s, false) WHERE current_setting('synchronous_commit') = %s",
                (wanted, unwanted),
            )
        connection.autocommit = False

    def close(self) -> None:
        self.writers.dispose()

    def forget(self) -> bool:
        _keep_for_ever(self.writers.pool)
        self.writers.dispose(close=False)
        return False

    def insert_unless_there(self, table: sa.Table) -> Any:
        return postgresql.insert(table).on_conflict_do_nothing()

    def before_tables(self) -> None:
        pass

    def lock_tables(self, connection: sa.Connection) -> None:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(self._TABLES_LOCK)))

    def stop_changes(self, connection: sa.Connection) -> None:
        # Every change has looked at this table, and so holds it until its end.
        connection.execute(sa.text("LOCK TABLE readfresh_schema IN ACCESS EXCLUSIVE MODE"))

    def begin(self, connection: sa.Connection, seconds_left: float) -> None:
        self.limit_wait(connection, seconds_left)

    def limit_wait(self, connection: sa.Connection, seconds_left: float) -> None:
        if seconds_left < self._lock_timeout - NOTICEABLE_SECONDS:
            connection.execute(sa.select(sa.func.set_config("lock_timeout", _milliseconds(seconds_left), True)))

    def verdict(self, error: DBAPIError) -> Verdict:
        code = getattr(error.orig, "sqlstate", None) or ""
        if code == "55P03":  # lock_not_available
            return "busy"
        if code in ("40P01", "40001"):  # deadlock_detected, serialization_failure
            return "undone"
        if code in ("42P01", "42703", "3F000"):  # undefined table, column, schema
            return "no schema"
        # Shut down, crashed, starting up, idle for too long, too many connections, connection lost or never made.
        lost = error.connection_invalidated or code.startswith(("57P", "08")) or code in ("25P03", "53300")
        never_made = not code and isinstance(error, sa.exc.OperationalError)
        return "lost" if lost or never_made else "failed"


class SQLite(Dialect):
    """SQLite in one file, in WAL mode. A change holds the whole database from `BEGIN IMMEDIATE` on; reads go on.

    Opening the file costs more than an append: so a connection is kept for the next call, `IDLE_SECONDS` at most.
    What a call that opens it anew is given by that alone, a call on a connection that was kept is given so:

    1. It uses the file that stands at the path. Each call asks the system which that is (device and inode, a stat);
       the connection holds its own file open, so the system gives that inode to no other.
    2. A log never meets another file than its own: SQLite takes `chats.db-wal` for the log of whatever is called
       `chats.db`. The log of a file that was replaced or deleted is written back into that file, then deleted.
    3. A fork finds nothing open. SQLite shares its locks among all connections of a process to a file, and a child
       takes its parent's for its own ("How To Corrupt", 2.6): what is idle is closed before each fork, and what is
       in use makes the file one that the child refuses (`torn_by_fork`). So does an idle one that a fork of another
       language's, which tells nobody, has left open.
    4. A process that does nothing holds nothing: after `IDLE_SECONDS` the file is whole without its log, may be
       copied, and may be written over in place.
    5. No call waits inside SQLite, but for the file to open: SQLite's own steps grow to a tenth of a second, and among
       busy writers starve some. It is asked again every millisecond.

    Sources: sqlite.org's "Write-Ahead Logging", "Result and Error Codes", "How To Corrupt An SQLite Database File".
    """

    key_type = "INTEGER PRIMARY KEY AUTOINCREMENT"  # a key is never given twice

    def __init__(self, url: sa.URL, lock_timeout: float, durability: Durability) -> None:
        shown = url.database or ""
        if not shown or ":memory:" in shown or shown.startswith("file:") or url.query or "\0" in shown:
            raise ValueError(
                f"url must name a file and no more, as sqlite:///chats.db does, not {url.render_as_string()!r}: "
                "a database in memory is another one for each connection"
            )
        self.place = f"sqlite:///{shown}"
        self._path = self.torn_by_fork = os.path.abspath(shown)
        self._file = SQLiteFile(self._path)
        self.disk = system_disk()
        self._lock_timeout = lock_timeout
        self._durability = durability
        # Only whoever makes the tables may create the file: a read creates nothing.
        self.readers = self.writers = self._engine("rw")
        self.makers = self._engine("rwc")
        self._texts: dict[Any, tuple[str, list[str], Callable[[Any], Any] | None]] = {}
        self._be_as_new()

    def _be_as_new(self) -> None:
        self._guard = threading.Lock()  # over the three below
        self._idle: list[sa.Connection] = []
        self._used = 0.0
        self._sweeper: _Sweeper | None = None

    def _engine(self, mode: str) -> sa.Engine:
        # SQLAlchemy gives what follows the `?` to SQLite, which decodes the path.
        path = quote(self._path, errors="surrogateescape")
        url = sa.URL.create("sqlite", database=f"file:{path}", query={"mode": mode, "uri": "true"})
        engine = sa.create_engine(
            url,
            poolclass=sa.NullPool,  # what is kept is kept here
            hide_parameters=True,
            connect_args={"timeout": int(_milliseconds(self._lock_timeout)) / 1000, "check_same_thread": False},
        )
        sa.event.listen(engine, "connect", self._connected)
        return engine

    def _connected(self, connection: Any, _record: object) -> None:
        # Python's own way to begin transactions comes too late: at the first write.
        connection.isolation_level = None
        # What is no UTF-8 is damage of one row, not an error of the whole statement.
        connection.text_factory = _lenient
        cursor = connection.cursor()
        # The first statement looks at the file, and may meet another process that is about to close it, the last one.
        cursor.execute(f"PRAGMA synchronous = {'FULL' if self._durability == 'power' else 'NORMAL'}")
        cursor.execute(f"PRAGMA fullfsync = {'ON' if self._durability == 'power' else 'OFF'}")  # macOS alone knows it
        cursor.execute("PRAGMA busy_timeout = 0")
        cursor.close()

    # Connections that are kept

    def _take(self, engine: sa.Engine) -> sa.Connection:
        if engine is self.makers:
            return engine.connect()
        stands = self._file.identity()
        with self._guard:
            connection = self._idle.pop() if self._idle else None  # the newest, so that the others are closed
        if connection is not None:
            if connection.info["file"] == stands:
                return connection
            self._end(connection)
        while True:
            stands = self._file.identity()
            connection = engine.connect()
            if stands == self._file.identity():
                connection.info["file"] = stands
                return connection
            connection.close()  # another was put in its place: which of the two it is nobody knows

    def _end(self, connection: sa.Connection) -> None:
        """Close a connection whose file no longer stands at the path, and see to the log that it has left there."""
        log = connection.info.get("log")
        if log:
            with suppress(sa.exc.SQLAlchemyError):  # for whoever keeps the old file under another name
                connection.exec_driver_sql("PRAGMA wal_checkpoint")
        self._close_idle()
        try:
            if log:
                self._file.discard_log(log)
        finally:
            connection.close()  # until now it has kept the system from giving the log's inode to another file

    def _give_back(self, connection: sa.Connection) -> None:
        try:
            if connection.in_transaction():  # a statement that only looks has begun it
                connection.rollback()
            # Of a commit that failed a transaction is left, which nothing but closing the connection undoes.
            is_clean = connection.get_transaction() is None and not connection.invalidated
        except sa.exc.SQLAlchemyError:
            is_clean = False
        if not (is_clean and self._keeps(connection)):
            connection.close()

    def _keeps(self, connection: sa.Connection) -> bool:
        """Keep it for the next call, and see to it that it is closed one day; return whether there is room for it."""
        of_connection = connection.info
        if "file" not in of_connection:  # of a maker
            return False
        if "log" not in of_connection:
            log = self._file.log()
            if log and of_connection["file"] == self._file.identity():
                of_connection["log"] = log
        with self._guard:
            self._used = time.monotonic()
            if len(self._idle) == IDLE_CONNECTIONS or not self._is_swept():
                return False
            self._idle.append(connection)
        return True

    def _is_swept(self) -> bool:
        if self._sweeper is None:
            sweeper = _Sweeper(self._sweep)
            try:
                sweeper.start()
            except RuntimeError:  # the system has no thread left, or the interpreter ends
                return False
            self._sweeper = sweeper
        return True

    def _sweep(self) -> bool:
        """Close what is idle, unless some call has ended within `IDLE_SECONDS`; return whether it was closed."""
        with self._guard:
            if time.monotonic() - self._used < IDLE_SECONDS:
                return False
            self._sweeper = None  # a connection that comes back from now on starts another one
        self._close_idle()
        return True

    def _close_idle(self) -> None:
        with _closing:
            while self._idle:
                with suppress(IndexError):  # another thread has taken it
                    self._idle.pop().close()

    def close(self) -> None:
        if sweeper := self._sweeper:
            sweeper.ended.set()
            self._sweeper = None
        self._close_idle()

    def before_fork(self) -> None:
        if sweeper := self._sweeper:  # a thread that runs beside a fork is one too many
            sweeper.ended.set()
            sweeper.join()
            self._sweeper = None
        self._close_idle()

    def forget(self) -> bool:
        _keep_for_ever(self._idle)
        has_locks = bool(self._idle)
        self._be_as_new()
        return has_locks

    # A change

    def insert_unless_there(self, table: sa.Table) -> Any:
        return sqlite.insert(table).on_conflict_do_nothing()

    def before_tables(self) -> None:
        # Closing a file lets go what SQLite has locked of it in another thread: nobody opens it until it is made.
        with _creating:
            if not self.disk.exists(self._path):
                with suppress(FileExistsError):  # another worker was first
                    self.disk.close(self.disk.create(self._path))  # private, and SQLite gives its other files the mode
            self.disk.sync_directory(os.path.dirname(self._path))
        # No transaction may be open then. It stays so; the statement does not wait by itself: the caller asks again.
        with self.makers.connect() as connection:
            mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar()
        if mode != "wal":
            raise OSError(f"SQLite cannot keep a write-ahead log there: its journal mode is {mode!r}")

    def is_prepared(self, connection: sa.Connection) -> bool:
        return connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

    def lock_tables(self, connection: sa.Connection) -> None:
        pass  # BEGIN IMMEDIATE has done so

    def stop_changes(self, connection: sa.Connection) -> None:
        pass

    def begin(self, connection: sa.Connection, seconds_left: float) -> None:
        deadline = time.monotonic() + seconds_left
        while True:
            try:
                if "has_log" not in connection.info:
                    connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                    if self.is_prepared(connection):  # and stays so while it is open here
                        connection.info["has_log"] = True
                _told(connection, "BEGIN IMMEDIATE")
            except DBAPIError as error:
                if self.verdict(error) != "busy" or time.monotonic() >= deadline:
                    raise
                threading.Event().wait(BUSY_SECONDS)
            else:
                break
        if "has_log" not in connection.info:  # a copy that a backup has made: its commit waits for readers
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_milliseconds(max(deadline - time.monotonic(), 0.0))}")

    def execute(self, connection: sa.Connection, statement: Any, values: Any) -> list[Any]:
        text, names, row = self._compiled(statement)
        if isinstance(values, list):
            _told(connection, text, [[each[name] for name in names] for each in values], many=True)
            return []
        rows = _told(connection, text, [values[name] for name in names])
        return list(map(row, rows)) if row else []

    def _compiled(self, statement: Any) -> tuple[str, list[str], Callable[[Any], Any] | None]:
        """Return the text of a statement, the names of its values in order, and what makes a row of a tuple."""
        if statement not in self._texts:
            compiled: Any = statement.compile(dialect=self.writers.dialect)
            names = statement.selected_columns.keys() if statement.is_select else []
            row: Any = namedtuple("row", names) if names else None
            self._texts[statement] = (str(compiled), compiled.positiontup or [], row and row._make)
        return self._texts[statement]

    def limit_wait(self, connection: sa.Connection, seconds_left: float) -> None:
        pass

    def verdict(self, error: DBAPIError) -> Verdict:
        name = getattr(error.orig, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return "busy"
        if name.startswith("SQLITE_CANTOPEN") and self._is_missing():
            return "no schema"
        return "no schema" if "no such table" in str(error.orig) or "no such column" in str(error.orig) else "failed"

    def _is_missing(self) -> bool:
        try:
            return not self.disk.exists(self._path)
        except OSError:  # the system does not say
            return False


def _told(connection: sa.Connection, text: str, values: Sequence[Any] = (), *, many: bool = False) -> list[Any]:
    """Return the rows of a statement that the driver is given as it is.

    SQLAlchemy's own way to execute takes 13 µs more, for each of the four statements of an append.
    """
    driver: Any = connection.connection.dbapi_connection
    cursor = driver.cursor()
    try:
        (cursor.executemany if many else cursor.execute)(text, values)
        rows: list[Any] = cursor.fetchall()
    except driver.Error as error:
        raise DBAPIError.instance(text, None, error, driver.Error, hide_parameters=True) from error
    finally:
        cursor.close()  # a read that was interrupted, and is open, would keep the next one at its instant
    return rows


class _Sweeper(threading.Thread):
    """A thread that asks once in `IDLE_SECONDS` whether all is swept, and ends when it is, or when it is told to."""

    def __init__(self, sweep: Callable[[], bool]) -> None:
        super().__init__(name="readfresh-sweeper", daemon=True)
        self._sweep = sweep
        self.ended = threading.Event()

    def run(self) -> None:
        """Sweep."""
        while not self.ended.wait(IDLE_SECONDS):
            if self._sweep():
                return


def dialect_of(url: str, lock_timeout: float, durability: Durability) -> Dialect:
    """Return the dialect of the database that `url` names.

    Raises:
        TypeError, ValueError: `url` is none, or names a database that readfresh does not know.
        ModuleNotFoundError: the driver is not installed; the message names the extra.
    """
    if not isinstance(url, str):
        raise TypeError(f"url must be text, not {type(url).__name__}")
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise ValueError(
            "url must be a database URL, as sqlite:///chats.db or postgresql+psycopg://host/name"
        ) from None
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        try:
            return PostgreSQL(parsed, lock_timeout, durability)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{error}; PostgreSQL needs its driver: pip install 'readfresh[postgresql]'", name=error.name
            ) from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return SQLite(parsed, lock_timeout, durability)
    raise ValueError(f"url must begin with sqlite:// or postgresql+psycopg://, not {parsed.drivername}://")


def _milliseconds(seconds: float) -> str:
    # 0 would be no limit; beyond 2**31 the server refuses.
    return str(min(max(1, math.ceil(seconds * 1000)), 2**31 - 1))


def _lenient(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _keep_for_ever(inherited: object) -> None:
    """Keep what is a parent's from being closed by this child, even when the interpreter ends."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


_creating = threading.Lock()
# Held by whoever forks: a child must not find SQLite in the middle of a close. The garbage collector closes, too,
# and in the middle of anything.
_closing = threading.RLock()


def _hold_closing() -> None:
    _closing.acquire()


def _release_closing() -> None:
    _closing.release()


def _forget_locks() -> None:
    global _creating, _closing
    _creating = threading.Lock()
    _closing = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_closing, after_in_parent=_release_closing, after_in_child=_forget_locks)
