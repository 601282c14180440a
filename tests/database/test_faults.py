"""Servers that are killed, connections that are cut, disks that are full: nothing is lost, nothing stands twice."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import socket
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from readfresh import DbSessionAdapter, LockTimeout, OutcomeUnknown, ReadFailed, SchemaMismatch, WriteFailed, dialects
from readfresh.dialects import dialect_of
from tests.database.proxy import Proxy
from tests.database.support import Worker, in_threads, rows_at, rows_of, said
from tests.database.test_races import adapter, is_waiting
from tests.servers.databases import fresh_database
from tests.servers.given import started, url_of
from tests.servers.own import PostgresServer
from tests.store.support import PATIENCE_SECONDS, descriptors, held, scaled

# The server dies


@pytest.fixture(scope="module")
def _own_server() -> Iterator[PostgresServer]:
    server = started(PostgresServer)
    yield cast("PostgresServer", server)
    server.close()


@pytest.fixture
def own_server(_own_server: PostgresServer) -> PostgresServer:
    """A server that runs, and that the tests of this module may kill."""
    if not _own_server.running:
        _own_server.start()
    return _own_server


def test_what_was_acknowledged_outlives_the_server(own_server: PostgresServer) -> None:
    """The server is killed in the middle of appends by three processes: all that returned is there, nothing twice."""
    url = own_server.new_database()
    store = DbSessionAdapter(url)
    store.create_schema()
    lines: list[str] = []
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("append_until_told", url, name)) for name in "abc"]
        for _ in range(scaled(1, 20)):
            for worker in workers:
                lines += [worker.says() for _ in range(20)]
            own_server.kill()
            own_server.start()
        for worker in workers:
            worker.tell()
            while (line := worker.says()) != "end":
                lines.append(line)
            worker.end()
    answers = {content: answer for answer, content in map(str.split, lines)}
    assert len(answers) == len(lines)
    assert set(answers.values()) <= {"kept", "OutcomeUnknown", "WriteFailed", "LockTimeout"}
    found = said(store, "trip")
    assert len(found) == len(set(found))
    assert {content for content, answer in answers.items() if answer == "kept"} <= set(found)
    assert {answers[content] for content in found} <= {"kept", "OutcomeUnknown"}
    for name in "abc":
        numbers = [int(content[2:]) for content in found if content.startswith(name)]
        assert numbers == sorted(numbers)
    assert store.list_sessions()[0]["message_count"] == len(found)


def test_a_restart_within_the_timeout_is_waited_for(own_server: PostgresServer) -> None:
    """Reads and writes that meet a server which is restarting go on when it is there again."""
    url = own_server.new_database()
    store = DbSessionAdapter(url, lock_timeout=PATIENCE_SECONDS)
    store.create_schema()
    store.add_user_message("trip", "a")
    own_server.kill()
    answers = in_threads(
        own_server.start, lambda: store.add_user_message("trip", "b"), lambda: len(said(store, "trip")) in (1, 2)
    )
    assert answers[1:] == [True, True]
    assert said(store, "trip") == ["a", "b"]


def test_a_server_that_is_away_is_an_error_by_name(own_server: PostgresServer) -> None:
    """Without a server reads and writes fail by name within about the timeout, and work when it is back."""
    store = DbSessionAdapter(own_server.new_database(), lock_timeout=0.3)
    store.create_schema()
    store.add_user_message("trip", "a")
    own_server.stop()
    for error, action in (
        (ReadFailed, lambda: store.get_session("trip")),
        (ReadFailed, lambda: store.list_sessions()),
        (WriteFailed, lambda: store.add_user_message("trip", "b")),
        (WriteFailed, lambda: store.delete_session("trip")),
        (WriteFailed, lambda: store.create_schema()),
    ):
        started = time.monotonic()
        with pytest.raises(error):
            action()
        assert time.monotonic() - started < 2
    assert "ReadFailed" not in repr(store)
    own_server.start()
    assert said(store, "trip") == ["a"]


@pytest.mark.parametrize("accepts", [False, True], ids=["refuses", "says-nothing"])
def test_what_is_no_server_is_an_error_by_name(accepts: bool) -> None:
    """Where nobody listens, or somebody who never answers, the error comes by name and in time."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if accepts:
            listener.listen()
        url = f"postgresql+psycopg://u:secret@127.0.0.1:{listener.getsockname()[1]}/chats"
        started = time.monotonic()
        with pytest.raises(ReadFailed) as caught:
            DbSessionAdapter(url, lock_timeout=0.3).get_session("trip")
        assert time.monotonic() - started < 5  # the driver's own shortest time is 2 s
        assert "secret" not in f"{caught.value!r} {caught.value} {caught.value.path} {caught.value.__cause__}"


