"""The tables: made once, by whoever is first; migrated with what is in them; refused when they are newer."""

from __future__ import annotations

import signal
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from readfresh import (
    DbSessionAdapter,
    HierarchicalSessionStore,
    LockTimeout,
    SchemaMismatch,
    SessionData,
    WriteFailed,
)
from readfresh import database as module
from readfresh.disk import Disk
from tests.database.support import Worker, in_threads, rows_at, rows_of, said
from tests.database.test_races import adapter, is_waiting
from tests.store.support import PATIENCE_SECONDS, held


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/chats.db"
    url: str = request.getfixturevalue("postgresql_url")
    return url


def tables(url: str) -> list[str]:
    """Return the names of the tables."""
    with rows_at(url) as connection:
        return sorted(sa.inspect(connection).get_table_names())


ALL = ["readfresh_messages", "readfresh_schema", "readfresh_sessions", "readfresh_snapshots"]


def test_the_tables_are_made_once(empty: str) -> None:
    """`create_schema` makes them, says so, and the second time finds them; what is in them stays."""
    store = adapter(empty)
    with pytest.raises(SchemaMismatch, match=r"create_schema\(\)"):
        store.add_user_message("trip", "a")
    assert store.create_schema() is True
    store.add_user_message("trip", "a")
    before = rows_of(empty)
    assert adapter(empty).create_schema() is False
    assert (rows_of(empty), tables(empty)) == (before, sorted([*ALL, *[t for t in tables(empty) if t not in ALL]]))


def test_eight_processes_make_them_at_once(empty: str) -> None:
    """Of eight that start together one makes the tables, and all of them write."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker("make_schema", empty)) for _ in range(8)]
        for worker in workers:
            worker.says("ready")
        for worker in workers:
            worker.tell()
        made = [(worker.says(), worker.says()) for worker in workers]
        for worker in workers:
            worker.end()
    assert sorted(made) == [("false", "true")] * 7 + [("true", "true")]
    assert said(adapter(empty), "trip") == ["works"] * 8


def test_eight_threads_make_them_at_once(empty: str) -> None:
    """Of eight threads, each with an adapter of its own, one makes the tables."""
    answers = in_threads(*[adapter(empty).create_schema for _ in range(8)])
    assert sorted(answers) == [False] * 7 + [True]


@pytest.mark.parametrize("statements", [0, 1, 2, 3])
def test_nothing_is_half_made(empty: str, statements: int) -> None:
    """Killed after any statement, the maker leaves no table, and the next one makes them all."""
    with Worker("die_making_schema", empty, statements) as worker:
        assert worker.process.wait(PATIENCE_SECONDS) == -signal.SIGKILL
    assert tables(empty) == []
    with pytest.raises(SchemaMismatch):
        adapter(empty).get_session("trip")
    assert adapter(empty).create_schema() is True
    assert adapter(empty).add_user_message("trip", "a")


SECOND = ("ALTER TABLE readfresh_sessions ADD COLUMN colour TEXT",)


def test_older_tables_are_migrated_with_what_is_in_them(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later version refuses the older tables until they have been migrated; what is in them is kept."""
    adapter(empty).create_schema()
    store = HierarchicalSessionStore(storage=adapter(empty), new_id=lambda: "snap")
    store.add_user_message("trip", "a")
    store.create_snapshot("trip")
    before = store.export_session("trip")
    monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, SECOND))
    with pytest.raises(SchemaMismatch, match="version 1, and this readfresh needs version 2"):
        store.get_session("trip")
    with pytest.raises(SchemaMismatch):
        store.add_user_message("trip", "b")
    assert adapter(empty).create_schema() is True
    assert adapter(empty).create_schema() is False
    assert store.export_session("trip") == before
    assert store.add_user_message("trip", "b")
    with rows_at(empty) as connection:
        assert connection.execute(sa.text("SELECT colour FROM readfresh_sessions")).scalar() is None


def test_newer_tables_are_refused_and_stay(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of this version stops as soon as a newer one has migrated the tables, though it began before."""
    store = adapter(empty)
    store.create_schema()
    store.add_user_message("trip", "a")
    with monkeypatch.context() as newer:
        newer.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, SECOND))
        adapter(empty).create_schema()
    before = rows_of(empty)
    for action in (
        lambda: store.get_session("trip"),
        lambda: store.list_sessions(),
        lambda: store.session_exists("trip"),
        lambda: store.add_user_message("trip", "b"),
        lambda: store.delete_session("trip"),
        lambda: store.create_schema(),
    ):
        with pytest.raises(SchemaMismatch, match="knows versions up to 1") as caught:
            action()
        assert "Upgrade readfresh" in str(caught.value)
    assert rows_of(empty) == before


def test_a_migration_waits_for_the_changes_under_way(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that has begun on the older tables is committed before they are migrated; later ones are refused."""
    store = adapter(empty)
    store.create_schema()
    migrated: list[Any] = []
    with held(store, "trip", first=1), monkeypatch.context() as newer:  # type: ignore[arg-type]
        newer.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, SECOND))
        thread = threading.Thread(target=lambda: migrated.append(adapter(empty).create_schema()), daemon=True)
        with pytest.raises(LockTimeout):
            adapter(empty, lock_timeout=0.2).create_schema()
        thread.start()
        if empty.startswith("postgresql"):
            is_waiting(empty)
        assert migrated == []
        # The change under way is of the older version.
        newer.undo()
        monkeypatch.setattr(module, "MIGRATIONS", (*module.MIGRATIONS, SECOND))
    thread.join(PATIENCE_SECONDS)
    assert migrated == [True]
    assert store.get_session("trip").metadata == {"first": 1}


