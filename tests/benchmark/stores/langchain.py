"""LangChain: a `FileChatMessageHistory` or a `SQLChatMessageHistory` per session, kept."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package says when it is imported that its base class will go
    from langchain_community.chat_message_histories import FileChatMessageHistory, SQLChatMessageHistory
    from langchain_core.messages import HumanMessage, messages_to_dict


class Histories:
    """History objects by session id."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self._make = make
        self._histories: dict[str, Any] = {}

    def append(self, session_id: str, text: str) -> None:
        """Add a message."""
        self._history(session_id).add_message(HumanMessage(text))

    def read(self, session_id: str) -> Any:
        """Return the messages."""
        return self._history(session_id).messages

    def texts(self, history: Any) -> list[str]:
        """Return the content of each message."""
        return [message.content for message in history]

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Add all messages in one transaction; a file is written as its own code writes it."""
        history, messages = self._history(session_id), [HumanMessage(text) for text in texts]
        if isinstance(history, FileChatMessageHistory):  # its add_messages would write the file once for each
            history.file_path.write_text(json.dumps(messages_to_dict(messages)))
        else:
            history.add_messages(messages)

    def _history(self, session_id: str) -> Any:
        if session_id not in self._histories:
            self._histories[session_id] = self._make(session_id)
        return self._histories[session_id]


def file(place: str) -> Histories:
    """Return histories in a file each."""
    return Histories(lambda session_id: FileChatMessageHistory(str(Path(place) / f"{session_id}.json")))


def sql(place: str) -> Histories:
    """Return histories in one SQLite file, through one engine."""
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{place}/histories.db")
    return Histories(lambda session_id: SQLChatMessageHistory(session_id, connection=engine))