def test_a_database_that_does_not_exist_is_an_error_by_name(postgresql: str) -> None:
    """The error says which database it was."""
    url = sa.make_url(postgresql).set(database="nowhere").render_as_string(hide_password=False)
    with pytest.raises(WriteFailed, match="nowhere"):
        DbSessionAdapter(url, lock_timeout=0.1).create_schema()


# The connection is cut


def cut_the_others(url: str) -> int:
    """End every other connection to the database that is inside a transaction; return how many there were."""
    query = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
    )
    with rows_at(url) as connection:
        return int(connection.execute(sa.text(query)).scalar_one())


def test_a_connection_that_is_lost_before_the_commit_costs_nothing(postgresql: str) -> None:
    """The server ends the connection while `change` runs: it runs again, on the newest state, and counts once."""
    store = adapter(postgresql)
    store.add_user_message("trip", "a")
    seen = []

    def change(session: Any) -> Any:
        seen.append([message.content for message in session.messages])
        if len(seen) == 1:
            assert cut_the_others(postgresql) == 1
            in_threads(lambda: adapter(postgresql).add_user_message("trip", "b"))
        return session.with_metadata({"n": session.metadata.get("n", 0) + 1})

    assert store.update("trip", change)
    assert seen == [["a"], ["a", "b"]]
    assert store.get_session("trip").metadata == {"n": 1}


def test_what_change_raises_on_a_lost_connection_comes_out(postgresql: str) -> None:
    """An error of `change` is the one that the caller sees, also when the connection cannot even be rolled back."""
    store = adapter(postgresql)
    store.add_user_message("trip", "a")
    calls = []

    def change(_session: Any) -> Any:
        calls.append(cut_the_others(postgresql))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update("trip", change)
    assert calls == [1]


def test_nothing_to_write_on_a_lost_connection_is_nothing(postgresql: str) -> None:
    """A `change` that changes nothing says so, whatever became of its connection."""
    store = adapter(postgresql)
    store.add_user_message("trip", "a")

    def change(session: Any) -> Any:
        cut_the_others(postgresql)
        return session

    assert store.update("trip", change) is False


def test_an_error_of_another_database_is_no_error_of_ours(url: str) -> None:
    """A `change` that asks a database of its own, and fails there, is not called again, and its error not renamed."""
    store = adapter(url, lock_timeout=1)
    calls = []

    def change(_session: Any) -> Any:
        calls.append(1)
        raise OperationalError("SELECT 1", None, psycopg.OperationalError("the other database is away"))

    with pytest.raises(OperationalError, match="the other database is away"):
        store.update("trip", change)
    assert calls == [1]
    assert rows_of(url) == {}


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("verb", ["add", "create", "delete"])
def test_a_commit_that_nobody_answered_is_unknown(postgresql: str, cut: Any, verb: str) -> None:
    """The connection is cut at the commit, which has reached the server or has not: it is not tried again."""
    direct = adapter(postgresql)
    if verb != "create":
        direct.add_user_message("trip", "a")
    before = rows_of(postgresql)
    with Proxy(postgresql) as proxy:
        store = adapter(proxy.url)
        assert store.get_session("other").messages == ()
        proxy.cut = cut
        with pytest.raises(OutcomeUnknown) as caught:
            store.delete_session("trip") if verb == "delete" else store.add_user_message("trip", "b")
        assert (caught.value.session_id, caught.value.written, proxy.cuts) == ("trip", "unknown", 1)
        if cut == "before":
            assert rows_of(postgresql) == before
        elif verb == "delete":
            assert rows_of(postgresql) == {}
        else:
            assert said(direct, "trip") == (["a", "b"] if verb == "add" else ["b"])
        assert store.add_user_message("trip", "c")  # the next one has a connection of its own
        assert said(store, "trip").count("b") == (cut == "after" and verb != "delete")
        store.close()


