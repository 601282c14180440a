"""Files that are made to be expensive: each has once been, or would be for a store that is written without care."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

from readfresh import DefaultSessionStore, rescue, verify
from tests.proofs.fuzz.growth import Case, use_vast

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
        size=1_000,
    ),
    Case(
        "blank lines before the messages",
        lambda size: raw(b"\n" * size + b'"messages": ['),
        RESCUE,
        size=1_000,
        vast=500_000,
    ),
    Case(
        "small messages on one line",
        lambda size: raw(b'{"messages": [' + b"{}, " * size),
        RESCUE,
        size=500,
    ),
    Case(
        "damaged messages on one line",
        lambda size: raw(b'{"messages": [' + b'{"role": "user", "content": x}, ' * size),
        RESCUE,
        size=500,
    ),
    Case(
        "a message that does not end",
        lambda size: raw(b'{"messages": [' + b'{"a":' * size),
        RESCUE,
        size=2_500,
    ),
    Case(
        "many values under a long key",
        lambda size: one(metadata={"k" * 100 * size: dict.fromkeys(map(str, range(size)))}),
        READ,
        size=500,
    ),
    Case(
        "a pooled message that a snapshot names often",
        lambda size: one(
            snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": ["r"] * size}}}],
            snapshot_storage={"records": {"r": {"role": "user", "metadata": dict.fromkeys(map(str, range(size)))}}},
        ),
        READ,
        size=100,
    ),
    Case(
        "a pooled message that many snapshots name",
        lambda size: one(
            snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": ["r"]}}}] * size,
            snapshot_storage={"records": {"r": {"role": "user", "metadata": dict.fromkeys(map(str, range(size)))}}},
        ),
        READ,
        size=100,
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
        vast=200_000,
    ),
    Case(
        "children whose ids have one hash",
        lambda size: one(children_ids=[number * SAME_HASH for number in range(size)]),
        VERIFY,
        size=500,
        kind=DefaultSessionStore,
        vast=200_000,
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
        size=50,
    ),
    Case("deep lists", lambda size: raw(b"[" * size), {**READ, **RESCUE}, size=10_000),
    Case("deep objects", lambda size: raw(b'{"messages": [' + b'{"role": ' * size), {**READ, **RESCUE}, size=10_000),
    Case(
        "a number of many digits",
        lambda size: raw(session(metadata={"n": 12345}).replace(b"12345", b"9" * size)),
        {**READ, **RESCUE},
        size=50_000,
    ),
    Case(
        "a fraction of many digits",
        lambda size: raw(session(metadata={"n": 12345}).replace(b"12345", b"0." + b"9" * size)),
        {**READ, **RESCUE},
        size=50_000,
    ),
    Case(
        "many numbers that are too large",
        lambda size: raw(b'{"messages": [' + b'{"role": "user", "content": 1e999},\n' * size),
        {**READ, **RESCUE},
        size=1_000,
    ),
    Case(
        "backslashes that escape nothing",
        lambda size: raw(session(agent_name="NAME").replace(b"NAME", b"\\\\" * size + b"\\")),
        {**READ, **RESCUE},
        size=50_000,
    ),
    Case(
        "texts that do not end",
        lambda size: raw(b'{"messages": [' + b'{"role": "user", "content": "' * size),
        RESCUE,
        size=1_000,
    ),
    Case(
        "half surrogates",
        lambda size: raw(session(agent_name="NAME").replace(b"NAME", b"\\ud800 " * size)),
        {**READ, **RESCUE},
        size=10_000,
    ),
    Case(
        "words before the messages that are almost theirs",
        lambda size: raw(b'"messages" ' * size + b" " * size + b'"messages": ['),
        RESCUE,
        size=10_000,
    ),
    Case(
        "blanks after a field",
        lambda size: raw((b'"agent_name"' + b" " * 50 + b"\n") * size + b'"messages": [{}'),
        RESCUE,
        size=1_000,
    ),
    Case(
        "items of a list that are indented further and further",
        lambda size: raw(
            b'{"messages": [' + b"".join(b"\n" + b" " * number + b"{" for number in range(math.isqrt(size)))
        ),
        RESCUE,
        size=10_000,
    ),
    Case(
        "tool calls and results in turn",
        lambda size: one(
            messages=[
                {"role": "assistant", "tool_calls": [{"id": "c"}]},
                *[{"role": "tool", "tool_call_id": "c"} for _ in range(size)],
            ]
        ),
        {"get_chat_history": lambda store: store.get_chat_history("trip", 1)},
        size=250,
    ),
    Case(
        "many snapshots",
        lambda size: one(snapshots=[{"id": str(number), "message_index": 0, "messages": []} for number in range(size)]),
        {
            **READ,
            "create_snapshot": lambda store: store.create_snapshot("trip"),
            "revert_to_snapshot": lambda store: store.revert_to_snapshot("trip", "no"),
        },
        size=150,
    ),
    Case(
        "many children that do not exist",
        lambda size: one(children_ids=[str(number) for number in range(size)]),
        {
            "create_session": lambda store: store.create_session("child", parent_id="trip"),
            "get_children": lambda store: store.get_children("trip"),
            "verify": verify,
        },
        size=250,
    ),
    Case(
        "many damaged files",
        lambda size: {**one(), **{f"{number}.json": b"{" for number in range(size)}},
        {"list_sessions": lambda store: store.list_sessions(), "verify": verify},
        size=50,
    ),
    Case(
        "many sessions",
        lambda size: {**one(), **{f"{number}.json": session(session_id=str(number)) for number in range(size)}},
        {"list_sessions": lambda store: store.list_sessions(), "verify": verify},
        size=50,
    ),
]


if __name__ == "__main__":
    use_vast(next(case for case in CASES if case.name == sys.argv[1]), sys.argv[2])
