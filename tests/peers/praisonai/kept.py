"""What PraisonAI's writers make of a session that readfresh has written, field by field."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from readfresh import HierarchicalSessionStore
from tests.peers.live import LIFTED, processes

KINDS = {"its hierarchical store": "HierarchicalSessionStore", "its plain store": "DefaultSessionStore"}
# Each of its verbs that writes, with arguments, and which part of the session it names.
VERBS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "add_message": (("user", "And when?"), {}, "messages"),
    "set_chat_history": (([{"role": "user", "content": "new"}],), {}, "messages"),
    "clear_session": ((), {}, "messages"),
    "update_session_metadata": ((), {"more": 1}, "metadata"),
    "set_agent_info": ((), {"agent_name": "Bob"}, "fields"),
    "set_gateway_info": ((), {"agent_id": "a2"}, "fields"),
}
TREE_VERBS: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "create_snapshot": ((), {"label": "another"}, "snapshots"),
    "fork_session": ((), {}, "tree"),
    "set_title": (("Another",), {}, "title"),
    "share_session": ((), {}, "title"),
}
CALL = [{"id": "call_1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}]
MESSAGE = ("role", "content", "timestamp", "metadata", "tool_calls", "tool_call_id")


def part(name: str, *fields: str) -> Callable[[dict[str, Any]], Any]:
    """Return what picks these fields of the session's first messages."""
    return lambda data: [{field: one.get(field) for field in fields} for one in data.get(name, ())[:3]]


def fields(*names: str) -> Callable[[dict[str, Any]], Any]:
    """Return what picks these fields of the session."""
    return lambda data: {name: data.get(name) for name in names}


# What a row of the table is about: its words, which part of the session it is, and where it stands in the file.
ROWS: list[tuple[str, str, Callable[[dict[str, Any]], Any]]] = [
    ("messages: role, content, timestamp, metadata, tool fields", "messages", part("messages", *MESSAGE)),
    ("agent, user and gateway fields", "fields", fields("agent_name", "user_id", "gateway_session_id", "agent_id")),
    ("metadata of the session, None included", "metadata", fields("metadata")),
    ("title, and whether it is shared", "title", fields("title", "is_shared")),
    ("parent, origin and children", "tree", fields("parent_id", "forked_from_message_id", "children_ids")),
    ("snapshots and their messages", "snapshots", lambda data: data["snapshots of ours"]),
    ("fields of a message that it does not know", "messages", part("messages", "mood")),
    ("fields of a snapshot that it does not know", "snapshots", part("snapshots", "mood")),
    ("fields of the session that it does not know", "", fields("mood")),
    ("`schema_version`", "", fields("schema_version")),
]


def measure(folder: Path) -> dict[str, dict[str, str]]:
    """Return for each row what each of its stores has done to it, with every one of its verbs.

    Raises:
        AssertionError: two verbs of a store do not do the same.
    """
    given = folder / "given"
    store = HierarchicalSessionStore(given)
    make(store, given / "trip.json")
    table: dict[str, dict[str, str]] = {row: {} for row, _, _ in ROWS}
    with processes(folder, "praisonaiagents.session") as (they,):
        for column, kind in KINDS.items():
            verbs = VERBS | (TREE_VERBS if kind == "HierarchicalSessionStore" else {})
            for verb, (arguments, named, names) in verbs.items():
                place = folder / f"{kind}-{verb}"
                shutil.copytree(given, place)
                before = stored(place)
                assert they.call(kind, place, LIFTED, verb, "trip", *arguments, **named), verb
                after = stored(place)
                for row, of, pick in ROWS:
                    if of != names:
                        outcome = judge(pick(before), pick(after))
                        assert table[row].setdefault(column, outcome) == outcome, (row, verb, pick(after))
    return table


def make(store: HierarchicalSessionStore, file: Path) -> None:
    """Make a session of everything, with fields at every level that nobody knows."""
    store.create_session("home")
    store.create_session("trip", parent_id="home", title="A trip", agent_name="Ann", metadata={"k": [1, None]})
    store.add_user_message("trip", "Where to?", {"number": 1})
    store.add_message("trip", "assistant", None, tool_calls=CALL)
    store.add_message("trip", "tool", "high", tool_call_id="call_1")
    store.create_snapshot("trip", label="before")
    store.create_session("detour", parent_id="trip")
    store.share_session("trip")
    store.set_agent_info("trip", user_id="u1")
    store.set_gateway_info("trip", gateway_session_id="g1", agent_id="a1")
    store.update_session_metadata("trip", compute=None)
    data = json.loads(file.read_bytes())
    for each in (data, data["messages"][0], data["snapshots"][0]):
        each["mood"] = "calm"
    data["forked_from_message_id"] = "1"
    file.write_text(json.dumps(data))


def stored(place: Path) -> dict[str, Any]:
    """Return what is in the session's file, and its snapshots as readfresh reads them."""
    data: dict[str, Any] = json.loads((place / "trip.json").read_bytes())
    snapshots = HierarchicalSessionStore(place).get_snapshots("trip")
    ours = [(one.id, one.label, [message.content for message in one.messages or ()]) for one in snapshots]
    return data | {"snapshots of ours": ours[:1]}


def judge(before: Any, after: Any) -> str:
    """Return one word."""
    if after == before:
        return "kept"

    def flat(value: Any) -> list[Any]:
        if isinstance(value, dict | list | tuple):
            return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in flat(each)]
        return [value]

    return "removed" if not any(flat(after)) else "changed"
