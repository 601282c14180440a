"""Strands Agents: a `FileSessionManager` with its agent, kept for appends; a read restores the agent anew."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from strands import Agent
from strands.session.file_session_manager import FileSessionManager

from tests.peers.strands.adapter import NoModel

logging.getLogger("strands").setLevel(logging.CRITICAL)


class Managers:
    """Managers by session id."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._model = NoModel()
        self._managers: dict[str, tuple[Any, Any]] = {}

    def append(self, session_id: str, text: str) -> None:
        """Append as its hook does when a message is added."""
        if session_id not in self._managers:
            self._managers[session_id] = self._restored(session_id)
        manager, agent = self._managers[session_id]
        manager.append_message({"role": "user", "content": [{"text": text}]}, agent)

    def read(self, session_id: str) -> Any:
        """Restore the agent, whose messages are the history."""
        _, agent = self._restored(session_id)
        return agent.messages

    def texts(self, history: Any) -> list[str]:
        """Return the text of each message."""
        return [message["content"][0]["text"] for message in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Append one by one: a message is a file."""
        for text in texts:
            self.append(session_id, text)

    def _restored(self, session_id: str) -> tuple[Any, Any]:
        manager = FileSessionManager(session_id, storage_dir=self._place)
        agent = Agent(agent_id="agent", model=self._model, session_manager=manager, callback_handler=None)
        return manager, agent
