"""What makes stores, well and badly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.conformance.base import GoodStore


def default(place: Path) -> DefaultSessionStore:
    """Make readfresh's store, with a short wait for locks."""
    return DefaultSessionStore(place, lock_timeout=0.5)


def tree(place: Path) -> HierarchicalSessionStore:
    """Make readfresh's other store."""
    return HierarchicalSessionStore(place, lock_timeout=0.5)


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
