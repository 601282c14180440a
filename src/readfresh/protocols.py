"""What a caller of a session store may rely on, as protocols.

`SessionStoreProtocol` has PraisonAI's five methods and no more.
A store that has these five is a session store; whoever calls anything else asks for a protocol that says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from readfresh.model import SessionData

__all__ = ["HistoryStoreProtocol", "SessionStoreProtocol"]


@runtime_checkable
class SessionStoreProtocol(Protocol):
    """The five methods that make a session store.

    `isinstance` tells whether the five are there, not whether their signatures fit; a type checker tells both.
    """

    def add_message(self, session_id: str, role: str, content: str, metadata: Mapping[str, Any] | None = None) -> bool:
        """Add a message at the end of the session, which is created if need be; return True."""

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return the messages, role and content, oldest first; ``[]`` for a session that does not exist."""

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out of the session; return whether there was one."""

    def delete_session(self, session_id: str) -> bool:
        """Delete the session; return whether there was one."""

    def session_exists(self, session_id: str) -> bool:
        """Return whether the session exists."""


@runtime_checkable
class HistoryStoreProtocol(SessionStoreProtocol, Protocol):
    """A session store whose history can be replaced, and whose sessions hold metadata.

    Bots and agents that replace a history or keep state ask for this one.
    """

    def set_chat_history(self, session_id: str, messages: Iterable[Mapping[str, Any]]) -> bool:
        """Replace all messages in one change; return True."""

    def update_session_metadata(self, session_id: str, **fields: Any) -> bool:
        """Set these metadata fields and no others, None included; return whether any was given."""

    def get_session(self, session_id: str) -> SessionData:
        """Return the session as it is now; an empty one when it does not exist."""
