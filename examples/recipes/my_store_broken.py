"""A first store on Redis: five methods, and nothing is cached."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis import Redis

Message = dict[str, Any]


class MyStore:
    """Chat sessions in Redis, one key each."""

    def __init__(self, url: str, prefix: str = "chats") -> None:
        self._redis = Redis.from_url(url)
        self._prefix = prefix

    def add_message(
        self,
        session_id: str,
        role: str,
        content: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a message at the end of the session."""
        key = self._key(session_id)
        message = {"role": role, "content": content, "metadata": metadata}
        history = json.loads(self._redis.get(key) or "[]")
        self._redis.set(key, json.dumps([*history, message]))
        return True

    def get_chat_history(
        self, session_id: str, max_messages: int | None = None
    ) -> list[Message]:
        """Return the newest messages, oldest first."""
        history = json.loads(self._redis.get(self._key(session_id)) or "[]")
        newest = history[-max_messages:] if max_messages else history
        return [{"role": m["role"], "content": m["content"]} for m in newest]

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out; return whether there is a session."""
        if not self.session_exists(session_id):
            return False
        self._redis.set(self._key(session_id), "[]")
        return True

    def delete_session(self, session_id: str) -> bool:
        """Delete the session; return whether there was one."""
        return bool(self._redis.delete(self._key(session_id)))

    def session_exists(self, session_id: str) -> bool:
        """Return whether there is such a session."""
        return bool(self._redis.exists(self._key(session_id)))

    def _key(self, session_id: str) -> str:
        return f"{self._prefix}:{session_id}"


def factory(place: Path) -> MyStore:
    """Make a store for the kit: each place has keys of its own."""
    return MyStore(os.environ["REDIS_URL"], prefix=place.name)