@pytest.mark.parametrize("verb", ["add", "delete"])
def test_a_commit_that_fails_is_unknown_and_not_tried_again(
    url: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that was made, and of which the driver says that it failed, is made once."""
    store = adapter(url)
    store.add_user_message("trip", "a")
    dialect = store._database.dialect.writers.dialect
    commits = []

    def fails(connection: Any) -> None:
        connection.commit()
        commits.append(1)
        raise dialect.loaded_dbapi.OperationalError("disk I/O error")

    monkeypatch.setattr(dialect, "do_commit", fails)
    with pytest.raises(OutcomeUnknown, match="disk I/O error"):
        store.delete_session("trip") if verb == "delete" else store.add_user_message("trip", "b")
    assert commits == [1]
    assert said(store, "trip") == ([] if verb == "delete" else ["a", "b"])


def test_a_dead_peer_is_noticed(postgresql: str) -> None:
    """A connection over TCP gives up a server whose machine is gone: the system is told when."""
    with Proxy(postgresql) as proxy:
        store = adapter(proxy.url, lock_timeout=5)
        store.session_exists("trip")
        with store._database.dialect.writers.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert isinstance(raw, psycopg.Connection)
            with socket.socket(fileno=raw.fileno()) as peer:
                assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 5000
                assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 5
                peer.detach()
        store.close()


# The database gives up


def test_a_deadlock_is_resolved_and_the_change_made(postgresql: str) -> None:
    """A foreign transaction and a change wait for each other: the change is undone, and made again."""
    store = adapter(postgresql)
    store.add_user_message("trip", "a")
    calls = []
    engine = sa.create_engine(postgresql, poolclass=sa.NullPool)
    with engine.connect() as foreign:
        # It does not look for deadlocks: the change is the one that is given up.
        foreign.execute(sa.text("SET LOCAL deadlock_timeout = '1h'"))
        foreign.execute(sa.text("LOCK TABLE readfresh_messages IN SHARE MODE"))

        def wants_the_row() -> None:
            foreign.execute(sa.text("SELECT * FROM readfresh_sessions FOR UPDATE"))
            foreign.rollback()

        thread = threading.Thread(target=wants_the_row, daemon=True)

        def change(session: Any) -> Any:
            calls.append(1)
            if len(calls) == 1:
                thread.start()
                is_waiting(postgresql)
            return dataclasses.replace(session, messages=(*session.messages, session.messages[0]))

        assert store.update("trip", change)
        thread.join(PATIENCE_SECONDS)
    assert len(calls) == 2
    assert said(store, "trip") == ["a", "a"]


@contextmanager
def failing(url: str, code: str, times: int, *, at_commit: bool = False) -> Iterator[None]:
    """Let the database refuse so many inserts of a message with this code."""
    kind = "CONSTRAINT TRIGGER t AFTER" if at_commit else "TRIGGER t BEFORE"
    deferred = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
    with rows_at(url) as connection:
        for statement in (
            "CREATE SEQUENCE failures",  # what is drawn from it is not undone
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('failures') <= {times} THEN RAISE EXCEPTION 'given up' USING ERRCODE = '{code}'; END IF; "
            "RETURN NEW; END $$",
            f"CREATE {kind} INSERT ON readfresh_messages {deferred} FOR EACH ROW EXECUTE FUNCTION fail()",
        ):
            connection.exec_driver_sql(statement)
    try:
        yield
    finally:
        with rows_at(url) as connection:
            connection.exec_driver_sql(
                "DROP TRIGGER t ON readfresh_messages; DROP FUNCTION fail; DROP SEQUENCE failures"
            )


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_what_the_database_gives_up_is_done_again(postgresql: str, code: str, at_commit: bool) -> None:
    """A serialization failure or deadlock, at a statement or at the commit, is tried again and counts once."""
    store = adapter(postgresql)
    with failing(postgresql, code, 3, at_commit=at_commit):
        assert store.add_user_message("trip", "a")
    assert said(store, "trip") == ["a"]
    assert store.list_sessions()[0]["message_count"] == 1


@pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
def test_what_the_database_gives_up_for_ever_is_an_error_by_name(postgresql: str, at_commit: bool) -> None:
    """When it never ends the error comes within about the timeout, and nothing is written."""
    store = adapter(postgresql, lock_timeout=0.4)
    with failing(postgresql, "40001", 10**6, at_commit=at_commit):
        started = time.monotonic()
        with pytest.raises(WriteFailed, match="given up"):
            store.add_user_message("trip", "a")
        assert 0.2 <= time.monotonic() - started < 2
    assert rows_of(postgresql) == {}


def test_another_default_isolation_changes_nothing(postgresql: str) -> None:
    """Where the database's own default is SERIALIZABLE, writers at once lose nothing."""
    url = sa.make_url(postgresql)
    options = f"{url.query['options']} -cdefault_transaction_isolation=serializable"
    strict = url.update_query_dict({"options": options}).render_as_string(hide_password=False)
    store = adapter(strict)
    assert in_threads(*[lambda: store.add_user_message("trip", "a")] * 8) == [True] * 8
    assert len(said(store, "trip")) == 8


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        *[("55P03", "busy"), ("40001", "undone"), ("40P01", "undone"), ("42P01", "no schema")],
        *[("57P01", "lost"), ("57P02", "lost"), ("57P03", "lost"), ("08006", "lost"), ("25P03", "lost")],
        *[("53300", "lost"), (None, "lost"), ("57014", "failed"), ("53100", "failed"), ("25006", "failed")],
    ],
)
def test_codes_mean_what_postgresql_says(code: str | None, verdict: str) -> None:
    """Undone is what the server says it has undone; a server that shuts down may have committed."""
    cause = psycopg.OperationalError()
    cause.sqlstate = code
    dialect = dialect_of("postgresql://u@h/d", 1.0, "power")
    assert dialect.verdict(OperationalError("COMMIT", None, cause)) == verdict


