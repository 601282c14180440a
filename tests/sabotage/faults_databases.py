"""Faults in how sessions are kept in a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.sabotage.fault import Fault, put


def reads_before_it_locks() -> None:
    """Let `change` see what was read before the lock was taken."""
    from readfresh.database import SessionRows

    original = SessionRows.update

    def update(self: SessionRows[Any], session_id: str, change: Callable[[Any], Any], **how: bool) -> bool:
        current = self.read(session_id)
        if current is None:
            return original(self, session_id, change, **how)
        changed = change(current)
        return original(self, session_id, lambda _newest: changed, **{**how, "sees_messages": True})

    put(SessionRows, update=update)


def locks_no_row() -> None:
    """Read the session's row in PostgreSQL without locking it."""
    import sqlalchemy as sa

    from readfresh import database

    put(database, _LOCKED=sa.select(*database._LOCKED.selected_columns).where(database._named))


def begins_without_the_lock() -> None:
    """Begin a transaction in SQLite as one that only reads."""
    import sqlalchemy as sa

    from readfresh.dialects import SQLite

    def begin(_self: SQLite, connection: sa.Connection, _seconds_left: float) -> None:
        connection.exec_driver_sql("BEGIN")

    put(SQLite, begin=begin)


def reads_in_two_statements() -> None:
    """Read the fields, and then the messages."""
    from readfresh import database

    original = database.SessionRows.read

    def read(self: database.SessionRows[Any], session_id: str, *, sees_messages: bool = True) -> Any:
        name = database._name(session_id)
        if not sees_messages:
            return original(self, session_id, sees_messages=False)
        rows = self.database.look(database._FIELDS, name, session_id, self.path(session_id))
        rest = self.database.look(database._WHOLE, name, session_id, self.path(session_id))
        return self._session(rows + [row for row in rest if row.part != "fields"], session_id)

    put(database.SessionRows, read=read)


def commits_again() -> None:
    """Make a change again whose commit has failed."""
    from readfresh import OutcomeUnknown
    from readfresh.database import Database

    original = Database._asking_again

    def asking_again(self: Database, *given: Any, **named: Any) -> Any:
        try:
            return original(self, *given, **named)
        except OutcomeUnknown:
            return original(self, *given, **named)

    put(Database, _asking_again=asking_again)


def gives_up_at_once() -> None:
    """Make nothing again that the database gave up."""
    from readfresh import database

    put(database, PAUSE_SECONDS=float("inf"))


def takes_errors_of_change_for_its_own() -> None:
    """Let an error of another database, which `change` raises, be one of this database."""
    from readfresh import database

    put(database, _Raised=lambda error: error)


def waits_for_ever() -> None:
    """Wait for a lock for as long as it takes."""
    import sqlalchemy as sa

    from readfresh.dialects import SQLite

    def begin(_self: SQLite, connection: sa.Connection, _seconds_left: float) -> None:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10000")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    put(SQLite, begin=begin)


def looks_at_every_message() -> None:
    """Read the whole session for each change."""
    from readfresh.database import SessionRows

    original = SessionRows.update

    def update(self: SessionRows[Any], session_id: str, change: Callable[[Any], Any], **how: bool) -> bool:
        return original(self, session_id, change, **{**how, "sees_messages": True})

    put(SessionRows, update=update)


def writes_every_message() -> None:
    """Write all messages of a session anew where some have changed."""
    from readfresh import database

    put(database, _kept=lambda _before, _bodies: set())


def leaves_the_messages_of_the_deleted() -> None:
    """Delete the session's row, and not its messages."""
    from readfresh import database

    class Kept(dict[str, Any]):
        def values(self) -> Any:
            return ()

    put(database, _LISTS=Kept(database._LISTS))


def gives_keys_twice() -> None:
    """Let SQLite give the key of a deleted session to the next one."""
    from readfresh.dialects import SQLite

    put(SQLite, key_type="INTEGER PRIMARY KEY")


def skips_none() -> None:
    """Leave out the metadata fields that are None."""
    from readfresh import database
    from readfresh.codec import encode_object as original

    def encode_object(data: Any) -> str:
        metadata = {name: value for name, value in data.get("metadata", {}).items() if value is not None}
        return original({**data, "metadata": metadata})

    put(database, encode_object=encode_object)


def skips_damaged_messages() -> None:
    """Leave out the messages that cannot be read, as if there were none."""
    from readfresh import database
    from readfresh.codec import NotASession, decode_object

    def lenient(raw: bytes) -> dict[str, Any]:
        try:
            return decode_object(raw)
        except NotASession:
            return {"role": "user", "content": ""}

    put(database, decode_object=lenient)


def takes_any_row_for_its_own() -> None:
    """Leave out the look at the id that stands in the row."""
    from readfresh import database

    put(database, check_owner=lambda *_: None)


