"""A store on Redis that sets a session only as the next of what it read."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from redis import Redis

Message = dict[str, Any]

# Redis runs a script alone: nobody writes between its GET and its SET.
SET_IF_UNCHANGED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class MyStore:
    """Chat sessions in Redis, one key each."""

    def __init__(self, url: str, prefix: str = "chats") -> None:
        self._redis = Redis.from_url(url)
        self._set_if_unchanged = self._redis.register_script(SET_IF_UNCHANGED)
        self._prefix = prefix

    def add_message(
        self,
        session_id: str,
        role: str,
        content: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a message at the end of the session."""
        message = {"role": role, "content": content, "metadata": metadata}
        return self._change(session_id, lambda history: [*history, message])

    def get_chat_history(
        self, session_id: str, max_messages: int | None = None
    ) -> list[Message]:
        """Return the newest messages, oldest first."""
        history = json.loads(self._redis.get(self._key(session_id)) or "[]")
        newest = history[-max_messages:] if max_messages else history
        return [{"role": m["role"], "content": m["content"]} for m in newest]

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out; return whether there is a session."""
        return self._change(session_id, lambda _: [], create=False)

    def delete_session(self, session_id: str) -> bool:
        """Delete the session; return whether there was one."""
        return bool(self._redis.delete(self._key(session_id)))

    def session_exists(self, session_id: str) -> bool:
        """Return whether there is such a session."""
        return bool(self._redis.exists(self._key(session_id)))

    def _change(
        self,
        session_id: str,
        change: Callable[[list[Message]], list[Message]],
        create: bool = True,
    ) -> bool:
        """Read, change and set; begin again where somebody was faster."""
        key = self._key(session_id)
        while True:
            value = self._redis.get(key)
            if value is None and not create:
                return False
            history = change(json.loads(value or "[]"))
            args = [value or "", json.dumps(history)]
            if self._set_if_unchanged([key], args):
                return True

    def _key(self, session_id: str) -> str:
        return f"{self._prefix}:{session_id}"


def factory(place: Path) -> MyStore:
    """Make a store for the kit: each place has keys of its own."""
    return MyStore(os.environ["REDIS_URL"], prefix=place.name)
