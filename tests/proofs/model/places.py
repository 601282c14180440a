"""Where the model is played: a directory, SQLite, PostgreSQL."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from readfresh import DbSessionAdapter, DefaultSessionStore, HierarchicalSessionStore
from tests.database.support import TABLES, rows_at
from tests.servers.databases import fresh_database
from tests.servers.given import url_of
from tests.servers.own import PostgresServer
from tests.store.support import Store, files_of

TREES = (1, 3, 4)  # the stores, among the five of a place, that are hierarchical
LIMITED, LIMIT = 4, 3  # the one that keeps so many messages


class Place(Protocol):
    """A place for sessions.

    Attributes:
        damages: whether `damage` is there.
    """

    damages: bool

    def open(self, **arguments: Any) -> list[Store]:
        """Return five store objects on the place, which is empty: plain, tree, plain, tree, tree with a limit."""

    def damage(self, session_id: str) -> None:
        """Make the session unreadable, and leave its messages so that they can be rescued."""

    def count(self) -> int:
        """Return how many sessions are there, and whatever else was left."""

    def close(self) -> None:
        """Take all away."""


class Files:
    """A session directory."""

    damages = True

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "sessions"

    def open(self, **arguments: Any) -> list[Store]:
        """Open five stores; they do not wait for the disk, since nobody cuts the power."""
        kinds: list[Any] = [DefaultSessionStore, HierarchicalSessionStore] * 2
        stores: list[Store] = [kind(self.directory, durability="process", **arguments) for kind in kinds]
        limited = HierarchicalSessionStore(self.directory, LIMIT, durability="process", **arguments)
        self._one = stores[0]
        return [*stores, limited]

    def damage(self, session_id: str) -> None:
        """Let the file go on after its end."""
        with open(files_of(self._one).path(session_id), "ab") as file:
            file.write(b"}")

    def count(self) -> int:
        """Count what is no lock."""
        return sum(not path.name.endswith(".lock") for path in self.directory.glob("*"))

    def close(self) -> None:
        """Delete the directory."""
        shutil.rmtree(self.directory, ignore_errors=True)


class Database:
    """A database: two adapters, and three hierarchical stores over them."""

    damages = False

    def __init__(self, url: str) -> None:
        self.url = url
        DbSessionAdapter(url, durability="process").create_schema()

    def open(self, **arguments: Any) -> list[Store]:
        """Open five stores."""
        adapters = [DbSessionAdapter(self.url, durability="process", **arguments) for _ in range(2)]
        trees = [HierarchicalSessionStore(storage=adapter, **arguments) for adapter in adapters]
        limited = HierarchicalSessionStore(None, LIMIT, storage=adapters[0], **arguments)
        stores: list[Any] = [adapters[0], trees[0], adapters[1], trees[1], limited]
        return stores

    def damage(self, session_id: str) -> None:
        """Leave it: rows that another program has damaged have tests of their own."""
        raise NotImplementedError

    def count(self) -> int:
        """Count the sessions, and what belongs to none."""
        of_none = " WHERE session NOT IN (SELECT key FROM readfresh_sessions)"
        messages, snapshots, sessions = TABLES
        with rows_at(self.url) as connection:
            return sum(
                connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0
                for table in (sessions, messages + of_none, snapshots + of_none)
            )

    def close(self) -> None:
        """Empty the tables."""
        with rows_at(self.url) as connection:
            for table in TABLES:
                connection.execute(sa.text(f"DELETE FROM {table}"))


@contextmanager
def files(folder: Path) -> Iterator[Place]:
    """Give a directory."""
    yield Files(folder)


@contextmanager
def sqlite(folder: Path) -> Iterator[Place]:
    """Give a SQLite database."""
    yield Database(f"sqlite:///{folder}{os.sep}sessions.db")


@contextmanager
def postgresql(_folder: Path) -> Iterator[Place]:
    """Give a PostgreSQL database of its own."""
    with fresh_database(url_of(PostgresServer)) as url:
        yield Database(url)
