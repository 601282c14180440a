"""A directory of sessions of several sorts, and the command line on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from readfresh import HierarchicalSessionStore
from tests.command.support import Line

CALL = {"id": "c1", "type": "function", "function": {"name": "trains", "arguments": "{}"}}


@pytest.fixture
def store(tmp_path: Path) -> HierarchicalSessionStore:
    """A store with a clock that a test knows, on ``chats``."""
    seconds = iter(range(1_000_000_000, 2_000_000_000))
    return HierarchicalSessionStore(tmp_path / "chats", durability="process", now=lambda: float(next(seconds)))


@pytest.fixture
def chats(store: HierarchicalSessionStore, tmp_path: Path) -> Path:
    """A directory with a family, a damaged session, one of a newer schema, a foreign one, and no lock files."""
    store.create_session("trip", title="Porto", agent_name="guide")
    store.add_user_message("trip", "Where to?")
    store.add_assistant_message("trip", None, tool_calls=[CALL])
    store.add_message(
        "trip", "tool", [{"type": "text", "text": "at 8"}, {"type": "image", "url": "x"}], tool_call_id="c1"
    )
    store.create_session("hotels", parent_id="trip")
    store.create_session("cheap", title="Cheap", parent_id="hotels")
    store.create_snapshot("trip")
    chats = tmp_path / "chats"
    (chats / "broken.json").write_text('{"session_id": "broken", "messages": [{"role": "user", "content": "left"}, {')
    (chats / "newer.json").write_text('{"schema_version": 99, "session_id": "newer", "messages": []}')
    (chats / "a_b.json").write_text('{"session_id": "a/b", "messages": []}')
    for lock in chats.glob("*.lock"):
        lock.unlink()
    return chats


@pytest.fixture
def line(chats: Path) -> Line:
    """The command line on ``chats``."""
    return Line(chats)
