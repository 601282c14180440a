"""Writers, readers and deleters at once: in threads, in processes, and blocked on each other by events."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from readfresh import (
    DbSessionAdapter,
    HierarchicalSessionStore,
    LockTimeout,
    SessionExists,
    SessionMessage,
)
from tests.database.support import Worker, before_statements, in_threads, rows_at, rows_of, said
from tests.store.support import PATIENCE_SECONDS, held, scaled

# A call that is to wait for nothing and takes longer has waited.
LONG_WAIT_SECONDS = 60


def adapter(url: str, **arguments: Any) -> DbSessionAdapter:
    """Return an adapter that does not wait for the disk."""
    return DbSessionAdapter(url, **{"durability": "process", "lock_timeout": LONG_WAIT_SECONDS, **arguments})


def test_processes_lose_nothing_of_each_other(url: str) -> None:
    """Four processes that append to one new session: every message is there, once, in the order of its writer."""
    count = scaled(20, 500)
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("append", url, name, count)) for name in "abcd"]
        for worker in workers:
            worker.says("ready")
        for worker in workers:
            worker.tell()
        for worker in workers:
            worker.says("done")
            worker.end()
    found = said(adapter(url), "trip")
    for name in "abcd":
        assert [each for each in found if each.startswith(name)] == [f"{name}-{number}" for number in range(count)]
    assert len(found) == 4 * count


def test_threads_lose_nothing_of_each_other(url: str) -> None:
    """More threads than the pool has connections share one adapter; appends and metadata are all there."""
    store = adapter(url)

    def work(number: int) -> Callable[[], Any]:
        def write() -> None:
            for turn in range(3):
                store.add_user_message("trip", f"{number}-{turn}")
            store.update_session_metadata("trip", **{f"thread-{number}": number})

        return write

    assert in_threads(*map(work, range(20))) == [None] * 20
    session = store.get_session("trip")
    assert sorted(message.content for message in session.messages) == sorted(  # type: ignore[type-var]
        f"{number}-{turn}" for number in range(20) for turn in range(3)
    )
    assert session.metadata == {f"thread-{number}": number for number in range(20)}
    assert store.list_sessions()[0]["message_count"] == 60


def test_changes_that_read_first_are_not_lost(url: str) -> None:
    """A counter that every `change` reads and sets counts each of them."""
    store = adapter(url)

    def count() -> None:
        for _ in range(5):
            store.update("trip", lambda session: session.with_metadata({"n": session.metadata.get("n", 0) + 1}))

    in_threads(*[count] * 6)
    assert store.get_session("trip").metadata == {"n": 30}


def test_a_reader_sees_before_or_after_and_waits_for_nobody(url: str) -> None:
    """While a change is under way every read answers at once with the old state, and then with the new one."""
    store = adapter(url)
    store.set_chat_history("trip", [{"role": "user", "content": str(number)} for number in range(50)])
    before = store.get_session("trip")
    reader = adapter(url, lock_timeout=0.2)
    with held(store, "trip", held=True) as let_go:  # type: ignore[arg-type]
        assert reader.get_session("trip") == before
        assert reader.list_sessions()[0]["message_count"] == 50
        assert reader.session_exists("trip")
        let_go()
        assert reader.get_session("trip").metadata == {"held": True}


@contextlib.contextmanager
def before_each_statement(store: DbSessionAdapter, action: Callable[[str], None]) -> Iterator[None]:
    """Let something happen before each statement of an adapter, whose text it is given."""
    pool = store._database.dialect.writers.pool

    def of_this_one(connection: sa.Connection, text: str) -> None:
        if connection.engine.pool is pool:
            action(text)

    with before_statements(of_this_one):
        yield


def test_a_change_sees_what_came_before_its_lock(url: str) -> None:
    """Another worker changes the session at the moment before its row is locked: `change` is given what it has made."""
    store, other = adapter(url), adapter(url)
    store.add_user_message("trip", "a")

    def count(store: DbSessionAdapter) -> None:
        store.update("trip", lambda session: session.with_metadata({"n": session.metadata.get("n", 0) + 1}))

    came_before: list[str] = []

    def count_before_the_lock(statement: str) -> None:
        if not came_before and ("BEGIN IMMEDIATE" in statement or "FOR UPDATE" in statement):
            came_before.append(statement)
            count(other)

    with before_each_statement(store, count_before_the_lock):
        count(store)
    assert came_before
    assert other.get_session("trip").metadata == {"n": 2}


def test_a_read_is_of_one_instant(url: str) -> None:
    """Between any two statements of a read somebody changes everything: what is read belongs together."""
    writer, reader = adapter(url), adapter(url)
    turns = itertools.count(1)

    def change(_statement: str = "") -> None:
        turn = next(turns)
        messages = (SessionMessage("user", "x"),) * turn
        writer.update("trip", lambda session: dataclasses.replace(session, messages=messages, metadata={"n": turn}))

    change()
    for _ in range(3):
        with before_each_statement(reader, change):
            session = reader.get_session("trip")
            assert session.metadata == {"n": len(session.messages)}
    assert next(turns) > 4


def test_no_reader_sees_half_a_replacement(url: str) -> None:
    """Readers beside a writer that replaces the history see one of the histories, whole."""
    store = adapter(url)
    histories = [[{"role": "user", "content": f"{name}{number}"} for number in range(length)] for name, length in
                 (("a", 30), ("b", 7), ("c", 55))]  # fmt: skip
    whole = [[message["content"] for message in history] for history in histories]
    store.set_chat_history("trip", histories[0])
    done = threading.Event()
    seen: list[list[Any]] = []

    def read() -> None:
        while not done.is_set():
            seen.append(said(store, "trip"))

    def write() -> None:
        for turn in range(30):
            store.set_chat_history("trip", histories[turn % 3])
        done.set()

    assert in_threads(read, read, write) == [None] * 3
    assert seen
    assert all(each in whole for each in seen)


def test_one_of_many_creates(url: str) -> None:
    """Of eight that create a session of one id at once, one does, and seven are told that it exists."""
    store = HierarchicalSessionStore(storage=adapter(url))
    answers = in_threads(*[lambda: store.create_session("trip")] * 8)
    assert sorted(type(answer).__name__ for answer in answers) == ["SessionExists"] * 7 + ["str"]
    assert isinstance(next(answer for answer in answers if answer != "trip"), SessionExists)


def test_many_first_messages_are_all_kept(url: str) -> None:
    """Eight that add the first message of a session at once make one session with eight messages."""
    store = adapter(url)
    assert in_threads(*[lambda n=n: store.add_user_message("trip", n) for n in "abcdefgh"]) == [True] * 8
    assert sorted(said(store, "trip")) == [*"abcdefgh"]
    assert store._storage.count() == 1


def is_waiting(url: str) -> None:
    """Return when somebody waits for a lock of the PostgreSQL database."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + PATIENCE_SECONDS
    waiting = 0
    while not waiting:
        assert time.monotonic() < deadline, "nobody waits"
        threading.Event().wait(0.01)
        with rows_at(url) as connection:  # what a transaction sees of others it sees once
            waiting = connection.execute(sa.text(query)).scalar_one()


