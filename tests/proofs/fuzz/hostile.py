"""Files that are made to be expensive: each has once been, or would be for a store that is written without care."""

from __future__ import annotations

import json
from typing import Any

from readfresh import DefaultSessionStore, rescue, verify
from tests.proofs.fuzz.growth import Case

SAME_HASH = 2**61 - 1  # whole numbers that differ by it have the same hash


def session(**fields: Any) -> bytes:
    """Return the file of a session."""
    return json.dumps({"session_id": "trip", "messages": [], **fields}).encode()


def one(**fields: Any) -> dict[str, bytes]:
    """Return a directory with one session."""
    return {"trip.json": session(**fields)}


def raw(content: bytes) -> dict[str, bytes]:
    """Return a directory with one file."""
    return {"trip.json": content}


READ = {"get_session": lambda store: store.get_session("trip")}
RESCUE = {"rescue": lambda store: rescue(store, "trip")}
VERIFY = {"verify": verify}

CASES = [
    Case(
        "a key twice among many",
        lambda size: raw(b"{" + b"".join(b'"k%d": 1, ' % number for number in range(size)) + b'"z": 1, "z": 2}'),
        {**READ, **RESCUE},
        size=2_000,
    ),
    Case(
        "blank lines before the messages",
        lambda size: raw(b"\n" * size + b'"messages": ['),
        RESCUE,
        size=2_000,
    ),
    Case(
        "small messages on one line",
        lambda size: raw(b'{"messages": [' + b"{}, " * size),
        RESCUE,
        size=1_000,
    ),
    Case(
        "damaged messages on one line",
        lambda size: raw(b'{"messages": [' + b'{"role": "user", "content": x}, ' * size),
        RESCUE,
        size=1_000,
    ),
    Case(
        "a message that does not end",
        lambda size: raw(b'{"messages": [' + b'{"a":' * size),
        RESCUE,
        size=5_000,
    ),
    Case(
        "many values under a long key",
        lambda size: one(metadata={"k" * 20 * size: dict.fromkeys(map(str, range(size)))}),
        READ,
        size=1_000,
    ),
    Case(
        "a pooled message that a snapshot names often",
        lambda size: one(
            snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": ["r"] * size}}}],
            snapshot_storage={"records": {"r": {"role": "user", "metadata": dict.fromkeys(map(str, range(size)))}}},
        ),
        READ,
        size=200,
    ),
    Case(
        "a pooled message that many snapshots name",
        lambda size: one(
            snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": ["r"]}}}] * size,
            snapshot_storage={"records": {"r": {"role": "user", "metadata": dict.fromkeys(map(str, range(size)))}}},
        ),
        READ,
        size=200,
    ),
    Case(
        "tool calls whose ids have one hash",
        lambda size: one(
            messages=[
                {"role": "assistant", "tool_calls": [{"id": number * SAME_HASH} for number in range(size)]},
                {"role": "user", "content": ""},
            ]
        ),
        {"get_chat_history": lambda store: store.get_chat_history("trip", 1)},
        size=500,
    ),
    Case(
        "children whose ids have one hash",
        lambda size: one(children_ids=[number * SAME_HASH for number in range(size)]),
        VERIFY,
        size=500,
        kind=DefaultSessionStore,
    ),
    Case(
        "a child that is listed often",
        lambda size: {
            "trip.json": session(children_ids=["child"] * size),
            "child.json": session(
                session_id="child", parent_id="trip", messages=[{"role": "user", "content": ""}] * size
            ),
        },
        {
            "get_children": lambda store: store.get_children("trip"),
            "get_session_tree": lambda store: store.get_session_tree("trip"),
        },
        size=100,
    ),
]
