"""What the tests about content share: pairs of stores, a file full of foreign fields, and any JSON at all."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, HierarchicalSessionStore

Kind = type[DefaultSessionStore[Any]]
Json = dict[str, Any]

KINDS: tuple[Kind, ...] = (DefaultSessionStore, HierarchicalSessionStore)
NOW = 1_000_000_000.0
NOW_AS_TEXT = "2001-09-09T01:46:40+00:00"

mixed = pytest.mark.parametrize(
    ("one", "other"), list(itertools.product(KINDS, KINDS)), ids=lambda kind: kind.__name__.removesuffix("SessionStore")
)
"""The test runs with each pair of stores, which it puts on one directory."""


def make(kind: Kind, directory: Path, **arguments: Any) -> Any:
    """Return a store whose clock and ids are fixed: the ids are ``new-1``, ``new-2``, and so on."""
    count = itertools.count(1)
    fixed: Json = {"now": lambda: NOW, "new_id": lambda: f"new-{next(count)}", "durability": "process"}
    return kind(directory, **{**fixed, **arguments})


def foreign_session(session_id: str = "trip") -> Json:
    """Return the JSON of a session with fields at every level that no store has ever heard of."""
    return {
        "session_id": session_id,
        "title": "Porto in May",
        "created_at": "2001-01-01T00:00:00+00:00",
        "updated_at": "2001-01-02T00:00:00+00:00",
        "agent_name": "guide",
        "user_id": "ada",
        "gateway_session_id": "gate-7",
        "agent_id": "agent-7",
        "parent_id": "plans",
        "forked_from_message_id": "3",
        "children_ids": ["gone"],
        "is_shared": True,
        "metadata": {"mood": "curious", "budget": {"euro": [400, 12.5, None, True]}},
        "x_rating": {"stars": [5, {"of": 5}]},
        "last_compaction": None,
        "archived_messages": [{"role": "user", "content": "Earlier.", "x_seen": 1}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "Where to?"}, {"type": "x_sketch", "points": [[0, 1]]}],
                "timestamp": 978307200.25,
                "metadata": {"lang": "en"},
                "x_reactions": ["thumbs up", None],
            },
            {
                "role": "assistant",
                "content": "Porto it is. Olá ☕",
                "timestamp": 978307201,
                "metadata": {},
                "x_cost": {"usd": 0.0001, "tokens": 123456789012345678901234567890},
            },
        ],
        "snapshots": [
            {
                "id": "first",
                "session_id": session_id,
                "message_index": 0,
                "created_at": 978307200.5,
                "label": "start",
                "metadata": {"by": "ada"},
                "x_pinned": True,
                "transcript": {
                    "messages": [
                        {"role": "user", "content": "Hello?", "timestamp": 1.5, "metadata": {}, "x_draft": [True]}
                    ],
                    "archived_messages": [],
                    "x_of": {"tokens": 3},
                },
            },
            {
                "id": "pooled",
                "session_id": session_id,
                "message_index": 0,
                "created_at": 978307200.5,
                "label": None,
                "metadata": {},
                "transcript_refs": {"messages": {"items": ["r1"]}, "x_other": {"value": "r2"}},
                "transcript_invalidated": False,
            },
        ],
        "snapshot_storage": {
            "version": 1,
            "records": {
                "r1": {"role": "user", "content": "Pooled.", "timestamp": 2.5, "metadata": {}, "x_in_pool": 1},
                "r2": "anything",
            },
        },
    }


def write_file(directory: Path, data: Json, name: str | None = None) -> Path:
    """Write a session's file as another program would, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (name or f"{data['session_id']}.json")
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")
    return path


def read_file(path: Path) -> Json:
    """Return what the session's file holds, read without readfresh, without the schema version."""
    data: Json = json.loads(path.read_text(encoding="utf-8"))
    data.pop("schema_version", None)
    return data


def exactly(data: Json) -> str:
    """Return a text that is equal for equal JSON alone: to `==`, 1, 1.0 and True are the same."""
    return json.dumps(data, sort_keys=True)


def listing(directory: Path) -> dict[str, bytes]:
    """Return the bytes of every file below `directory` but the lock files, which hold nothing."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def json_values(max_leaves: int = 8) -> st.SearchStrategy[Any]:
    """Any value that JSON can hold."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(
        leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=max_leaves
    )


def unknown_fields() -> st.SearchStrategy[Json]:
    """Any fields that no class of readfresh has."""
    return st.dictionaries(st.text(min_size=1).map(lambda name: f"x_{name}"), json_values(), max_size=4)
