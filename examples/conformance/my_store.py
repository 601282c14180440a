"""A store of five methods, with three faults that its tests do not see."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

Message = dict[str, Any]


class MyStore:
    """One JSON file per session, replaced by every change."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def add_message(
        self,
        session_id: str,
        role: str,
        content: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a message at the end of the session."""
        message = {"role": role, "content": content, "metadata": metadata}
        history = self.get_chat_history(session_id)
        self._replace(session_id, [*history, message])
        return True

    def get_chat_history(
        self, session_id: str, max_messages: int | None = None
    ) -> list[Message]:
        """Return the newest messages, oldest first."""
        if not self.session_exists(session_id):
            return []
        history: list[Message] = json.loads(self._file(session_id).read_text())
        return history[-max_messages:] if max_messages else history

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out."""
        existed = self.session_exists(session_id)
        if existed:
            self._replace(session_id, [])
        return existed

    def delete_session(self, session_id: str) -> bool:
        """Delete the session."""
        existed = self.session_exists(session_id)
        self._file(session_id).unlink(missing_ok=True)
        return existed

    def session_exists(self, session_id: str) -> bool:
        """Return whether there is a file."""
        return self._file(session_id).exists()

    def _file(self, session_id: str) -> Path:
        # A file system has a limit on names: 255 bytes.
        return self.place / f"{quote(session_id, safe='')[:200]}.json"

    def _replace(self, session_id: str, history: list[Message]) -> None:
        new = self._file(session_id).with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(history))
        os.replace(new, self._file(session_id))


def factory(place: Path) -> MyStore:
    """Make a store on a directory."""
    return MyStore(place)