# Connections run out


def test_a_pool_without_a_free_connection_is_a_wait_like_any_other(postgresql: str) -> None:
    """When every connection of the adapter is held by a change, the next call is told so in time."""
    store = adapter(postgresql, lock_timeout=0.3)
    with ExitStack() as stack:
        for number in range(15):
            stack.enter_context(held(store, f"trip-{number}"))  # type: ignore[arg-type]
        for action in (lambda: store.add_user_message("more", "a"), lambda: store.get_session("more")):
            started = time.monotonic()
            with pytest.raises(LockTimeout, match="no connection became free"):
                action()
            assert 0.25 <= time.monotonic() - started < 2
    assert store.add_user_message("more", "a")


def test_nobody_waits_twice(postgresql: str) -> None:
    """Whoever has waited for a connection waits for a lock only as long as is left."""
    store = adapter(postgresql, lock_timeout=1)
    with ExitStack() as stack:
        let_go = [stack.enter_context(held(store, f"trip-{number}")) for number in range(15)]  # type: ignore[arg-type]
        timer = threading.Timer(0.7, let_go[1])
        timer.start()
        started = time.monotonic()
        with pytest.raises(LockTimeout):
            store.add_user_message("trip-0", "a")
        assert time.monotonic() - started < 1.5
        timer.join()


# What cannot be stored


def test_a_text_that_the_server_cannot_store_is_named(postgresql: str) -> None:
    """In a database of another encoding the server says which characters it does not have; the old state stands."""
    with fresh_database(url_of(PostgresServer)) as url:
        name = sa.make_url(url).database
        plain = sa.make_url(postgresql).set(drivername="postgresql", query={**sa.make_url(url).query})
        with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as administration:
            administration.execute(f"DROP DATABASE {name}")
            administration.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        store = adapter(url)
        store.create_schema()
        store.add_user_message("trip", "Curaçao")
        with pytest.raises(WriteFailed, match='no equivalent in encoding "LATIN1"'):
            store.add_user_message("trip", "日本")
        assert said(store, "trip") == ["Curaçao"]
        store.close()


