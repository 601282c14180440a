"""Processes: forked, spawned, sent elsewhere. A child never disturbs its parent."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from readfresh import DbSessionAdapter, HierarchicalSessionStore, SessionNotFound, StoreMisused
from readfresh import database as module
from tests.database.support import Worker, in_threads, rows_at, rows_of, said
from tests.database.test_races import adapter
from tests.store import children
from tests.store.support import PATIENCE_SECONDS, held, scaled


def in_a_fork(action: Callable[[], Any]) -> str:
    """Return what the action answered in a forked child, or the name of what it raised."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE_SECONDS)
        try:
            answer = str(action())
        except BaseException as error:
            answer = type(error).__name__
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return answer


def test_a_child_works_with_the_adapter_of_its_parent(url: str) -> None:
    """A forked child reads and writes with what it has inherited, and the parent goes on as before."""
    store = adapter(url)
    store.add_user_message("trip", "parent")

    def work() -> list[Any]:
        for number in range(5):
            store.add_user_message("trip", f"child-{number}")
        store.close()
        return said(store, "trip")

    both = ["parent", *[f"child-{number}" for number in range(5)]]
    assert in_a_fork(work) == str(both)
    assert said(store, "trip") == both
    assert store.add_user_message("trip", "parent again")
    assert in_a_fork(lambda: in_a_fork(lambda: len(said(store, "trip")))) == "7"


def test_children_and_parent_at_once(url: str) -> None:
    """Four forked children and their parent append at the same time: every message is there, once."""
    store = adapter(url)
    store.add_user_message("trip", "first")

    def work(name: str) -> Callable[[], Any]:
        return lambda: [store.add_user_message("trip", f"{name}-{number}") for number in range(10)] and "done"

    going, started = [], []
    for name in "abcd":
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE_SECONDS)
            os.read(reading, 1)
            os._exit(0 if work(name)() == "done" else 1)
        going.append(child)
        started.append(writing)
        os.close(reading)
    for writing in started:
        os.write(writing, b"x")
        os.close(writing)
    work("p")()
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in going] == [0] * 4
    assert sorted(said(store, "trip")) == sorted(
        ["first", *[f"{name}-{number}" for name in "abcdp" for number in range(10)]]
    )


def test_a_fork_inside_change(url: str) -> None:
    """The child is told that it cannot write there; the parent's transaction goes on, and is committed."""
    store = adapter(url, lock_timeout=0.5)
    store.add_user_message("trip", "a")
    answers = []

    def change(session: Any) -> Any:
        child = os.fork()
        if child == 0:
            return session.with_metadata({"child": True})
        answers.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return session.with_metadata({"parent": True})

    parent = os.getpid()
    try:
        store.update("trip", change)
    except BaseException as error:
        if os.getpid() == parent:
            raise
        told = isinstance(error, StoreMisused)
        # SQLite cannot lock a file in a process that was forked while it was open; PostgreSQL has new connections.
        usable = in_threads(lambda: said(store, "trip"), lambda: said(DbSessionAdapter(url), "trip"))
        fine = all(isinstance(each, StoreMisused) if url.startswith("sqlite") else each == ["a"] for each in usable)
        os._exit(0 if told and fine else 1)
    assert answers == [0]
    assert store.get_session("trip").metadata == {"parent": True}
    assert store.add_user_message("trip", "b")


def test_a_child_that_ends_like_any_program_leaves_the_parents_transaction(url: str) -> None:
    """A child that was forked inside `change` and ends with its interpreter closes nothing of its parent's."""
    program = f"""
import os, sys
from readfresh import DbSessionAdapter, StoreMisused
store = DbSessionAdapter({url!r}, durability="process")
def change(session):
    child = os.fork()
    if child == 0:
        return session
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    return session.with_metadata({{"parent": 1}})
try:
    store.update("trip", change)
except StoreMisused:
    sys.exit(7)
store.add_user_message("trip", "and on")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert adapter(url).get_session("trip").metadata == {"parent": 1}
    assert said(adapter(url), "trip") == ["and on"]


def test_a_fork_while_another_thread_changes(url: str) -> None:
    """PostgreSQL: the child waits for the parent's thread as for any process. SQLite: it says why it cannot."""
    store = adapter(url, lock_timeout=0.3)
    store.add_user_message("trip", "a")
    with held(store, "trip", held=True):  # type: ignore[arg-type]
        answer = in_a_fork(lambda: store.add_user_message("trip", "child"))
        assert answer == ("StoreMisused" if url.startswith("sqlite") else "LockTimeout")
        reads = in_a_fork(lambda: said(store, "trip"))
        assert reads == ("StoreMisused" if url.startswith("sqlite") else "['a']")
    assert store.get_session("trip").metadata == {"held": True}
    assert in_a_fork(lambda: store.add_user_message("trip", "child")) == "True"
    assert said(store, "trip") == ["a", "child"]
    assert not module._torn


