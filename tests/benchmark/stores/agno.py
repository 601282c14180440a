"""Agno: a session and a run per message in a `JsonDb` or a `SqliteDb`, read and saved as its agent does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from agno.db.base import SessionType
from agno.models.message import Message
from agno.run.agent import RunOutput
from agno.run.base import RunStatus
from agno.session import AgentSession

from tests.peers.agno.adapter import AGENT, in_files, in_sqlite


class Runs:
    """Sessions in a database of Agno's; the calls are those of its adapter in tests/peers."""

    def __init__(self, adapter: Any) -> None:
        self._adapter, self._db = adapter, adapter._db

    def append(self, session_id: str, text: str) -> None:
        """Get the session, add a run of one message, save it."""
        self._adapter.add_message(session_id, "user", text)

    def read(self, session_id: str) -> Any:
        """Get the session, and the messages of its runs."""
        return self._adapter._session(session_id).get_messages()

    def texts(self, history: Any) -> list[str]:
        """Return the content of each message."""
        return [message.content for message in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Save a session of one run with all messages."""
        session = AgentSession(session_id=session_id, agent_id=AGENT)
        messages = [Message(role="user", content=text) for text in texts]
        run = RunOutput(
            run_id=str(uuid4()),
            session_id=session_id,
            agent_id=AGENT,
            status=RunStatus.completed,
            messages=messages,
        )
        session.upsert_run(run)
        self._db.upsert_session(session)
        self._db.upsert_run(run, session_id=session_id, run_index=0)

    def list(self, limit: int) -> Sequence[object]:
        """Get the sessions, without their runs where it can leave them out."""
        found: Sequence[object] = self._db.get_sessions(SessionType.AGENT, limit=limit)
        return found


def json(place: str) -> Runs:
    """Return a store on files."""
    return Runs(in_files(Path(place)))


def sqlite(place: str) -> Runs:
    """Return a store on SQLite."""
    return Runs(in_sqlite(Path(place)))