# SQLite's own faults


def limited(url: str, pages: int) -> DbSessionAdapter:
    """Return an adapter whose database may have so many pages: a disk that is full."""
    store = adapter(url)
    sa.event.listen(
        store._database.dialect.writers, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count = {pages}")
    )
    return store


def test_a_full_database_keeps_the_old_state(sqlite: str) -> None:
    """What does not fit is an error by name; what was there is read, and can be deleted to make room."""
    store = limited(sqlite, 20)
    store.add_user_message("trip", "a")
    with pytest.raises(WriteFailed, match="full"):
        store.add_user_message("trip", "x" * 200_000)
    with pytest.raises(WriteFailed, match="full"):
        store.add_user_message("new", "x" * 200_000)
    assert said(store, "trip") == ["a"]
    assert not store.session_exists("new")
    assert store.delete_session("trip")


def test_a_file_that_may_not_grow_keeps_what_was_acknowledged(sqlite: str) -> None:
    """Where the system lets no file grow the write fails by name, and every message that returned is read."""
    with Worker("full", sqlite) as worker:
        error, kept, read = worker.end().strip("[]\n").replace('"', "").split(", ")
    assert error in ("WriteFailed", "OutcomeUnknown")
    assert int(kept) > 3
    assert int(kept) == int(read) == len(said(adapter(sqlite), "trip"))


def test_a_file_that_may_not_be_written_is_named(sqlite: str, tmp_path: Path) -> None:
    """A file and folder that this user may not write give errors by name, and stay as they are."""
    adapter(sqlite).add_user_message("trip", "a")
    ours = [path for path in (tmp_path, *tmp_path.parents) if path.owner() == tmp_path.owner() and path.parent != path]
    for path in ours[: len(tmp_path.parts) - len(Path(tempfile.gettempdir()).parts)]:
        path.chmod(path.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    (tmp_path / "chats.db").chmod(0o444)
    before = (tmp_path / "chats.db").read_bytes()
    with Worker("unprivileged", sqlite) as worker:
        said_by_it = worker.end()
    assert said_by_it.count("WriteFailed") == 2
    assert said_by_it.startswith(('["ReadFailed"', "[1,"))
    assert (tmp_path / "chats.db").read_bytes() == before


def test_a_folder_that_may_not_be_entered_is_named(sqlite: str, tmp_path: Path) -> None:
    """Where the system does not even say whether there is a file, the error is one by name."""
    tmp_path.chmod(0o700)
    with Worker("unprivileged", sqlite) as worker:
        assert worker.end().split() == ['["ReadFailed",', '"WriteFailed",', '"WriteFailed"]']


@pytest.mark.parametrize("content", [b"no database at all\n" * 100, bytes(5000), b"SQLite format 3\0" + bytes(8000)])
def test_a_file_that_is_no_database_is_named_and_stays(tmp_path: Path, content: bytes) -> None:
    """Every call on a file that SQLite does not know raises by name, and its bytes stay."""
    path = tmp_path / "chats.db"
    path.write_bytes(content)
    store = DbSessionAdapter(f"sqlite:///{path}", lock_timeout=0.1)
    for action in (
        lambda: store.get_session("trip"),
        lambda: store.list_sessions(),
        lambda: store.add_user_message("trip", "a"),
        lambda: store.create_schema(),
    ):
        with pytest.raises((ReadFailed, WriteFailed, SchemaMismatch)):
            action()
    assert path.read_bytes() == content


@pytest.mark.parametrize("verb", ["get_session", "list_sessions", "add", "delete_session", "update", "exists"])
def test_without_tables_verbs_say_so_and_create_nothing(tmp_path: Path, verb: str) -> None:
    """Where there is no file, or no folder, verbs say what to call first, and create neither."""
    for place in (tmp_path / "chats.db", tmp_path / "nowhere" / "chats.db"):
        store = DbSessionAdapter(f"sqlite:///{place}")
        with pytest.raises(SchemaMismatch, match=r"create_schema\(\)"):
            {  # type: ignore[no-untyped-call]
                "get_session": lambda: store.get_session("trip"),  # noqa: B023 - called at once
                "list_sessions": lambda: store.list_sessions(),  # noqa: B023
                "add": lambda: store.add_user_message("trip", "a"),  # noqa: B023
                "delete_session": lambda: store.delete_session("trip"),  # noqa: B023
                "update": lambda: store.update("trip", lambda session: session),  # noqa: B023
                "exists": lambda: store.session_exists("trip"),  # noqa: B023
            }[verb]()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WriteFailed, match="nowhere"):
        store.create_schema()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_the_old_state_and_no_lock(url: str) -> None:
    """A process that is killed inside `change` blocks nobody, and has changed nothing."""
    store = adapter(url)
    store.add_user_message("trip", "a")
    before = rows_of(url)
    with Worker("die_inside_change", url) as worker:
        worker.says("inside")
        worker.tell()
        assert worker.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    assert rows_of(url) == before
    assert store.add_user_message("trip", "b")