def test_what_a_child_wrote_outlives_its_parents_connections(sqlite: str) -> None:
    """A child goes on when its parent has closed everything and a third process has come and gone."""
    store = adapter(sqlite)
    store.add_user_message("trip", "parent")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE_SECONDS)
        store.add_user_message("trip", "child-1")
        os.read(reading, 1)
        store.add_user_message("trip", "child-2")
        os._exit(0)
    store.close()
    with Worker("append", sqlite, "third", 3) as worker:
        worker.says("ready")
        worker.tell()
        worker.says("done")
        worker.end()
    os.write(writing, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sorted(said(store, "trip")) == ["child-1", "child-2", "parent", "third-0", "third-1", "third-2"]


def test_a_fork_finds_nothing_open(sqlite: str) -> None:
    """What is kept for the next call is closed before a fork; of a thread that sweeps nothing is left beside it."""
    store, other = adapter(sqlite), adapter(sqlite)
    store.add_user_message("trip", "a")
    assert said(other, "trip") == ["a"]
    assert any(thread.name == "readfresh-sweeper" for thread in threading.enumerate())

    dialects: list[Any] = [each._database.dialect for each in (store, other)]

    def alone() -> list[Any]:
        return [[len(dialect._idle) for dialect in dialects], threading.active_count()]

    # The hooks of the parent have run before the child begins.
    assert in_a_fork(alone) == "[[0, 0], 1]"
    assert [dialect._idle for dialect in dialects] == [[], []]
    assert not any(thread.name == "readfresh-sweeper" for thread in threading.enumerate())
    assert said(store, "trip") == ["a"]


def test_forks_beside_threads_that_write(sqlite: str) -> None:
    """However a fork falls among calls of other threads, the child works or is refused; nothing is lost by either."""
    store = adapter(sqlite)
    store.add_user_message("trip", "first")
    ended = threading.Event()
    kept = []

    def write() -> None:
        while not ended.is_set():
            store.add_user_message("trip", "parent")
            kept.append("parent")
            ended.wait(0.001)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    for _ in range(scaled(10, 300)):
        answer = in_a_fork(lambda: store.add_user_message("trip", "child"))
        assert answer in ("True", "StoreMisused")
        kept += ["child"] if answer == "True" else []
    ended.set()
    thread.join(PATIENCE_SECONDS)
    found = said(store, "trip")
    assert sorted(found) == sorted(["first", *kept])
    store.close()
    assert said(adapter(sqlite), "trip") == found


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="calls fork(2) of Linux by its name")
def test_a_fork_that_tells_nobody_is_noticed(sqlite: str) -> None:
    """A child that C has forked, past Python's hooks, refuses the file that it has inherited open."""
    program = f"""
import ctypes, os
from readfresh import DbSessionAdapter, StoreMisused
store = DbSessionAdapter({sqlite!r}, durability="process")
store.add_user_message("trip", "a")
child = ctypes.PyDLL(None).fork()
if child == 0:
    for again in range(2):
        try:
            store.add_user_message("trip", "b")
        except StoreMisused:
            continue
        os._exit(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
store.add_user_message("trip", "c")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert said(adapter(sqlite), "trip") == ["a", "c"]


def test_an_adapter_can_be_sent_elsewhere(url: str) -> None:
    """A pickled adapter, or a store over one, is another on the same database, with the same settings."""
    store = DbSessionAdapter(url, max_messages=2, lock_timeout=1.5, durability="process")
    for number in range(3):
        store.add_user_message("trip", str(number))
    for sent in (store, HierarchicalSessionStore(storage=store, max_messages=2)):
        copy = pickle.loads(pickle.dumps(sent))
        assert type(copy) is type(sent)
        assert said(copy, "trip") == ["1", "2"]
        assert (copy.max_messages, copy.lock_timeout, copy.durability) == (2, 1.5, "process")
        storage: Any = copy._storage
        assert storage.database is not store._database
        storage.database.close()


def test_adapters_and_errors_cross_to_spawned_processes(url: str) -> None:
    """`multiprocessing` with spawn sends the adapter there, and errors back."""
    store = adapter(url)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        sent = [pool.submit(children.send, store, "trip", str(number)) for number in range(4)]  # type: ignore[arg-type]
        assert [each.result(PATIENCE_SECONDS) for each in sent] == [True] * 4
        tree = HierarchicalSessionStore(storage=store)
        with pytest.raises(SessionNotFound) as caught:
            pool.submit(tree.export_session, "nobody").result(PATIENCE_SECONDS)
        assert caught.value.session_id == "nobody"
    assert sorted(said(store, "trip")) == ["0", "1", "2", "3"]


def test_an_adapter_that_is_dropped_leaves_no_connection(postgresql: str) -> None:
    """Whoever drops an adapter, or closes it, gives its connections back."""
    marked = sa.make_url(postgresql).update_query_dict({"application_name": "dropped"})

    # The server takes a moment to see a connection go.
    def settled(wanted: int) -> bool:
        found = -1
        deadline = time.monotonic() + PATIENCE_SECONDS
        while found != wanted and time.monotonic() < deadline:
            threading.Event().wait(0.01)
            with rows_at(postgresql) as connection:
                query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dropped'"
                found = int(connection.exec_driver_sql(query).scalar_one())
        return found == wanted

    store = adapter(marked.render_as_string(hide_password=False))
    store.add_user_message("trip", "a")
    assert settled(1)
    store.close()
    assert settled(0)
    assert store.add_user_message("trip", "b")
    assert settled(1)
    del store
    assert settled(0)


def test_rows_are_as_they_were_after_a_misuse(url: str) -> None:
    """A store that is called inside `change` is refused at once, whichever it is, and nothing is written."""
    store, other = adapter(url), adapter(url)
    store.add_user_message("trip", "a")
    before = rows_of(url)
    for inner in (store, other, HierarchicalSessionStore(storage=store)):
        for call in (
            lambda: inner.add_user_message("other", "b"),  # noqa: B023 - called at once
            lambda: inner.get_session("trip"),  # noqa: B023
            lambda: inner.list_sessions(),  # noqa: B023
            lambda: inner.delete_session("trip"),  # noqa: B023
        ):
            with pytest.raises(StoreMisused):
                store.update("trip", lambda session, call=call: (call(), session)[1])  # type: ignore[misc]
    assert rows_of(url) == before
