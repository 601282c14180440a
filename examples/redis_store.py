"""Chat sessions in Redis, for workers that share a server and no disk.

1. Every call asks the server: no session is kept between two calls.
2. A session is one key, and one value of JSON: a reader has all of it or
   none.
3. There is one way to write, `_update`: it sets the new value only where
   the server still holds the one that was read, and begins again where
   another worker was faster.

It relies on the server:

- A change that has returned outlives the loss of power with
  ``appendonly yes`` and ``appendfsync always``. With Redis's default,
  ``everysec``, the last two seconds of changes may be gone, and without
  ``appendonly`` all that came after the last dump.
- ``maxmemory-policy noeviction``, which is the default: any other policy
  deletes sessions to make room.
- One server: a replica is behind, and a failover forgets what it had not
  been sent.

The cost of a change grows with its session, all of which goes to the server
and back.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from readfresh import (
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SessionDamaged,
    SessionData,
    SessionMessage,
    WriteFailed,
)
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

# Redis runs a script alone: nobody writes between its GET and its SET.
SET_IF_UNCHANGED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""


class RedisStore:
    """A `HistoryStoreProtocol`: five methods, and the three bots rely on.

    Args:
        url: the server and its database, such as ``redis://localhost/0``.
        prefix: what the keys begin with; without a colon, so that no key of
            one prefix is a key of another.
        timeout: how many seconds a call waits for the server, and how many
            it goes on against other writers.
    """

    def __init__(
        self, url: str, prefix: str = "chats", timeout: float = 5.0
    ) -> None:
        if ":" in prefix:
            raise ValueError(f"prefix must not hold a colon: {prefix!r}")
        self._prefix = prefix
        self._timeout = timeout
        self._redis = Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # What was sent may have been done: a client that sends it again
            # would add the message twice.
            retry=Retry(NoBackoff(), 0),
        )
        self._set_if_unchanged = self._redis.register_script(SET_IF_UNCHANGED)

    def close(self) -> None:
        """Close the connections; a call after it opens new ones."""
        self._redis.close()

    # Five methods make a session store.

    def add_message(
        self,
        session_id: str,
        role: str,
        content: str | list[dict[str, Any]] | None,
        metadata: Mapping[str, Any] | None = None,
        *,
        tool_calls: list[dict[str, Any]] | None = None,
        tool_call_id: str | None = None,
    ) -> bool:
        """Add a message at the end of the session; return True."""
        if content is None and not tool_calls:
            raise ValueError("content must not be None without tool_calls")
        message = SessionMessage(
            role=role,
            content=content,
            timestamp=time.time(),
            metadata={} if metadata is None else metadata,
            tool_calls=tool_calls,
            tool_call_id=tool_call_id,
        )
        return self._update(
            session_id, lambda session: session.with_message(message)
        )

    def get_chat_history(
        self, session_id: str, max_messages: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the newest messages, all of them for None, oldest first."""
        return self.get_session(session_id).get_chat_history(max_messages)

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out; return whether there is such a session."""
        return self._update(
            session_id,
            lambda session: replace(session, messages=()),
            create=False,
        )

    def delete_session(self, session_id: str) -> bool:
        """Delete the session; return whether there was one."""
        try:
            return bool(self._redis.delete(self._key(session_id)))
        except RedisError as error:
            raise self._unwritten(session_id, error) from error

    def session_exists(self, session_id: str) -> bool:
        """Return whether there is such a session."""
        try:
            return bool(self._redis.exists(self._key(session_id)))
        except RedisError as error:
            raise self._unread(session_id, error) from error

    # Three more make a store that keeps all of a bot's turn.

    def get_session(self, session_id: str) -> SessionData:
        """Return the session as it is now; an empty one if there is none."""
        return self._session(session_id, self._get(session_id))

    def set_chat_history(
        self, session_id: str, messages: Iterable[Mapping[str, Any]]
    ) -> bool:
        """Replace all messages in one change; return True."""
        given = tuple(map(SessionMessage.from_dict, messages))
        return self._update(
            session_id, lambda session: replace(session, messages=given)
        )

    def update_session_metadata(self, session_id: str, **fields: Any) -> bool:
        """Set these fields, None included; return whether any was given."""
        return bool(fields) and self._update(
            session_id, lambda session: session.with_metadata(fields)
        )

    # How they do it.

    def _update(
        self,
        session_id: str,
        change: Callable[[SessionData], SessionData],
        *,
        create: bool = True,
    ) -> bool:
        """Make one change, and return True; False where there is no session
        and none is to be created.
        """
        until = time.monotonic() + self._timeout
        while True:
            read = self._get(session_id)
            if read is None and not create:
                return False
            session = change(self._session(session_id, read))
            now = datetime.now(UTC).isoformat()
            session = replace(
                session,
                created_at=session.created_at or now,
                updated_at=now,
            )
            value = json.dumps(session.to_dict()).encode()
            try:
                if self._set_if_unchanged(
                    keys=[self._key(session_id)], args=[read or b"", value]
                ):
                    return True
            except RedisError as error:
                raise self._unwritten(session_id, error) from error
            if time.monotonic() > until:
                raise LockTimeout(
                    f"other writers were faster for {self._timeout:g} s",
                    session_id=session_id,
                    path=self._key(session_id),
                    next_step="Retry, or give the store a longer timeout.",
                )

    def _get(self, session_id: str) -> bytes | None:
        """Return what the server holds; None where it holds nothing."""
        try:
            return cast("bytes | None", self._redis.get(self._key(session_id)))
        except RedisError as error:
            raise self._unread(session_id, error) from error

    def _session(self, session_id: str, value: bytes | None) -> SessionData:
        """Return the session that a value stands for."""
        if value is None:
            return SessionData(session_id)
        try:
            session = SessionData.from_dict(json.loads(value))
            if session.session_id != session_id:
                raise ValueError(f"it holds session {session.session_id!r}")
        except (TypeError, ValueError, RecursionError) as error:
            raise self._damaged(session_id, error) from error
        return session

    def _key(self, session_id: str) -> str:
        # SessionData refuses what is no id: a number, a lone surrogate.
        return f"{self._prefix}:{SessionData(session_id).session_id}"

    # What a caller is told.

    def _unread(self, session_id: str, error: RedisError) -> Exception:
        if "WRONGTYPE" in str(error):
            return self._damaged(session_id, error)
        return ReadFailed(
            _told(error), session_id=session_id, path=self._key(session_id)
        )

    def _unwritten(self, session_id: str, error: RedisError) -> Exception:
        # An answer is a refusal. Without one, it may have been done.
        refused = isinstance(error, ResponseError)
        return (WriteFailed if refused else OutcomeUnknown)(
            _told(error), session_id=session_id, path=self._key(session_id)
        )

    def _damaged(self, session_id: str, error: Exception) -> Exception:
        return SessionDamaged(
            f"the key holds no session: {_told(error)}",
            session_id=session_id,
            path=self._key(session_id),
            next_step="Look at it with redis-cli; delete_session deletes it.",
        )


def _told(error: Exception) -> str:
    return str(error).rstrip(".")  # the sentence goes on
