"""What a change reads and writes: the difference, whatever the length of the session."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.cursor import CursorFetchStrategy

from readfresh import DbSessionAdapter, HierarchicalSessionStore, SessionMessage
from readfresh.dialects import SQLite
from tests.database import append_cost
from tests.database.support import rows_at, rows_of


class Watched:
    """How many statements there were, how many rows they gave, and what they wrote and took away, row by row."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.read = 0
        self.written: dict[str, int] = {}

    def __call__(self, _c: object, cursor: Any, statement: str, parameters: Any, _context: object, many: bool) -> None:
        """Look at a statement that has been executed."""
        self.statements.append(re.sub(r"\d+", "0", statement))  # what is left of a timeout is another number each time
        verb, *words = statement.split()
        if verb in ("INSERT", "UPDATE", "DELETE"):
            table = next(word for word in words if word.startswith("readfresh_")).removeprefix("readfresh_")
            count = len(parameters) if many else 1 if verb == "INSERT" else cursor.rowcount
            self.written[f"{verb} {table}"] = self.written.get(f"{verb} {table}", 0) + count

    def straight(self, execute: Any, dialect: Any, connection: sa.Connection, statement: Any, values: Any) -> Any:
        """Look at a statement that SQLite is given past SQLAlchemy."""
        rows = execute(dialect, connection, statement, values)
        driver: Any = connection.connection.dbapi_connection
        changed = SimpleNamespace(rowcount=driver.execute("SELECT changes()").fetchone()[0])
        self(connection, changed, str(statement.compile()), values, None, isinstance(values, list))
        self.read += len(rows)
        return rows


@contextmanager
def watching(store: Any) -> Iterator[Watched]:
    """Watch what a store over a database asks of it."""
    seen = Watched()
    engine = store._storage.database.dialect.writers
    fetchall, fetchone = CursorFetchStrategy.fetchall, CursorFetchStrategy.fetchone

    def all_of(self: Any, *arguments: Any) -> Any:
        rows = fetchall(self, *arguments)
        seen.read += len(rows)
        return rows

    def one_of(self: Any, *arguments: Any, **named: Any) -> Any:
        row = fetchone(self, *arguments, **named)
        seen.read += row is not None
        return row

    sa.event.listen(engine, "after_cursor_execute", seen)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CursorFetchStrategy, "fetchall", all_of)
        patched.setattr(CursorFetchStrategy, "fetchone", one_of)
        execute = SQLite.execute
        patched.setattr(SQLite, "execute", lambda *given: seen.straight(execute, *given))
        yield seen
    sa.event.remove(engine, "after_cursor_execute", seen)


def messages(count: int) -> tuple[SessionMessage, ...]:
    """Return messages that differ."""
    return tuple(SessionMessage("user", f"message {number}", float(number)) for number in range(count))


def filled(url: str, count: int, **arguments: Any) -> HierarchicalSessionStore:
    """Return a store whose session has so many messages, which nobody has waited for."""
    adapter = DbSessionAdapter(url, durability="process")
    adapter.update("trip", lambda session: dataclasses.replace(session, messages=messages(count)))
    return HierarchicalSessionStore(storage=adapter, **arguments)


def test_the_cost_of_a_small_change_does_not_grow(url: str) -> None:
    """At 10, 1,000 and 10,000 messages it takes the same statements, reads as many rows, and writes as many."""
    costs: dict[str, set[tuple[Any, ...]]] = {}
    for count in (10, 1_000, 10_000):
        store = filled(url, count)
        changes = {
            "add_message": lambda: store.add_user_message("trip", "more"),  # noqa: B023 - called at once
            "update_session_metadata": lambda: store.update_session_metadata("trip", cost=1),  # noqa: B023
            "set_agent_info": lambda: store.set_agent_info("trip", agent_name="Ann"),  # noqa: B023
            "set_title": lambda: store.set_title("trip", "Porto"),  # noqa: B023
            "share_session": lambda: store.share_session("trip"),  # noqa: B023
            "create_session": lambda: store.create_session(f"child-{count}", parent_id="trip"),  # noqa: B023
        }
        for name, change in changes.items():
            with watching(store) as seen:
                change()  # type: ignore[no-untyped-call]
            written = tuple(sorted(seen.written.items()))
            costs.setdefault(name, set()).add((tuple(seen.statements), seen.read, written))
        assert len(store.get_session("trip").messages) == count + 1
        for name in ("trip", f"child-{count}"):
            store.delete_session(name)
    assert {name: len(each) for name, each in costs.items()} == dict.fromkeys(costs, 1)
    (added,) = costs.pop("add_message")
    # The row that is locked, with the version of the tables: no message is among them.
    assert added[1:] == (1, (("INSERT messages", 1), ("UPDATE sessions", 1)))
    (child,) = costs.pop("create_session")
    # The parent, then its row again to enter the child in it; the child is a row that was not there, so the version
    # of the tables is asked for by itself.
    assert child[1:] == (4, (("INSERT sessions", 1), ("UPDATE sessions", 2)))
    for ((_, read, written),) in costs.values():
        assert (read, written) == (1, (("UPDATE sessions", 1),))