def test_waiting_for_another_maker_is_bounded(empty: str) -> None:
    """Where somebody else holds the tables the error comes in time, and nothing is made."""
    with ExitStack() as stack:
        engine = sa.create_engine(empty, poolclass=sa.NullPool)
        connection = stack.enter_context(engine.connect())
        if empty.startswith("sqlite"):
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            key = DbSessionAdapter(empty)._database.dialect._TABLES_LOCK  # type: ignore[attr-defined]
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        started = time.monotonic()
        with pytest.raises(LockTimeout):
            adapter(empty, lock_timeout=0.3).create_schema()
        assert time.monotonic() - started < 2
        connection.rollback()
    assert adapter(empty).create_schema() is True


def test_tables_that_are_there_need_no_right_to_make_them(postgresql_url: str) -> None:
    """A user who may use the tables and make none calls `create_schema` without harm."""
    adapter(postgresql_url).create_schema()
    url = sa.make_url(postgresql_url)
    name = f"guest_{url.database}"
    with rows_at(postgresql_url) as connection:
        for statement in (
            f"CREATE ROLE {name} LOGIN",
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        ):
            connection.execute(sa.text(statement))
    guest = adapter(url.set(username=name).render_as_string(hide_password=False))
    try:
        assert guest.create_schema() is False
        assert guest.add_user_message("trip", "a")
        guest.close()
    finally:
        with rows_at(postgresql_url) as connection:
            connection.execute(sa.text(f"DROP OWNED BY {name}"))
            connection.execute(sa.text(f"DROP ROLE {name}"))


# The file of SQLite


def test_the_file_is_private(tmp_path: Path) -> None:
    """The file, and the two that SQLite keeps beside it, are nobody else's."""
    store = adapter(f"sqlite:///{tmp_path}/chats.db")
    store.create_schema()
    with held(store, "trip", first=1):  # type: ignore[arg-type]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"chats.db": 0o600, "chats.db-wal": 0o600, "chats.db-shm": 0o600}


def test_the_name_of_the_file_reaches_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes the tables has flushed the folder: who made the file may have died before it came to that."""
    flushed = []
    monkeypatch.setattr(Disk, "sync_directory", lambda _, directory: flushed.append(directory))
    (tmp_path / "chats.db").touch()
    url = f"sqlite:///{tmp_path}/chats.db"
    assert adapter(url).create_schema() is True
    assert flushed == [str(tmp_path)]


def test_tables_that_are_there_are_no_reason_to_wait(empty: str) -> None:
    """A worker that calls `create_schema` at its start waits for nobody's change."""
    store = adapter(empty)
    store.create_schema()
    answers = []

    def change(session: SessionData) -> SessionData:
        with ThreadPoolExecutor(1) as other:
            answers.append(other.submit(DbSessionAdapter(empty, lock_timeout=0.1).create_schema).result())
        return session

    store.update("trip", change)
    assert answers == [False]


def test_nobody_opens_the_file_while_it_is_made(tmp_path: Path) -> None:
    """Closing a file lets go what the process has locked of it: until it is closed no thread may lock it."""
    created, go_on = threading.Event(), threading.Event()

    class Slow(Disk):
        def close(self, descriptor: int) -> None:
            """Wait before it is closed."""
            created.set()
            assert go_on.wait(PATIENCE_SECONDS)
            super().close(descriptor)

    url = f"sqlite:///{tmp_path}/chats.db"
    slow, other = adapter(url), adapter(url)
    slow._database.dialect.disk = Slow()  # type: ignore[attr-defined]
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda s=s: answers.append(s.create_schema()), daemon=True) for s in (slow, other)
    ]
    threads[0].start()
    assert created.wait(PATIENCE_SECONDS)
    threads[1].start()
    threads[1].join(0.3)
    assert answers == []
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert sorted(answers) == [False, True]


@pytest.mark.parametrize(
    "name",
    ["a b.db", "a%41.db", "a%2Fb.db", "a#b.db", "a&b=c.db", "日本.db", "'a\".db", "a\nb.db", "~.db", "%.db", "+.db"],
)
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    """The name is taken as it stands: one file of that name is made, and used."""
    url = sa.URL.create("sqlite", database=str(tmp_path / name)).render_as_string()
    store = DbSessionAdapter(url, durability="process")
    store.create_schema()
    store.add_user_message("trip", "a")
    assert said(DbSessionAdapter(url), "trip") == ["a"]
    store.close()
    made = [path.name for path in tmp_path.iterdir()]
    assert made == [sa.make_url(url).database.split("/")[-1]]  # type: ignore[union-attr]
    assert made == [name]