def test_a_killed_process_takes_nothing_along_that_it_was_told_is_kept(sqlite: str, tmp_path: Path) -> None:
    """Killed in the middle of appends, a process leaves a log behind, and all that returned is read from it."""
    for turn in range(scaled(2, 50)):
        with Worker("append_until_told", sqlite, f"w{turn}") as worker:
            lines = [worker.says() for _ in range(20)]
            worker.kill(signal.SIGKILL)
            lines += worker.process.communicate()[0].splitlines()
        found = said(adapter(sqlite), "trip")
        assert {line.split()[1] for line in lines if line.startswith("kept ")} <= set(found)
        assert len(found) == len(set(found))
    with sqlite3.connect(tmp_path / "chats.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_file_that_is_put_in_place_of_another_is_the_one_that_is_used(tmp_path: Path) -> None:
    """A backup that is moved into place while an adapter lives is what the next call reads and writes."""
    url, backup = f"sqlite:///{tmp_path}/chats.db", f"sqlite:///{tmp_path}/backup.db"
    for each, content in ((url, "new"), (backup, "old")):
        adapter(each).create_schema()
        adapter(each).add_user_message("trip", content)
    store = adapter(url)
    assert said(store, "trip") == ["new"]
    (tmp_path / "backup.db").replace(tmp_path / "chats.db")
    assert said(store, "trip") == ["old"]
    store.add_user_message("trip", "more")
    assert said(adapter(url), "trip") == ["old", "more"]


@pytest.mark.parametrize("moved", [False, True], ids=["replaced", "moved-away"])
def test_the_log_of_a_replaced_file_does_not_meet_the_new_one(tmp_path: Path, moved: bool) -> None:
    """What was written last is in the log of the old file: the new one has none of it, the old one all."""
    path, backup = tmp_path / "chats.db", tmp_path / "backup.db"
    adapter(f"sqlite:///{backup}").create_schema()
    adapter(f"sqlite:///{backup}").add_user_message("trip", "old")
    store, reader = adapter(f"sqlite:///{path}"), adapter(f"sqlite:///{path}")
    store.create_schema()
    for number in range(50):
        store.add_user_message("trip", f"new-{number}")
    assert len(said(reader, "trip")) == 50
    assert (tmp_path / "chats.db-wal").stat().st_size > 0
    if moved:
        path.rename(tmp_path / "moved.db")
    backup.replace(path)
    assert said(store, "trip") == ["old"]
    store.add_user_message("trip", "more")
    assert said(reader, "trip") == ["old", "more"]
    reader.close()
    store.close()
    assert said(adapter(f"sqlite:///{path}"), "trip") == ["old", "more"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    if moved:
        assert len(said(adapter(f"sqlite:///{tmp_path}/moved.db"), "trip")) == 50


def test_a_replaced_file_is_used_by_every_process(tmp_path: Path) -> None:
    """Processes that have the old file open meet in the new one, and none takes the log of another away."""
    path, backup = tmp_path / "chats.db", tmp_path / "backup.db"
    for each in (path, backup):
        adapter(f"sqlite:///{each}").create_schema()
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("append_in_two_halves", f"sqlite:///{path}", name, 20)) for name in "abc"]
        for worker in workers:
            worker.says("half")
        backup.replace(path)
        for worker in workers:
            worker.tell()
        for worker in workers:
            worker.says("done")
            worker.end()
    found = said(adapter(f"sqlite:///{path}"), "trip")
    assert sorted(found) == sorted(f"{name}-{number}" for name in "abc" for number in range(10, 20))


