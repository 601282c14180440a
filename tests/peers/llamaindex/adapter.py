"""LlamaIndex: a `SimpleChatStore`, loaded for each call, and persisted after a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.storage.chat_store import SimpleChatStore

from tests.peers.adapter import NO_WORD, Peer, Promise


class Store:
    """The five methods, and the replacement of a history, which it has."""

    def __init__(self, place: Path) -> None:
        """Sessions are kept in one file of the directory."""
        self._file = str(place / "chat_store.json")

    def add_message(self, session_id: str, role: str, content: str, metadata: Any = None) -> bool:
        """Load, add a message, persist."""
        chats = self._loaded()
        chats.add_message(session_id, self._message({"role": role, "content": content, "metadata": metadata or {}}))
        chats.persist(self._file)
        return True

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Load, and return the messages, with what stands beside their text."""
        found = [
            {"role": one.role.value, "content": one.content, **one.additional_kwargs}
            for one in self._loaded().get_messages(session_id)
        ]
        return found if max_messages is None else found[len(found) - min(max_messages, len(found)) :]

    def set_chat_history(self, session_id: str, messages: Iterable[Mapping[str, Any]]) -> bool:
        """Load, set the messages, persist."""
        chats = self._loaded()
        chats.set_messages(session_id, [self._message(message) for message in messages])
        chats.persist(self._file)
        return True

    def clear_session(self, session_id: str) -> bool:
        """Load, set no messages, persist."""
        return self.set_chat_history(session_id, [])

    def delete_session(self, session_id: str) -> bool:
        """Load, delete the messages, persist."""
        chats = self._loaded()
        deleted = chats.delete_messages(session_id) is not None
        chats.persist(self._file)
        return deleted

    def session_exists(self, session_id: str) -> bool:
        """Load, and look for the key."""
        return session_id in self._loaded().get_keys()

    def _loaded(self) -> Any:
        return SimpleChatStore.from_persist_path(self._file)

    @staticmethod
    def _message(message: Mapping[str, Any]) -> Any:
        beside = {name: value for name, value in message.items() if name not in ("role", "content")}
        return ChatMessage(role=message["role"], content=message["content"], additional_kwargs=beside)


factory = Peer(
    "LlamaIndex SimpleChatStore",
    "llama-index-core",
    "one file of all sessions, loaded for each call and persisted after each change",
    Store,
    (
        Promise(
            "Simple chat store. Async methods provide same functionality as sync methods in this class.",
            "llama_index.core.storage.chat_store.simple_chat_store",
        ),
    ),
    (
        "It was run with pydantic 2.13: with 2.14, its `persist` raises for any message.",
        NO_WORD,
    ),
)