def rival(url: str, action: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Start an action that is to be blocked, and return when it is."""
    answers: list[Any] = []
    begun = threading.Event()

    def run() -> None:
        begun.set()
        answers.extend(in_threads(action))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert begun.wait(PATIENCE_SECONDS)
    if url.startswith("postgresql"):
        is_waiting(url)
    return thread, answers


@pytest.mark.parametrize("exists", [True, False], ids=["exists", "new"])
def test_a_blocked_writer_goes_on_top_of_what_the_holder_wrote(url: str, exists: bool) -> None:
    """A rival that waits, for a session that exists or for one that is being made, loses nothing and wipes nothing."""
    store = adapter(url)
    if exists:
        store.add_user_message("trip", "a")
    with held(store, "trip", first=1):  # type: ignore[arg-type]
        thread, answers = rival(url, lambda: store.update_session_metadata("trip", second=2))
        other, added = rival(url, lambda: store.add_user_message("trip", "b"))
        assert answers == added == []
    thread.join(PATIENCE_SECONDS)
    other.join(PATIENCE_SECONDS)
    assert answers == added == [True]
    assert store.get_session("trip").metadata == {"first": 1, "second": 2}
    assert said(store, "trip") == (["a", "b"] if exists else ["b"])


def test_a_delete_waits_for_a_change_and_takes_it_along(url: str) -> None:
    """A delete beside a change comes after it; an append beside a delete makes a new session."""
    store = adapter(url)
    store.add_user_message("trip", "a")
    with held(store, "trip", first=1):  # type: ignore[arg-type]
        thread, answers = rival(url, lambda: store.delete_session("trip"))
    thread.join(PATIENCE_SECONDS)
    assert answers == [True]
    assert rows_of(url) == {}
    for _ in range(scaled(20, 500)):
        store.add_user_message("trip", "old")
        deleted, added = in_threads(lambda: store.delete_session("trip"), lambda: store.add_user_message("trip", "new"))
        assert (deleted, added) == (True, True)
        assert said(store, "trip") in (["new"], [])
        store.delete_session("trip")
        assert rows_of(url) == {}


@pytest.mark.parametrize("exists", [True, False], ids=["exists", "new"])
def test_waiting_is_bounded(url: str, exists: bool) -> None:
    """Whoever waits for longer than its timeout is told so within about that time, and nothing is written."""
    holder = adapter(url)
    if exists:
        holder.add_user_message("trip", "a")
    before = rows_of(url)
    waiter = adapter(url, lock_timeout=0.15)
    tree = HierarchicalSessionStore(storage=waiter)
    actions: list[Callable[[], Any]] = [
        lambda: waiter.add_user_message("trip", "b"),
        lambda: waiter.update_session_metadata("trip", cost=1),
        lambda: tree.set_title("trip", "Porto"),
        lambda: waiter.update("trip", lambda session: session),
    ]
    if exists:
        actions += [lambda: waiter.delete_session("trip"), lambda: waiter.clear_session("trip")]
    with held(holder, "trip"):  # type: ignore[arg-type]
        for action in actions:
            started = time.monotonic()
            with pytest.raises(LockTimeout) as caught:
                action()
            assert 0.12 <= time.monotonic() - started < 2
            assert (caught.value.session_id, caught.value.written) == ("trip", "nothing")
            assert str(caught.value.path).endswith("#trip")
    assert rows_of(url) == before
    assert waiter.add_user_message("trip", "the lock is free")


def test_a_waiting_writer_asks_often(sqlite: str) -> None:
    """SQLite would ask ten times a second, and among busy writers some would never be lucky."""
    store = adapter(sqlite, lock_timeout=0.5)
    asked: list[str] = []
    holding: Any = held(adapter(sqlite), "trip")  # type: ignore[arg-type]
    with before_each_statement(store, asked.append), holding, pytest.raises(LockTimeout):
        store.add_user_message("trip", "a")
    assert asked.count("BEGIN IMMEDIATE") > 15


def test_a_copy_without_its_log_is_used_like_any_other(sqlite: str, tmp_path: Path) -> None:
    """A copy of SQLite's own making is no longer in WAL mode: a commit waits for a reader until `create_schema`."""
    adapter(sqlite).set_chat_history("trip", [{"role": "user", "content": str(number)} for number in range(500)])
    with contextlib.closing(sqlite3.connect(tmp_path / "chats.db")) as connection:
        connection.execute(f"VACUUM INTO '{tmp_path}/copy.db'")
    store = adapter(f"sqlite:///{tmp_path}/copy.db")
    assert store.add_user_message("trip", "a")
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db", check_same_thread=False)) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        rows = reader.execute("SELECT body FROM readfresh_messages")
        rows.fetchone()
        with pytest.raises(LockTimeout):
            adapter(f"sqlite:///{tmp_path}/copy.db", lock_timeout=0.2).add_user_message("trip", "never")
        timer = threading.Timer(0.3, rows.close)
        timer.start()
        assert store.add_user_message("trip", "b")
        timer.join()
    assert said(store, "trip")[500:] == ["a", "b"]
    assert store.create_schema() is False
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_without_a_timeout_nobody_waits(url: str) -> None:
    """`lock_timeout=0` asks once: a free session is written, one that is held is refused at once."""
    holder, waiter = adapter(url), adapter(url, lock_timeout=0)
    assert waiter.add_user_message("trip", "a")
    with held(holder, "trip"):  # type: ignore[arg-type]
        started = time.monotonic()
        with pytest.raises(LockTimeout):
            waiter.add_user_message("trip", "b")
        assert time.monotonic() - started < 1
    assert said(waiter, "trip") == ["a"]


def test_other_sessions_are_not_held_up(postgresql: str) -> None:
    """In PostgreSQL the change of one session holds up no other."""
    holder, other = adapter(postgresql), adapter(postgresql, lock_timeout=0.3)
    with held(holder, "trip"):  # type: ignore[arg-type]
        assert other.add_user_message("other", "a")
        assert other.delete_session("other")


def test_somebody_elses_transaction_is_waited_for(url: str) -> None:
    """A foreign transaction that holds the row, or the whole SQLite file, is a lock like any other."""
    store = adapter(url, lock_timeout=0.3)
    store.add_user_message("trip", "a")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        if url.startswith("sqlite"):
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            connection.execute(sa.text("SELECT * FROM readfresh_sessions FOR UPDATE"))
        with pytest.raises(LockTimeout):
            store.add_user_message("trip", "b")
        assert said(store, "trip") == ["a"]
        connection.rollback()
    assert store.add_user_message("trip", "b")


def test_a_table_that_is_locked_holds_up_a_read_no_longer_than_its_timeout(postgresql: str) -> None:
    """A read waits for a table that an administrator has locked, and says so in time."""
    store = adapter(postgresql, lock_timeout=0.3)
    with rows_at(postgresql) as connection:
        connection.execute(sa.text("LOCK TABLE readfresh_messages"))
        for action in (lambda: store.get_session("trip"), lambda: store.add_user_message("trip", "b")):
            started = time.monotonic()
            with pytest.raises(LockTimeout):
                action()
            assert time.monotonic() - started < 2
