"""Microsoft Agent Framework: a `FileSessionStore`, got and set for each append; or a `FileHistoryProvider`."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from typing import Any

from agent_framework import AgentSession, FileHistoryProvider, FileSessionStore, InMemoryHistoryProvider, Message

warnings.simplefilter("ignore")  # the package says of both that they are experimental


class Sessions:
    """A snapshot file per session."""

    def __init__(self, place: str) -> None:
        self._store = FileSessionStore(place)
        self._history = InMemoryHistoryProvider()
        self._run = asyncio.Runner().run

    def append(self, session_id: str, text: str) -> None:
        """Get the session, save a message in its state, set it."""
        self.fill(session_id, [text])

    def read(self, session_id: str) -> Any:
        """Get the session, and the messages of its state."""
        return self._run(self._read(session_id))

    def texts(self, history: Any) -> list[str]:
        """Return the text of each message."""
        return [message.text for message in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Save many messages at once."""
        self._run(self._add(session_id, [Message(role="user", contents=[text]) for text in texts]))

    async def _read(self, session_id: str) -> Any:
        session = await self._store.get(session_id)
        return await self._history.get_messages(session_id, state=session.state)

    async def _add(self, session_id: str, messages: list[Any]) -> None:
        session = await self._store.get(session_id) or AgentSession(session_id=session_id)
        await self._history.save_messages(session_id, messages, state=session.state)
        await self._store.set(session_id, session)


class Histories(Sessions):
    """A file of JSON lines per session."""

    def __init__(self, place: str) -> None:
        self._provider = FileHistoryProvider(place)
        self._run = asyncio.Runner().run

    async def _read(self, session_id: str) -> Any:
        return await self._provider.get_messages(session_id)

    async def _add(self, session_id: str, messages: list[Any]) -> None:
        await self._provider.save_messages(session_id, messages)
