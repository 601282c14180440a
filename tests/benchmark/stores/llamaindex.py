"""LlamaIndex: a `SimpleChatStore`, loaded once and persisted after each change; a read loads it anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.core.storage.chat_store import SimpleChatStore


class Chats:
    """All sessions in one file."""

    def __init__(self, place: str) -> None:
        self._file = f"{place}/chat_store.json"
        self._chats = self._loaded()

    def append(self, session_id: str, text: str) -> None:
        """Add a message, persist."""
        self._chats.add_message(session_id, ChatMessage(role="user", content=text))
        self._chats.persist(self._file)

    def read(self, session_id: str) -> Any:
        """Load, and return the messages."""
        return self._loaded().get_messages(session_id)

    def texts(self, history: Any) -> list[str]:
        """Return the content of each message."""
        return [message.content for message in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Set the messages, persist."""
        self._chats.set_messages(session_id, [ChatMessage(role="user", content=text) for text in texts])
        self._chats.persist(self._file)

    def _loaded(self) -> Any:
        return SimpleChatStore.from_persist_path(self._file)
