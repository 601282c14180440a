"""OpenAI Agents SDK: a `SQLiteSession` or a `SQLAlchemySession` per session, kept, as its examples keep it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agents.memory import SQLiteSession


class Sessions:
    """Session objects by id, driven from one event loop."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make
        self._sessions: dict[str, Any] = {}
        self._run = asyncio.Runner().run

    def append(self, session_id: str, text: str) -> None:
        """Add an item."""
        self._run(self._session(session_id).add_items([{"role": "user", "content": text}]))

    def read(self, session_id: str) -> Any:
        """Get the items."""
        return self._run(self._session(session_id).get_items())

    def texts(self, history: Any) -> list[str]:
        """Return the content of each item."""
        return [item["content"] for item in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Add many items at once."""
        self._run(self._session(session_id).add_items([{"role": "user", "content": text} for text in texts]))

    def _session(self, session_id: str) -> Any:
        if session_id not in self._sessions:
            self._sessions[session_id] = self._make(session_id)
        return self._sessions[session_id]


def sqlite(place: str) -> Sessions:
    """Return sessions in one SQLite file."""
    file = Path(place) / "sessions.db"
    return Sessions(lambda session_id: SQLiteSession(session_id, file))


def sqlalchemy(place: str) -> Sessions:
    """Return sessions in one database, SQLite where the place is a directory, through one engine."""
    from agents.extensions.memory import SQLAlchemySession
    from sqlalchemy.ext.asyncio import create_async_engine

    url = place.replace("+psycopg", "+asyncpg") if "://" in place else f"sqlite+aiosqlite:///{place}/sessions.db"
    engine = create_async_engine(url)
    return Sessions(lambda session_id: SQLAlchemySession(session_id, engine=engine, create_tables=True))