def test_a_first_message_is_two_rows(url: str) -> None:
    """A session that does not exist yet costs one row more."""
    store = DbSessionAdapter(url, durability="process")
    with watching(store) as seen:
        store.add_user_message("trip", "Porto")
    assert seen.written == {"INSERT sessions": 1, "INSERT messages": 1, "UPDATE sessions": 1}


def written_by(store: Any, change: Any) -> dict[str, int]:
    """Return what a change of the session's messages has written and taken away."""
    with watching(store) as seen:
        change(store)
    seen.written.pop("UPDATE sessions")
    return seen.written


def test_what_is_written_is_the_difference(url: str) -> None:
    """Trimming, replacing, reverting and clearing touch the rows that come and go, and leave the others."""
    store = filled(url, 100, new_id=lambda: "snap")
    whole = store.get_session("trip").messages
    limited = HierarchicalSessionStore(storage=DbSessionAdapter(url, durability="process"), max_messages=100)
    one = {"DELETE messages": 1, "INSERT messages": 1}
    assert written_by(limited, lambda s: s.add_user_message("trip", "more")) == one
    assert written_by(store, lambda s: s.revert_to_message("trip", 97)) == {"DELETE messages": 2}
    assert written_by(store, lambda s: s.set_chat_history("trip", whole[1:99])) == {}
    assert written_by(store, lambda s: s.set_chat_history("trip", whole[11:])) == {
        **{"DELETE messages": 10, "INSERT messages": 1},
    }
    assert written_by(store, lambda s: s.create_snapshot("trip")) == {"INSERT snapshots": 1}
    changed = (*whole[11:99], dataclasses.replace(whole[99], content="changed"))
    assert written_by(store, lambda s: s.set_chat_history("trip", changed)) == one
    assert written_by(store, lambda s: s.revert_to_snapshot("trip", "snap")) == one
    assert written_by(store, lambda s: s.clear_session("trip")) == {"DELETE messages": 89}
    assert written_by(store, lambda s: s.revert_to_snapshot("trip", "snap")) == {"INSERT messages": 89}
    assert store.get_session("trip").messages == whole[11:]
    assert written_by(store, lambda s: s.set_chat_history("trip", [])) == {"DELETE messages": 89}
    assert store.list_sessions()[0]["message_count"] == 0


def test_messages_that_are_alike_are_told_apart(url: str) -> None:
    """Lists in which the same message stands twice are kept as they are given, however they follow each other."""
    store = DbSessionAdapter(url, durability="process")
    a, b, c = (SessionMessage("user", name, 1.0) for name in "abc")
    lists = [(a, b, a, c), (a, c), (c, a, a, b), (a, a, b), (a, b, c), (b, b), (b,), (), (a, a), (a, a, a), (a,)]
    for given in lists:
        store.set_chat_history("trip", given)
        assert store.get_session("trip").messages == given
        assert store.list_sessions()[0]["message_count"] == len(given)


def test_a_list_that_becomes_something_else_leaves_no_rows(url: str) -> None:
    """A plain store that puts a text where another keeps its snapshots finds the text."""
    tree = filled(url, 1)
    tree.create_snapshot("trip")
    plain = DbSessionAdapter(url, durability="process")
    plain.update("trip", lambda session: dataclasses.replace(session, extra={**session.extra, "snapshots": "none"}))
    assert plain.get_session("trip").extra["snapshots"] == "none"
    assert not any("snapshots" in key for key in rows_of(url)["trip"])


def test_a_deleted_session_leaves_no_row(url: str) -> None:
    """All rows of a session go with it, and a new session of the same id begins with none."""
    store = filled(url, 5)
    store.create_snapshot("trip")
    store.delete_session("trip")
    assert rows_of(url) == {}
    store.add_user_message("trip", "new")
    assert len(store.get_session("trip").messages) == 1


def test_rows_that_another_program_has_left_belong_to_nobody(sqlite: str) -> None:
    """A session row deleted by hand takes its key with it: no later session gets its messages."""
    store = filled(sqlite, 5)
    with rows_at(sqlite) as connection:
        connection.execute(sa.text("DELETE FROM readfresh_sessions"))
    store.add_user_message("other", "mine")
    assert [message["content"] for message in store.get_chat_history("other")] == ["mine"]


def test_the_benchmark_runs_through(url: str) -> None:
    """`append_cost` measures what it says; how long it takes is nobody's guarantee."""
    table = append_cost.measured(url, lengths=(10, 20), appends=3)
    assert [length for length, _ in table] == [10, 20]
    assert all(seconds > 0 for _, seconds in table)
