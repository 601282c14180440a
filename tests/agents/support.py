"""Stores of every kind, models that are told what to do, and what is kept of them."""

from __future__ import annotations

import asyncio
import runpy
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionMessage, Turn, turns_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0


class FiveMethods:
    """A store of the five methods and no more: what it answers is role and content."""

    def __init__(self, folder: Path) -> None:
        self._inner = DefaultSessionStore(folder)

    def add_message(self, session_id: str, role: str, content: str, metadata: Mapping[str, Any] | None = None) -> bool:
        """Add a message."""
        return self._inner.add_message(session_id, role, content, metadata)

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return role and content."""
        return self._inner.get_chat_history(session_id, max_messages)

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out."""
        return self._inner.clear_session(session_id)

    def delete_session(self, session_id: str) -> bool:
        """Delete it."""
        return self._inner.delete_session(session_id)

    def session_exists(self, session_id: str) -> bool:
        """Return whether it exists."""
        return self._inner.session_exists(session_id)


def make_store(kind: str, folder: Path) -> Any:
    """Return a store of this kind; a second one of the same folder holds the same sessions.

    The address of a server stands in the folder's file ``url``.
    """
    if kind == "five":
        return FiveMethods(folder)
    if kind == "sqlite":
        from readfresh import DbSessionAdapter

        folder.mkdir(exist_ok=True)
        adapter = DbSessionAdapter(f"sqlite:///{folder / 'sessions.db'}")
        adapter.create_schema()
        return adapter
    if kind == "postgresql":
        from readfresh import DbSessionAdapter

        adapter = DbSessionAdapter((folder / "url").read_text())
        adapter.create_schema()
        return adapter
    if kind == "redis":
        example = runpy.run_path(str(ROOT / "examples/redis_store.py"), run_name="redis_store")
        return example["RedisStore"]((folder / "url").read_text())
    return {"default": DefaultSessionStore, "hierarchical": HierarchicalSessionStore}[kind](folder)


HISTORY_KINDS = ("default", "hierarchical", "sqlite")
KINDS = (*HISTORY_KINDS, "five")


def run(task: Coroutine[Any, Any, Any]) -> Any:
    """Run it in an event loop of its own; a test that hangs fails."""

    async def bounded() -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await task

    return asyncio.run(bounded())


def told(turn: Turn) -> tuple[str, str | None, str]:
    """Return how a turn ended, its prompt and its answer."""
    return turn.status, turn.prompt, turn.answer


def kept(store: Any, session_id: str) -> list[tuple[str, str | None, str]]:
    """Return the turns of a session."""
    return [told(turn) for turn in turns_of(store.get_session(session_id))]


def said(store: Any, session_id: str) -> list[tuple[str, Any]]:
    """Return role and content of each message."""
    return [(message["role"], message["content"]) for message in store.get_chat_history(session_id)]


def messages_of(store: Any, session_id: str) -> tuple[SessionMessage, ...]:
    """Return the messages of a session."""
    found: tuple[SessionMessage, ...] = store.get_session(session_id).messages
    return found


def join_late_keepers() -> None:
    """Wait for the threads that keep what was dropped without being closed."""
    for thread in threading.enumerate():
        if thread.name == "readfresh-turn":
            thread.join(PATIENCE_SECONDS)


class Given:
    """A model that records what it was given, and answers with its number."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []

    def __call__(self, messages: list[dict[str, Any]]) -> str:
        """Answer."""
        self.calls.append(messages)
        return f"answer {len(self.calls)}"

    @property
    def last(self) -> list[str]:
        """The contents that it was given last."""
        return [message["content"] for message in self.calls[-1]]


class Held:
    """A store around another one whose next call of a verb waits, so that a test can act meanwhile."""

    def __init__(self, inner: Any, verb: str) -> None:
        self._inner = inner
        self._verb = verb
        self.skip = 0
        self.only: str | None = None  # a session; None for all
        self.entered = threading.Event()
        self.go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        """Return the inner store's; the verb that is held waits first."""
        real: Callable[..., Any] = getattr(self._inner, name)
        if name != self._verb:
            return real

        def waiting(
            session_id: str,
            role: str,
            content: Any,
            metadata: Any = None,
            *,
            tool_calls: Any = None,
            tool_call_id: Any = None,
        ) -> Any:
            if self.skip:
                self.skip -= 1
            elif self.only in (None, session_id):
                self.entered.set()
                assert self.go.wait(PATIENCE_SECONDS)
            return real(session_id, role, content, metadata, tool_calls=tool_calls, tool_call_id=tool_call_id)

        return waiting


class Before:
    """A store around another one that does something before each call of a verb."""

    def __init__(self, inner: Any, verb: str, act: Callable[[], object]) -> None:
        self._inner = inner
        self._verb = verb
        self._act = act

    def __getattr__(self, name: str) -> Any:
        """Return the inner store's."""
        real: Callable[..., Any] = getattr(self._inner, name)

        def acting(*args: Any, **kwargs: Any) -> Any:
            self._act()
            return real(*args, **kwargs)

        return acting if name == self._verb else real


async def until(event: threading.Event) -> None:
    """Wait for an event of threads without stopping the loop."""
    assert await asyncio.to_thread(event.wait, PATIENCE_SECONDS)