def folds_case() -> None:
    """Put ids that differ in case into one row."""
    from readfresh import database

    original = database._name
    put(database, _name=lambda session_id: original(session_id.lower()))


def takes_any_version() -> None:
    """Leave out the look at the version of the tables."""
    from readfresh.database import Database

    put(Database, check_schema=lambda *_: None)


def takes_its_own_version_for_that_of_the_tables() -> None:
    """Give a change the version that this readfresh knows, and not the one that the tables have."""
    import sqlalchemy as sa

    from readfresh import database

    columns = [column for column in database._LOCKED.selected_columns if column.name != "version"]
    known: Any = sa.literal_column(str(len(database.MIGRATIONS))).label("version")
    put(database, _LOCKED=sa.select(*columns, known).where(database._named).with_for_update())


def makes_the_tables_one_by_one() -> None:
    """Commit after each statement that makes a table."""
    from readfresh.dialects import SQLite

    put(SQLite, begin=lambda *_: None)


def makes_a_public_file() -> None:
    """Let SQLite create its file with whatever mode the system gives."""
    from readfresh.dialects import SQLite

    def before_tables(self: SQLite) -> None:
        with self.makers.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    put(SQLite, before_tables=before_tables)


def does_not_flush() -> None:
    """Tell SQLite not to wait for the disk."""
    from readfresh.dialects import SQLite

    original = SQLite._connected

    def connected(self: SQLite, connection: Any, record: object) -> None:
        original(self, connection, record)
        connection.execute("PRAGMA synchronous = OFF")

    put(SQLite, _connected=connected)


def keeps_files_open() -> None:
    """Go on with the SQLite file that is open, whatever stands at its path."""
    from readfresh.disk_sqlite import SQLiteFile

    put(SQLiteFile, identity=lambda _self: (0, 0))


def leaves_the_log() -> None:
    """Leave the log of a SQLite file that was replaced beside the new one."""
    from readfresh.disk_sqlite import SQLiteFile

    put(SQLiteFile, discard_log=lambda *_: None)


def forks_with_the_file_open() -> None:
    """Let a child find open what its parent keeps for the next call."""
    from readfresh.dialects import SQLite

    put(SQLite, before_fork=lambda _self: None)


def never_closes() -> None:
    """Keep SQLite's file open for as long as the process lives."""
    from readfresh.dialects import SQLite

    put(SQLite, _sweep=lambda _self: True)


def forgets_the_fork() -> None:
    """Let a child use a SQLite file that its parent was using when it forked."""
    from readfresh.database import Database

    @contextmanager
    def call(*_: object) -> Iterator[None]:
        yield

    put(Database, _call=call)


def shows_messages_in_errors() -> None:
    """Let SQLAlchemy put what was to be written into its errors."""
    import sqlalchemy as sa

    original = sa.create_engine

    def create_engine(*given: Any, hide_parameters: bool = False, **named: Any) -> sa.Engine:
        del hide_parameters
        return original(*given, **named)

    put(sa, create_engine=create_engine)


RACES, ROWS, DAMAGE = (f"tests/database/test_{name}.py" for name in ("races", "rows", "damage"))
FAULTS_, SCHEMA, FORKS = (f"tests/database/test_{name}.py" for name in ("faults", "schema", "forks"))
CONTENT, VERBS = (f"tests/database/test_{name}.py" for name in ("content", "verbs"))

