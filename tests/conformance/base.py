"""A good store of five methods, on files: what the broken ones are made of."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock

Session = dict[str, Any]


class GoodStore:
    """One JSON file per session: lock, read, write a temporary file, rename it."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def path(self, session_id: str) -> Path:
        """Return the session's file: every byte but letters and digits is spelled out."""
        name = quote(session_id, safe="").replace(".", "%2E")
        if len(name) > 200:
            raise ValueError(f"session_id is too long: {session_id[:20]}…")
        return self.place / f"{name}.json"

    @contextmanager
    def locked(self, session_id: str) -> Iterator[None]:
        """Hold the session's lock."""
        with FileLock(f"{self.path(session_id)}.lock", timeout=0.5, poll_interval=0.002):
            yield

    def load(self, session_id: str) -> Session:
        """Return what is in the file."""
        try:
            text = self.path(session_id).read_text(encoding="utf-8")
        except FileNotFoundError:
            return {"messages": []}
        try:
            session: Session = json.loads(text)
            session["messages"] = [dict(message) for message in session["messages"]]
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"the session {session_id!r} is damaged: {error}") from error
        return session

    def save(self, session_id: str, session: Session) -> None:
        """Put a whole new file in the place of the old one."""
        temporary = self.path(session_id).with_suffix(".tmp")
        temporary.write_text(json.dumps(session), encoding="utf-8")
        os.replace(temporary, self.path(session_id))

    def add_message(self, session_id: str, role: str, content: str, metadata: Mapping[str, Any] | None = None) -> bool:
        """Add a message."""
        with self.locked(session_id):
            session = self.load(session_id)
            session["messages"].append({"role": role, "content": content, "metadata": dict(metadata or {})})
            self.save(session_id, session)
        return True

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return role and content of the messages."""
        messages = self.load(session_id)["messages"][-max_messages if max_messages else 0 :]
        return [{"role": message["role"], "content": message["content"]} for message in messages]

    def clear_session(self, session_id: str) -> bool:
        """Take the messages out."""
        with self.locked(session_id):
            if not self.session_exists(session_id):
                return False
            self.save(session_id, {**self.load(session_id), "messages": []})
        return True

    def delete_session(self, session_id: str) -> bool:
        """Delete the session."""
        with self.locked(session_id):
            existed = self.session_exists(session_id)
            self.path(session_id).unlink(missing_ok=True)
        return existed

    def session_exists(self, session_id: str) -> bool:
        """Return whether it exists."""
        return self.path(session_id).exists()
