"""Google ADK: a `DatabaseSessionService` over SQLite; the session that a call gave is used for the next."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from google.adk.errors._stale_session_error import StaleSessionError
from google.adk.events import Event
from google.adk.sessions import DatabaseSessionService
from google.genai import types

WHO = {"app_name": "benchmark", "user_id": "user"}


class Service:
    """Sessions of one user, driven from one event loop."""

    def __init__(self, place: str) -> None:
        self._service = DatabaseSessionService(f"sqlite+aiosqlite:///{place}/adk.db")
        self._sessions: dict[str, Any] = {}
        self._run = asyncio.Runner().run

    def append(self, session_id: str, text: str) -> None:
        """Append an event; a session that somebody else has changed is got again, as its error asks for."""
        self._run(self._append(session_id, text))

    def read(self, session_id: str) -> Any:
        """Get the session."""
        return self._run(self._get(session_id))

    def texts(self, history: Any) -> list[str]:
        """Return the text of each event."""
        return [event.content.parts[0].text for event in history.events]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Append the first event; insert the others as rows that differ from it in text, id and time."""
        self._run(self._fill(session_id, texts))

    def list(self, limit: int) -> Sequence[object]:  # noqa: ARG002 - there is none
        """List the sessions."""
        found: Sequence[object] = self._run(self._service.list_sessions(**WHO)).sessions
        return found

    async def _get(self, session_id: str) -> Any:
        return await self._service.get_session(session_id=session_id, **WHO)

    async def _append(self, session_id: str, text: str) -> None:
        event = Event(author="user", content=types.Content(role="user", parts=[types.Part(text=text)]))
        while True:
            if session_id not in self._sessions:
                self._sessions[session_id] = await self._get(session_id)
            try:
                await self._service.append_event(self._sessions[session_id], event)
                return
            except StaleSessionError:
                del self._sessions[session_id]

    async def _fill(self, session_id: str, texts: Sequence[str]) -> None:
        self._sessions[session_id] = await self._service.create_session(session_id=session_id, **WHO)
        await self._append(session_id, texts[0])
        async with self._service.db_engine.begin() as connection:
            query = sa.text("SELECT * FROM events WHERE session_id = :id")
            row = dict((await connection.execute(query, {"id": session_id})).one()._mapping)
            first = datetime.datetime.fromisoformat(str(row["timestamp"]))
            names = ", ".join(row)
            others = []
            for number, text in enumerate(texts[1:], 1):
                at = first - datetime.timedelta(microseconds=len(texts) - number)
                data = json.loads(row["event_data"]) | {"id": f"{row['id']}-{number}"}
                data["content"]["parts"][0]["text"] = text
                others.append({**row, "id": data["id"], "timestamp": str(at), "event_data": json.dumps(data)})
            if others:
                values = ", ".join(f":{name}" for name in row)
                await connection.execute(sa.text(f"INSERT INTO events ({names}) VALUES ({values})"), others)
        self._sessions[session_id] = await self._get(session_id)
