"""Our own stores, as the kit makes them. Each of the guarantees is to be kept by all of them."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from readfresh import DbSessionAdapter, DefaultSessionStore, HierarchicalSessionStore
from tests.peers.adapter import Peer

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class InDatabase(Peer):
    """A store over a database, whose rows the kit cannot find by itself.

    Args:
        url: gives the URL of what is kept for a place.
    """

    url: Callable[[Path], str] = str

    def damage(self, place: Path, session_id: str) -> None:
        """Cut the session's row in half."""
        engine = sa.create_engine(self.url(place))
        with engine.begin() as connection:
            cut = "UPDATE readfresh_sessions SET fields = substr(fields, 1, length(fields) / 2) WHERE name = :name"
            assert connection.execute(sa.text(cut), {"name": session_id}).rowcount == 1
        engine.dispose()

    def close(self, store: Any) -> None:
        """Close the connections of the adapter, which may be below a hierarchical store."""
        store._storage.database.close()


class InRedis(Peer):
    """A store on Redis."""

    def damage(self, place: Path, session_id: str) -> None:
        """Cut the session's value in half."""
        from redis import Redis

        with Redis.from_url(os.environ["REDIS_URL"]) as client:
            key = f"{place.name}:{session_id}"
            value: Any = client.get(key)
            client.set(key, value[: len(value) // 2])


def sqlite_url(place: Path) -> str:
    """Return the URL of the place's database file."""
    return f"sqlite:///{place / 'sessions.db'}"


def postgresql_url(place: Path) -> str:
    """Return the URL of the place's own schema in the database that the environment names."""
    url = sa.make_url(os.environ["DATABASE_URL"])
    return url.update_query_dict({"options": f"-csearch_path={place.name}"}).render_as_string(hide_password=False)


def on_sqlite(place: Path) -> Any:
    """Return an adapter for a file, whose tables are made by the first who asks."""
    made = (place / "sessions.db").exists()
    adapter = DbSessionAdapter(sqlite_url(place))
    if not made:
        adapter.create_schema()
    return adapter


def on_postgresql(place: Path) -> Any:
    """Return an adapter for a schema of its own, whose tables are made by the first who asks."""
    engine = sa.create_engine(os.environ["DATABASE_URL"])
    with engine.begin() as connection:
        made = sa.inspect(connection).has_schema(place.name)
        if not made:
            connection.execute(sa.schema.CreateSchema(place.name))
    engine.dispose()
    adapter = DbSessionAdapter(postgresql_url(place))
    if not made:
        adapter.create_schema()
    return adapter


def tree_on(adapter: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Return what makes a hierarchical store over the adapter."""
    return lambda place: HierarchicalSessionStore(storage=adapter(place))


def on_redis(place: Path) -> Any:
    """Return the worked example's store, which is loaded once: workers are forks of the process that did."""
    if "redis_store" not in sys.modules:
        spec = importlib.util.spec_from_file_location("redis_store", ROOT / "examples/redis_store.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["redis_store"] = module
        spec.loader.exec_module(module)
    return sys.modules["redis_store"].RedisStore(os.environ["REDIS_URL"], prefix=place.name)


def close(store: Any) -> None:
    """Close what has connections."""
    store.close()


IN_ROWS = (
    "A damaged message is a row: reading its session raises, and adding a message, which looks at no other, does not.",
)
FILES, SQLITE, POSTGRESQL = "files in a directory", "SQLite, a file", "PostgreSQL"


def in_rows(name: str, where: str, make: Callable[[Path], Any], url: Callable[[Path], str]) -> InDatabase:
    """Return a store over a database."""
    return InDatabase(name, "readfresh", where, make, notes=IN_ROWS, url=url)


default = Peer("DefaultSessionStore", "readfresh", FILES, DefaultSessionStore)
hierarchical = Peer("HierarchicalSessionStore", "readfresh", FILES, HierarchicalSessionStore)
sqlite = in_rows("DbSessionAdapter on SQLite", SQLITE, on_sqlite, sqlite_url)
sqlite_tree = in_rows("HierarchicalSessionStore on SQLite", SQLITE, tree_on(on_sqlite), sqlite_url)
postgresql = in_rows("DbSessionAdapter on PostgreSQL", POSTGRESQL, on_postgresql, postgresql_url)
postgresql_tree = in_rows("HierarchicalSessionStore on PostgreSQL", POSTGRESQL, tree_on(on_postgresql), postgresql_url)
redis = InRedis("RedisStore, the worked example", "readfresh", "Redis", on_redis, end=close)
