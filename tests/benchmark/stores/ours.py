"""readfresh: files, and SQLite and PostgreSQL through `DbSessionAdapter`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from readfresh.storage import Durability
from tests.benchmark.stores import PATIENCE_SECONDS


class Ours:
    """The verbs of any of our stores."""

    def __init__(self, store: Any, filler: Any = None) -> None:
        """Fill sessions with another store object where that waits less for the disk."""
        self._store, self._filler = store, filler or store

    def append(self, session_id: str, text: str) -> object:
        """Append one message."""
        return self._store.add_user_message(session_id, text)

    def read(self, session_id: str) -> Any:
        """Return the history, ready for a model."""
        return self._store.get_chat_history(session_id)

    def texts(self, history: Any) -> list[str]:
        """Return the content of each message."""
        return [message["content"] for message in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> object:
        """Set the history."""
        return self._filler.set_chat_history(session_id, [{"role": "user", "content": text} for text in texts])

    def list(self, limit: int) -> Sequence[object]:
        """List the sessions."""
        found: Sequence[object] = self._store.list_sessions(limit=limit)
        return found


def power(place: str) -> Ours:
    """Return a store over files that outlives the loss of power."""
    return _files(DefaultSessionStore, place, "power")


def process(place: str) -> Ours:
    """Return a store over files that outlives the death of the process."""
    return _files(DefaultSessionStore, place, "process")


def tree_power(place: str) -> Ours:
    """Return a hierarchical store over files that outlives the loss of power."""
    return _files(HierarchicalSessionStore, place, "power")


def tree_process(place: str) -> Ours:
    """Return a hierarchical store over files that outlives the death of the process."""
    return _files(HierarchicalSessionStore, place, "process")


def database_power(place: str) -> Ours:
    """Return a store over a database that outlives the loss of power."""
    return _database(place, "power")


def database_process(place: str) -> Ours:
    """Return a store over a database that outlives the death of the process."""
    return _database(place, "process")


def _files(kind: type[Any], place: str, durability: Durability) -> Ours:
    store = kind(place, lock_timeout=PATIENCE_SECONDS, durability=durability)
    return Ours(store, store if durability == "process" else kind(place, durability="process"))


def _database(place: str, durability: Durability) -> Ours:
    from readfresh.database import DbSessionAdapter

    url = place if "://" in place else f"sqlite:///{Path(place) / 'chats.db'}"
    store = DbSessionAdapter(url, lock_timeout=PATIENCE_SECONDS, durability=durability)
    store.create_schema()
    return Ours(store, store if durability == "process" else DbSessionAdapter(url, durability="process"))
