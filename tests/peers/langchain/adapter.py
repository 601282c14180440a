"""LangChain: a `FileChatMessageHistory` per session, made anew for each call."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package says when it is imported that its base class will go
    from langchain_community.chat_message_histories import (
        FileChatMessageHistory,
    )
    from langchain_core.messages import AIMessage, HumanMessage

from tests.peers.adapter import NO_WORD, Peer, Promise

ROLES = {"user": "human", "assistant": "ai"}


class Store:
    """The five methods."""

    def __init__(self, place: Path) -> None:
        """Sessions are kept in files of the directory."""
        self._place = place

    def add_message(self, session_id: str, role: str, content: str, metadata: Any = None) -> bool:
        """Add a message; metadata is kept where LangChain keeps what it does not know."""
        kind = HumanMessage if ROLES[role] == "human" else AIMessage
        self._history(session_id).add_message(kind(content=content, additional_kwargs=dict(metadata or {})))
        return True

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return the messages; making a history makes its file, so none is made where there is none."""
        if not self.session_exists(session_id):
            return []
        names = {theirs: ours for ours, theirs in ROLES.items()}
        messages = [{"role": names[one.type], "content": one.content} for one in self._history(session_id).messages]
        return messages if max_messages is None else messages[len(messages) - min(max_messages, len(messages)) :]

    def clear_session(self, session_id: str) -> bool:
        """Clear the history."""
        exists = self.session_exists(session_id)
        if exists:
            self._history(session_id).clear()
        return exists

    def delete_session(self, session_id: str) -> bool:
        """There is no verb for it: remove the file."""
        exists = self.session_exists(session_id)
        self._file(session_id).unlink(missing_ok=True)
        return exists

    def session_exists(self, session_id: str) -> bool:
        """There is no verb for it: a session with a file exists."""
        return self._file(session_id).exists()

    def _file(self, session_id: str) -> Path:
        return self._place / f"{quote(session_id, safe='')}.json"

    def _history(self, session_id: str) -> Any:
        return FileChatMessageHistory(str(self._file(session_id)))


factory = Peer(
    "LangChain FileChatMessageHistory",
    "langchain-community",
    "a file per session, a history object per call",
    Store,
    (
        Promise(
            "Chat message history that stores history in a local file.",
            "langchain_community.chat_message_histories.file",
        ),
    ),
    (
        "Its package, langchain-community, is being sunset, and langchain-core calls its base class deprecated.",
        NO_WORD,
    ),
    {"ids-are-apart": "it takes the path of a file; which id has which path is for its caller to decide"},
)
