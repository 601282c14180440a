"""What the tests of the databases share: databases that stand for directories, and a look at their rows."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from readfresh import DbSessionAdapter, dialects
from readfresh.codec import encode_object
from readfresh.names import SUFFIX
from readfresh.storage import SessionStorage
from tests.store.support import PATIENCE_SECONDS, ROOT, Child

TABLES = ("readfresh_messages", "readfresh_snapshots", "readfresh_sessions")


class Databases:
    """Databases of one kind, one for each directory that a test names.

    They are made without waiting for the disk: no test of these cuts the power.
    """

    def __init__(self, new_url: Callable[[Path], str]) -> None:
        self._new_url = new_url
        self._urls: dict[Path, str] = {}

    def url(self, directory: Path) -> str:
        """Return the URL of the directory's database, whose tables are made for the first who asks."""
        if directory not in self._urls:
            self._urls[directory] = self._new_url(directory)
            DbSessionAdapter(self._urls[directory], durability="process").create_schema()
        return self._urls[directory]

    def adapter(self, directory: Path, **arguments: Any) -> DbSessionAdapter:
        """Return an adapter on the directory's database."""
        return DbSessionAdapter(self.url(directory), **{"durability": "process", **arguments})

    def contents(self, directory: Path, *, locks: bool = False) -> dict[str, Any]:
        """Return every row of every session, by the session's name."""
        del locks  # a database keeps none
        if directory not in self._urls:
            return {}
        return rows_of(self._urls[directory])

    def write_json(self, directory: Path, name: str, data: Mapping[str, Any]) -> None:
        """Put a session into the database, as another program does."""
        put_rows(self.url(directory), name, data)

    def close(self) -> None:
        """Empty the databases."""
        for url in self._urls.values():
            with rows_at(url) as connection:
                for table in TABLES:
                    connection.execute(sa.text(f"DELETE FROM {table}"))


@contextmanager
def rows_at(url: str) -> Iterator[sa.Connection]:
    """Give a connection of the test's own, whose changes are committed at the end."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        yield connection


def rows_of(url: str) -> dict[str, Any]:
    """Return every row of every session, by the session's name."""
    found: dict[str, Any] = {}
    names: dict[int, str] = {}
    with rows_at(url) as connection:
        for row in connection.execute(sa.text("SELECT * FROM readfresh_sessions")):
            names[row.key] = row.name
            found[row.name] = {"row": tuple(row)}
        for table in TABLES[:2]:
            query = f"SELECT session, position, CAST(body AS TEXT) FROM {table} ORDER BY session, position"
            for session, position, body in connection.execute(sa.text(query)):
                found.setdefault(names.get(session, f"nobody {session}"), {})[f"{table} {position}"] = body
    return found


def put_rows(url: str, name: str, data: Mapping[str, Any]) -> None:
    """Put a session into the database, as another program does."""
    fields = {"schema_version": 1, **data}
    lists = {"readfresh_messages": fields.pop("messages", []), "readfresh_snapshots": []}
    if snapshots := fields.get("snapshots"):
        lists["readfresh_snapshots"] = snapshots
        del fields["snapshots"]
    with rows_at(url) as connection:
        key = connection.execute(
            sa.text(
                "INSERT INTO readfresh_sessions (name, fields, message_count, next_position) "
                "VALUES (:name, :fields, :count, :next) RETURNING key"
            ),
            {
                "name": name.removesuffix(SUFFIX),
                "fields": json.dumps(fields),
                "count": len(lists["readfresh_messages"]),
                "next": 1000,
            },
        ).scalar()
        for table, items in lists.items():
            for position, item in enumerate(items):
                connection.execute(
                    sa.text(f"INSERT INTO {table} (session, position, body) VALUES (:key, :position, :body)"),
                    {"key": key, "position": position, "body": encode_object(item)},
                )


class Untouched:
    """A storage that must not be touched: whatever asks for one of its methods fails the test."""

    place = "nowhere"
    lock_timeout = 5.0
    durability = "power"

    def storage_for(self, _session_type: object) -> SessionStorage[Any]:
        """Return itself."""
        return self

    def __getattr__(self, name: str) -> Any:
        """Refuse every method."""
        raise AssertionError(f"the storage was asked to {name}")


class Worker(Child):
    """A process that runs a function of `tests.database.children`, and speaks with the test by lines."""

    def __init__(self, role: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.database.children", role, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def before_statements(action: Callable[[sa.Connection, str], object]) -> Iterator[None]:
    """Let something happen before each statement of any adapter: through SQLAlchemy, or past it to SQLite's driver."""
    told = dialects._told

    def executes(connection: sa.Connection, _cursor: object, text: str, *_: object) -> None:
        action(connection, text)

    def tells(connection: sa.Connection, text: str, *values: Any, **how: Any) -> Any:
        action(connection, text)
        return told(connection, text, *values, **how)

    sa.event.listen(sa.Engine, "before_cursor_execute", executes)
    dialects._told = tells
    try:
        yield
    finally:
        dialects._told = told
        sa.event.remove(sa.Engine, "before_cursor_execute", executes)


def in_threads(*actions: Callable[[], Any]) -> list[Any]:
    """Run each action in a thread of its own, all at once, and return what they answered, or raised."""
    barrier = threading.Barrier(len(actions))
    answers: list[Any] = [None] * len(actions)

    def run(number: int, action: Callable[[], Any]) -> None:
        barrier.wait(PATIENCE_SECONDS)
        try:
            answers[number] = action()
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "an action did not end"
    return answers


def said(store: Any, session_id: str) -> list[Any]:
    """Return the contents of a session's messages."""
    return [message.content for message in store.get_session(session_id).messages]
