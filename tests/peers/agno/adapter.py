"""Agno: a session and a run per message in a `JsonDb` or a `SqliteDb`, read and saved as its agent does it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

from agno.db.base import SessionType
from agno.db.json import JsonDb
from agno.db.sqlite import SqliteDb
from agno.models.message import Message
from agno.run.agent import RunOutput
from agno.run.base import RunStatus
from agno.session import AgentSession

from tests.peers.adapter import NO_CLEAR, Peer, Promise

for name in ("agno", "agno-team", "agno-workflow"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
AGENT = "agent"


class Store:
    """The five methods."""

    def __init__(self, db: Any) -> None:
        """Sessions are kept in this database."""
        self._db = db

    def add_message(self, session_id: str, role: str, content: str, metadata: Any = None) -> bool:  # noqa: ARG002
        """Save the session, then the run with its message, as an agent does at the end of a run."""
        session = self._session(session_id) or AgentSession(session_id=session_id, agent_id=AGENT)
        run = RunOutput(
            run_id=str(uuid4()),
            session_id=session_id,
            agent_id=AGENT,
            status=RunStatus.completed,
            messages=[Message(role=role, content=content)],
        )
        index = len(session.runs or [])
        session.upsert_run(run)
        self._db.upsert_session(session)
        self._db.upsert_run(run, session_id=session_id, run_index=index)
        return True

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return the messages of the session's runs."""
        session = self._session(session_id)
        found = session.get_messages(limit=max_messages) if session else []
        return [{"role": message.role, "content": message.content} for message in found]

    def clear_session(self, session_id: str) -> bool:
        """There is no verb for it: delete the session."""
        return self.delete_session(session_id)

    def delete_session(self, session_id: str) -> bool:
        """Delete the session."""
        deleted: bool = self._db.delete_session(session_id)
        return deleted

    def session_exists(self, session_id: str) -> bool:
        """There is no verb for it: a session that can be got exists."""
        return self._session(session_id) is not None

    def close(self) -> None:
        """Close the database."""
        if hasattr(self._db, "close"):
            self._db.close()

    def _session(self, session_id: str) -> Any:
        return self._db.get_session(session_id, SessionType.AGENT)


def in_files(place: Path) -> Store:
    """Return a store on files."""
    return Store(JsonDb(db_path=str(place)))


def in_sqlite(place: Path) -> Store:
    """Return a store on SQLite."""
    return Store(SqliteDb(db_file=str(place / "agno.db")))


JSON = "agno.db.json.json_db"
DEMOS = Promise(
    "Using JSON files as a database is not recommended for production applications.",
    "https://docs.agno.com/database/providers/json/overview",
)
files = Peer(
    "Agno JsonDb",
    "agno",
    "a file of all sessions and one of all runs, a run per message",
    in_files,
    (
        DEMOS,
        Promise("Exclusive create so a table published by a concurrent writer is never truncated", JSON),
    ),
    (NO_CLEAR,),
)
sqlite = Peer(
    "Agno SqliteDb",
    "agno",
    "one database file, a run per message",
    in_sqlite,
    (Promise("Interface for interacting with a SQLite database.", "agno.db.sqlite.sqlite"),),
    (NO_CLEAR,),
    end=Store.close,
)