FAULTS = {
    "db-reads-before-it-locks": Fault(
        reads_before_it_locks,
        (),
        "changes what it read before it had the lock",
        (f"{RACES}::test_a_change_sees_what_came_before_its_lock[sqlite]",),
    ),
    "db-locks-no-row": Fault(
        locks_no_row,
        (),
        "does not lock the session's row",
        (f"{RACES}::test_changes_that_read_first_are_not_lost[postgresql]",),
    ),
    "db-begins-without-the-lock": Fault(
        begins_without_the_lock,
        (),
        "takes SQLite's lock at the first write",
        (f"{RACES}::test_threads_lose_nothing_of_each_other[sqlite]",),
    ),
    "db-reads-in-two-statements": Fault(
        reads_in_two_statements,
        (),
        "reads the fields and the messages of two moments",
        (f"{RACES}::test_a_read_is_of_one_instant[sqlite]",),
    ),
    "db-commits-again": Fault(
        commits_again,
        (),
        "makes a change again whose commit has failed",
        (
            f"{FAULTS_}::test_a_commit_that_fails_is_unknown_and_not_tried_again[sqlite-add]",
            f"{FAULTS_}::test_a_commit_that_nobody_answered_is_unknown[add-after]",
        ),
    ),
    "db-gives-up-at-once": Fault(
        gives_up_at_once,
        (),
        "does not ask again where the database asks for it",
        (f"{FAULTS_}::test_a_deadlock_is_resolved_and_the_change_made",),
    ),
    "db-takes-errors-of-change-for-its-own": Fault(
        takes_errors_of_change_for_its_own,
        (),
        "renames what `change` raises",
        (f"{FAULTS_}::test_an_error_of_another_database_is_no_error_of_ours[sqlite]",),
    ),
    "db-waits-for-ever": Fault(
        waits_for_ever, (), "ignores its timeout", (f"{RACES}::test_waiting_is_bounded[sqlite-exists]",)
    ),
    "db-looks-at-every-message": Fault(
        looks_at_every_message,
        (),
        "reads all messages to add one",
        (f"{ROWS}::test_the_cost_of_a_small_change_does_not_grow[sqlite]",),
    ),
    "db-writes-every-message": Fault(
        writes_every_message,
        (),
        "writes messages that have not changed",
        (f"{ROWS}::test_what_is_written_is_the_difference[sqlite]",),
    ),
    "db-leaves-messages-of-the-deleted": Fault(
        leaves_the_messages_of_the_deleted,
        (),
        "leaves the messages of a deleted session",
        (f"{ROWS}::test_a_deleted_session_leaves_no_row[sqlite]",),
    ),
    "db-gives-keys-twice": Fault(
        gives_keys_twice,
        (),
        "gives a session the messages that another has left",
        (f"{ROWS}::test_rows_that_another_program_has_left_belong_to_nobody",),
    ),
    "db-skips-none": Fault(
        skips_none, (), "leaves out None", (f"{VERBS}::test_metadata_is_set_field_by_field[sqlite-plain]",)
    ),
    "db-skips-damaged-messages": Fault(
        skips_damaged_messages,
        (),
        "passes a damaged message off as an empty one",
        (f"{DAMAGE}::test_a_damaged_message_is_named_and_stays[sqlite-half]",),
    ),
    "db-takes-any-row": Fault(
        takes_any_row_for_its_own,
        (),
        "does not look at the id in the row",
        (f"{DAMAGE}::test_a_row_of_another_id_is_never_taken_for_this_one[sqlite]",),
    ),
    "db-folds-case": Fault(
        folds_case, (), "takes two ids for one", (f"{CONTENT}::test_ids_that_look_alike_are_apart[sqlite-Trip-trip]",)
    ),
    "db-takes-any-version": Fault(
        takes_any_version,
        (),
        "writes into the tables of a newer version",
        (f"{SCHEMA}::test_newer_tables_are_refused_and_stay[sqlite]",),
    ),
    "db-takes-its-own-version": Fault(
        takes_its_own_version_for_that_of_the_tables,
        (),
        "does not ask for the version in the statement that locks",
        (f"{SCHEMA}::test_newer_tables_are_refused_and_stay[sqlite]",),
    ),
    "db-makes-tables-one-by-one": Fault(
        makes_the_tables_one_by_one,
        (),
        "leaves some of the tables when it is killed",
        (f"{SCHEMA}::test_nothing_is_half_made[sqlite-2]",),
    ),
    "db-makes-a-public-file": Fault(
        makes_a_public_file, (), "lets others read the file", (f"{SCHEMA}::test_the_file_is_private",)
    ),
    "db-does-not-flush": Fault(
        does_not_flush,
        (),
        "does not wait for the disk",
        (f"{FAULTS_}::test_power_is_what_the_database_flushes_for[sqlite]",),
    ),
    "db-keeps-files-open": Fault(
        keeps_files_open,
        (),
        "goes on with a file that is no longer there",
        (f"{FAULTS_}::test_a_file_that_is_put_in_place_of_another_is_the_one_that_is_used",),
    ),
    "db-leaves-the-log": Fault(
        leaves_the_log,
        (),
        "lets the log of a file meet the one that was put in its place",
        (f"{FAULTS_}::test_the_log_of_a_replaced_file_does_not_meet_the_new_one[replaced]",),
    ),
    "db-forks-with-the-file-open": Fault(
        forks_with_the_file_open,
        (),
        "lets a child find its parent's connections",
        (f"{FORKS}::test_a_fork_finds_nothing_open",),
    ),
    "db-never-closes": Fault(
        never_closes,
        (),
        "keeps a file open that nobody uses",
        (f"{FAULTS_}::test_whoever_does_nothing_has_nothing_open",),
    ),
    "db-forgets-the-fork": Fault(
        forgets_the_fork,
        (),
        "lets a child lock a file with its parent's locks",
        (f"{FORKS}::test_a_fork_while_another_thread_changes[sqlite]",),
    ),
    "db-shows-messages-in-errors": Fault(
        shows_messages_in_errors,
        (),
        "puts messages into errors",
        (f"{SCHEMA}::test_no_message_is_shown[postgresql]",),
    ),
}
