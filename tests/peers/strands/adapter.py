"""Strands Agents: a `FileSessionManager` and an agent that it restores, made anew for each call."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from strands import Agent
from strands.models import Model
from strands.session.file_session_manager import (
    FileSessionManager,
)

from tests.peers.adapter import NO_CLEAR, NO_WORD, Peer, Promise

logging.getLogger("strands").setLevel(logging.CRITICAL)


class NoModel(Model):  # type: ignore[misc]
    """An agent needs a model; this one is never asked."""

    def update_config(self, **_config: Any) -> None:
        """There is none."""

    def get_config(self) -> dict[str, Any]:
        """There is none."""
        return {}

    def stream(self, *_arguments: Any, **_named: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    def structured_output(self, *_arguments: Any, **_named: Any) -> Any:
        """Nobody asks."""
        raise NotImplementedError


class Store:
    """The five methods."""

    def __init__(self, place: Path) -> None:
        """Sessions are kept in folders of the directory."""
        self._place = place
        self._model = NoModel()

    def add_message(self, session_id: str, role: str, content: str, metadata: Any = None) -> bool:  # noqa: ARG002
        """Restore the agent, then append as its hook does when a message is added."""
        manager, agent = self._restored(session_id)
        manager.append_message({"role": role, "content": [{"text": content}]}, agent)
        return True

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return the messages of the restored agent; making a manager makes the session, so not where there is none."""
        if not self.session_exists(session_id):
            return []
        _, agent = self._restored(session_id)
        messages = [{"role": one["role"], "content": one["content"][0]["text"]} for one in agent.messages]
        return messages if max_messages is None else messages[len(messages) - min(max_messages, len(messages)) :]

    def clear_session(self, session_id: str) -> bool:
        """There is no verb for it: open the session, as every handler does first, and delete it."""
        if self.session_exists(session_id):
            self._restored(session_id)
        return self.delete_session(session_id)

    def delete_session(self, session_id: str) -> bool:
        """Delete the session; the manager raises for one that does not exist."""
        exists = self.session_exists(session_id)
        if exists:
            self._manager(session_id).delete_session(session_id)
        return exists

    def session_exists(self, session_id: str) -> bool:
        """There is no verb for it: a session with a folder exists."""
        return (self._place / f"session_{session_id}").is_dir()

    def _manager(self, session_id: str) -> Any:
        return FileSessionManager(session_id, storage_dir=str(self._place))

    def _restored(self, session_id: str) -> tuple[Any, Any]:
        manager = self._manager(session_id)
        agent = Agent(agent_id="agent", model=self._model, session_manager=manager, callback_handler=None)
        return manager, agent


factory = Peer(
    "Strands Agents FileSessionManager",
    "strands-agents",
    "a folder per session and a file per message, a manager and a restored agent per call",
    Store,
    (
        Promise("File-based session manager for local filesystem storage.", "strands.session.file_session_manager"),
        Promise("Write JSON file atomically with symlink protection.", "strands.session.file_session_manager"),
        Promise("ID is not allowed to contain path separators (e.g., a/b).", "strands.session.file_session_manager"),
    ),
    (NO_CLEAR, NO_WORD),
)
