"""OpenAI Agents SDK: a `SQLiteSession` per session, all in one database file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from agents.memory import SQLiteSession

from tests.peers.adapter import Peer, Promise


class Here(ThreadPoolExecutor):
    """Runs in the caller's thread what a session hands to a worker thread, so that the kit can stop it there."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Run it, and return a future that is done."""
        done: Future[Any] = Future()
        try:
            done.set_result(function(*arguments, **named))
        except BaseException as error:
            done.set_exception(error)
        return done


class Store:
    """The five methods. A session object is kept for as long as the store, as the documentation's examples keep it."""

    def __init__(self, place: Path) -> None:
        """Sessions are kept in one file of the directory."""
        self._file = place / "sessions.db"
        self._sessions: dict[str, Any] = {}
        # Made here, since making it opens sockets, which is no part of a call that is checked.
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(Here())
        self._session("")

    def add_message(self, session_id: str, role: str, content: str, metadata: Any = None) -> bool:  # noqa: ARG002
        """Add an item; items are the model's, and have no place for metadata."""
        self._run(self._session(session_id).add_items([{"role": role, "content": content}]))
        return True

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return the items."""
        items: list[dict[str, Any]] = self._run(self._session(session_id).get_items(max_messages))
        return items

    def clear_session(self, session_id: str) -> bool:
        """Delete the items and the session's row."""
        self._run(self._session(session_id).clear_session())
        return True

    def delete_session(self, session_id: str) -> bool:
        """There is one verb for both."""
        return self.clear_session(session_id)

    def session_exists(self, session_id: str) -> bool:
        """There is no verb for it: a session with an item exists."""
        return bool(self.get_chat_history(session_id, 1))

    def close(self) -> None:
        """Close the connections and the loop."""
        for session in self._sessions.values():
            session.close()
        self._loop.close()

    def _session(self, session_id: str) -> Any:
        if session_id not in self._sessions:
            self._sessions[session_id] = SQLiteSession(session_id, self._file)
        return self._sessions[session_id]

    def _run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(call)


MODULE = "agents.memory.sqlite_session"
factory = Peer(
    "OpenAI Agents SDK SQLiteSession",
    "openai-agents",
    "one database file, a session object per id",
    Store,
    (
        Promise("SQLite-based implementation of session storage.", MODULE),
        Promise("For persistent storage, provide a file path.", MODULE),
        Promise(
            "Serialize sqlite3 access while each operation runs in a worker thread.", "agents.memory.sqlite_session"
        ),
    ),
    end=Store.close,
)