def test_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    """A file that is deleted while an adapter lives is missing, and a new one begins empty, whatever was left of it."""
    store = adapter(f"sqlite:///{tmp_path}/chats.db")
    store.create_schema()
    store.add_user_message("trip", "a")
    (tmp_path / "chats.db").unlink()
    with pytest.raises(SchemaMismatch):
        store.add_user_message("trip", "b")
    with pytest.raises(SchemaMismatch):
        store.get_session("trip")
    assert list(tmp_path.iterdir()) == []
    assert store.create_schema() is True
    assert said(store, "trip") == []
    assert store.add_user_message("trip", "c")
    assert said(adapter(store.place), "trip") == ["c"]


def open_files(folder: Path) -> list[str]:
    """Return what this process has open in a folder."""
    return sorted(path for path in descriptors().values() if path.startswith(str(folder)))


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux, which says what is open")


@needs_proc
def test_whoever_does_nothing_has_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment after the last call the file is closed, and is whole without its log."""
    monkeypatch.setattr("readfresh.dialects.IDLE_SECONDS", 0.05)
    store = adapter(f"sqlite:///{tmp_path}/chats.db")
    store.create_schema()
    for turn in range(2):
        store.add_user_message("trip", "a")
        assert open_files(tmp_path)
        for thread in threading.enumerate():
            if thread.name == "readfresh-sweeper":
                thread.join(PATIENCE_SECONDS)
        assert ([path.name for path in tmp_path.iterdir()], open_files(tmp_path)) == (["chats.db"], [])
        assert said(store, "trip") == ["a"] * (turn + 1)


@needs_proc
def test_few_are_kept_open(tmp_path: Path) -> None:
    """Of the connections of many threads a few stay open; whoever closes or drops the adapter leaves none."""
    store = adapter(f"sqlite:///{tmp_path}/chats.db")
    store.create_schema()
    store.add_user_message("trip", "a")
    assert in_threads(*[partial(said, store, "trip")] * 30) == [["a"]] * 30
    logs = [path for path in open_files(tmp_path) if path.endswith("-wal")]  # one a connection
    assert 1 <= len(logs) <= dialects.IDLE_CONNECTIONS
    store.close()
    assert open_files(tmp_path) == []
    store.add_user_message("trip", "a")
    assert open_files(tmp_path)
    del store
    assert open_files(tmp_path) == []


def test_power_is_what_the_database_flushes_for(url: str) -> None:
    """`power` asks both for a flush with each commit, `process` for none."""
    for durability, pragma, setting in (("power", 2, "on"), ("process", 1, "off")):
        store = DbSessionAdapter(url, durability=durability)  # type: ignore[arg-type]
        with store._database.dialect.writers.connect() as connection:
            if url.startswith("sqlite"):
                assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == pragma
                assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            else:
                assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == setting


def test_what_an_administrator_has_made_stronger_stays(postgresql: str) -> None:
    """A server that waits for its replicas goes on doing so."""
    stronger = sa.make_url(postgresql)
    stronger = stronger.update_query_dict({"options": f"{stronger.query['options']} -csynchronous_commit=remote_apply"})
    for durability in ("power", "process"):
        store = DbSessionAdapter(stronger.render_as_string(False), durability=durability)
        with store._database.dialect.writers.connect() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "remote_apply"
