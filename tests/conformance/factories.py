"""What makes stores, well and badly."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore
from tests.conformance.base import GoodStore


def default(place: Path) -> DefaultSessionStore:
    """Make readfresh's store, with a short wait for locks; the matrix has it as it comes."""
    return DefaultSessionStore(place, lock_timeout=0.5, durability="process")


def raises(_place: Path) -> GoodStore:
    """Make nothing."""
    raise OSError("the server is away")


def not_a_store(_place: Path) -> dict[str, Any]:
    """Make something else."""
    return {}


class RefusesToAdd(GoodStore):
    """A store that fails with nothing in its way."""

    def add_message(self, *_: Any) -> bool:
        """Refuse."""
        raise PermissionError("nobody may add")


class InMemory:
    """A factory with all its extras, of a store whose sessions the kit finds in no file."""

    def __call__(self, place: Path) -> GoodStore:
        """Make a store whose files hold no text as it is."""
        return Scrambled(place)

    def damage(self, place: Path, session_id: str) -> None:
        """Damage the session."""
        GoodStore(place).path(session_id).write_text("damaged")

    def close(self, store: GoodStore) -> None:
        """Say that the store was closed."""
        with (store.place / "closed.txt").open("a") as file:
            file.write("closed\n")

    def describe(self) -> dict[str, Any]:
        """Say what was checked."""
        return {"version": "1.0", "configuration": "scrambled"}


class Scrambled(GoodStore):
    """A store that writes each message with its letters reversed."""

    def load(self, session_id: str) -> dict[str, Any]:
        """Read and turn round."""
        session = super().load(session_id)
        for message in session["messages"]:
            message["content"] = message["content"][::-1]
        return session

    def save(self, session_id: str, session: dict[str, Any]) -> None:
        """Turn round and write."""
        turned = [{**message, "content": message["content"][::-1]} for message in session["messages"]]
        super().save(session_id, {**session, "messages": turned})


scrambled = InMemory()


class CannotClear(GoodStore):
    """A store one of whose verbs fails with nothing in its way."""

    def clear_session(self, session_id: str) -> bool:
        """Refuse."""
        raise NotImplementedError(f"{session_id} cannot be cleared")


class Asynchronous(GoodStore):
    """A store that is awaited."""

    async def get_chat_history(self, session_id: str) -> Any:  # type: ignore[override]
        """Return the messages, later."""
        return super().get_chat_history(session_id)


class TakesNoRole(GoodStore):
    """A store that is called in another way."""

    def add_message(self, session_id: str, content: str) -> bool:  # type: ignore[override]
        """Add what nobody has said."""
        return super().add_message(session_id, "user", content)


class InOneDatabase:
    """A good store of plain rows in SQLite, with no argument that it does not need."""

    def __init__(self, place: Path) -> None:
        self._rows = sqlite3.connect(place / "sessions.db", timeout=1.0, isolation_level=None, check_same_thread=False)
        self._rows.execute("CREATE TABLE IF NOT EXISTS messages (session_id TEXT, role TEXT, content TEXT)")

    def add_message(self, session_id: str, role: str, content: str) -> None:
        """Add a message."""
        self._rows.execute("INSERT INTO messages VALUES (?, ?, ?)", (session_id, role, content))

    def get_chat_history(self, session_id: str) -> list[dict[str, str]]:
        """Return the messages."""
        found = self._rows.execute(
            "SELECT role, content FROM messages WHERE session_id = ? ORDER BY rowid", [session_id]
        )
        return [{"role": role, "content": content} for role, content in found]

    def clear_session(self, session_id: str) -> None:
        """Take the messages out."""
        self.delete_session(session_id)

    def delete_session(self, session_id: str) -> None:
        """Delete the session."""
        self._rows.execute("DELETE FROM messages WHERE session_id = ?", [session_id])

    def session_exists(self, session_id: str) -> bool:
        """Return whether it exists."""
        return bool(self.get_chat_history(session_id))


class OneFile(GoodStore):
    """A store of all sessions in one file, which is written where it stands: a crash damages every session."""

    def path(self, session_id: str) -> Path:  # noqa: ARG002
        """Return the one file."""
        return self.place / "all.json"

    def load(self, session_id: str) -> dict[str, Any]:
        """Return a session of the file."""
        session: dict[str, Any] = self._all().get(session_id, {"messages": []})
        return session

    def save(self, session_id: str, session: dict[str, Any]) -> None:
        """Write all of them."""
        whole = self._all()
        with self.path(session_id).open("w", encoding="utf-8") as file:
            json.dump({**whole, session_id: session}, file)  # with a write for each token

    def delete_session(self, session_id: str) -> bool:
        """Leave it empty."""
        self.save(session_id, {"messages": []})
        return True

    def _all(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path("").read_text()) if self.path("").exists() else {}
        return found
