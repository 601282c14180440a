"""A store of five methods and no more, and what a bot says of it."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Any

from readfresh import BotSessionManager

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")


class Lists:
    """Sessions as lists in memory."""

    def __init__(self) -> None:
        self.sessions: dict[str, list[dict[str, Any]]] = {}

    def add_message(
        self,
        session_id: str,
        role: str,
        content: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a message."""
        message = {"role": role, "content": content, "metadata": metadata}
        self.sessions.setdefault(session_id, []).append(message)
        return True

    def get_chat_history(
        self, session_id: str, max_messages: int | None = None
    ) -> list[dict[str, Any]]:
        """Return role and content of the newest messages."""
        newest = self.sessions.get(session_id, [])[-(max_messages or 0) :]
        return [
            {"role": message["role"], "content": message["content"]}
            for message in newest
        ]

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out."""
        return self.sessions.pop(session_id, None) is not None

    delete_session = clear_session

    def session_exists(self, session_id: str) -> bool:
        """Return whether there is one."""
        return session_id in self.sessions


store = Lists()
manager = BotSessionManager(store, platform="web")
print(asyncio.run(manager.chat(lambda _messages: "Hello.", "ada", "Hi")))
print(store.get_chat_history("bot_web_ada"))