def test_a_relative_name_is_that_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative file stays where it was when the adapter was made, wherever the process goes."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = DbSessionAdapter("sqlite:///chats.db")
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.create_schema()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chats.db", "elsewhere"]
    assert repr(store) == "<DbSessionAdapter 0 sessions in sqlite:///chats.db>"


@pytest.mark.parametrize(
    ("url", "error"),
    [
        *(
            (None, TypeError),
            (5, TypeError),
            (b"sqlite:///x.db", TypeError),
            ("", ValueError),
            ("chats.db", ValueError),
        ),
        *(("sqlite://", ValueError), ("sqlite:///:memory:", ValueError), ("sqlite:///file:x?uri=true", ValueError)),
        *(("sqlite:///x.db?mode=ro", ValueError), ("mysql://u@h/d", ValueError), ("oracle://u@h/d", ValueError)),
        *(("postgresql+asyncpg://u@h/d", ValueError), ("postgresql://u@h:port/d", ValueError)),
        *(("sqlite:///a\0b", ValueError), ("postgresql+psycopg2://u@h/d", ValueError)),
    ],
)
def test_what_is_no_url_of_ours_is_named(url: Any, error: type[Exception]) -> None:
    """A wrong URL is refused when the adapter is made."""
    with pytest.raises(error, match=r"^url\b"):
        DbSessionAdapter(url)


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:secret@h/d", "postgresql+psycopg://u@h/d?password=secret&sslpassword=secret&sslmode=disable"],
)
def test_no_password_is_shown(url: str) -> None:
    """Neither `repr` nor an error nor its cause holds the password."""
    store = DbSessionAdapter(url.replace("@h/", "@127.0.0.1:1/"), lock_timeout=0)
    with pytest.raises(WriteFailed) as caught:
        store.add_user_message("trip", "a")
    shown = f"{store!r} {store.place} {caught.value} {caught.value!r} {caught.value.path} {caught.value.__cause__}"
    assert "secret" not in shown
    assert "127.0.0.1" in shown


def test_a_database_has_one_name() -> None:
    """However the driver is spelt, the place is called as the adapter takes it: a move knows it again."""
    urls = [f"{scheme}://u@h/d" for scheme in ("postgres", "postgresql", "postgresql+psycopg")]
    assert {DbSessionAdapter(url).place for url in urls} == {"postgresql+psycopg://u@h/d"}


def test_no_message_is_shown(url: str) -> None:
    """An error of the database does not repeat what was to be written, which may be anybody's secret."""
    store = adapter(url)
    with rows_at(url) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO readfresh_sessions (name, fields, message_count, next_position) VALUES (:n, :f, 0, 0)"
            ),
            {"n": "trip", "f": '{"schema_version": 1, "session_id": "trip"}'},
        )
        connection.execute(sa.text("INSERT INTO readfresh_messages SELECT key, 0, '{}' FROM readfresh_sessions"))
    with pytest.raises(WriteFailed) as caught:  # the position is taken
        store.add_user_message("trip", "a secret")
    assert "secret" not in f"{caught.value} {caught.value.__cause__} {caught.value.__cause__!r}"


def test_wrong_arguments_are_named() -> None:
    """An adapter is not made with an argument that it could not use, and a store has no storage of another kind."""
    url = "sqlite:///x.db"
    wrong: list[tuple[str, Callable[[], Any]]] = [
        ("lock_timeout", lambda: DbSessionAdapter(url, lock_timeout=-1)),
        ("lock_timeout", lambda: DbSessionAdapter(url, lock_timeout="5")),  # type: ignore[arg-type]
        ("durability", lambda: DbSessionAdapter(url, durability="disk")),  # type: ignore[arg-type]
        ("max_messages", lambda: DbSessionAdapter(url, max_messages=0)),
        ("on_error", lambda: DbSessionAdapter(url, on_error=5)),  # type: ignore[arg-type]
        ("session_dir", lambda: HierarchicalSessionStore("x", storage=DbSessionAdapter(url))),
        ("storage", lambda: HierarchicalSessionStore(storage=url)),  # type: ignore[arg-type]
    ]
    for name, make in wrong:
        with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
            make()


@pytest.mark.parametrize("seconds", [threading.TIMEOUT_MAX, 1e6, 3e6, 0.0004])
def test_any_timeout_can_be_kept(url: str, seconds: float) -> None:
    """A timeout beyond what a database can count waits as long as it can."""
    store = adapter(url, lock_timeout=seconds)
    with held(store, "trip", first=1) as let_go:  # type: ignore[arg-type]
        timer = threading.Timer(0.3, let_go)
        timer.start()
        if seconds < 1:
            with pytest.raises(LockTimeout):
                store.add_user_message("trip", "a")
        else:
            assert store.add_user_message("trip", "a")
        timer.join()
