"""What every verb does, as a sequence of atomic sections: the specification that every order is judged by.

It is written without locks, files or errors of a system: a world is a mapping from session ids to JSON objects.

1. A section sees the world of one instant and changes it in one step; between two sections of a verb others may run.
2. A verb on one session is one section: so it is linearizable.
3. A verb on several sessions has one for each, in the order that product's rules for trees give: a child is written
   before its parent lists it. A query takes the names at one instant, and each session at an instant of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

PLAIN: Json = {
    "messages": [],
    "created_at": None,
    "updated_at": None,
    "agent_name": None,
    "user_id": None,
    "metadata": {},
    "gateway_session_id": None,
    "agent_id": None,
}
EXTENDED: Json = {
    **PLAIN,
    "title": None,
    "parent_id": None,
    "forked_from_message_id": None,
    "children_ids": [],
    "snapshots": [],
    "is_shared": False,
}


@dataclass(frozen=True)
class Call:
    """One call of a verb.

    Args:
        verb: the method.
        args: its arguments, as JSON text, so that a call can be a key.
        extended: whether the store is hierarchical.
        time: what the store's clock says during the call, in seconds; no two calls have the same.
        new_id: the id that the store gives during the call.
    """

    verb: str
    args: str
    extended: bool
    time: float
    new_id: str

    @property
    def arguments(self) -> list[Any]:
        """The arguments."""
        found: list[Any] = json.loads(self.args)
        return found


@dataclass(frozen=True)
class Then:
    """The call goes on with another section.

    Args:
        section: its name.
        carried: what the call has learned so far, as JSON text.
    """

    section: str
    carried: str


@dataclass(frozen=True)
class Answer:
    """The call has ended: with a value as JSON text, or with ``raises `` and the name of an error."""

    value: str


class World:
    """Sessions by id, each as JSON text. A value: a section gets a copy."""

    def __init__(self, sessions: Mapping[str, str]) -> None:
        self.sessions = dict(sessions)

    def get(self, session_id: str) -> Json | None:
        """Return the session; None when it does not exist."""
        found = self.sessions.get(session_id)
        session: Json | None = None if found is None else json.loads(found)
        return session

    def put(self, session_id: str, session: Json) -> None:
        """Let the session be this."""
        self.sessions[session_id] = text(session)

    def key(self) -> frozenset[tuple[str, str]]:
        """Return what makes two worlds the same."""
        return frozenset(self.sessions.items())


Section = Callable[["World", Call, Any], Then | Answer]


def text(value: object) -> str:
    """Return the one JSON text of a value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def begin(call: Call) -> Then:
    """Return the first section of a call."""
    return Then(call.verb, "null")


def run(world: World, call: Call, at: Then) -> tuple[World, Then | Answer]:
    """Run one section, and return the world after it and what comes next."""
    after = World(world.sessions)
    return after, SECTIONS[at.section](after, call, json.loads(at.carried))


def _empty(call: Call, session_id: str) -> Json:
    return {"session_id": session_id, **(EXTENDED if call.extended else PLAIN)}


def _seen(world: World, call: Call, session_id: str) -> Json | None:
    session = world.get(session_id)
    return None if session is None else {**_empty(call, session_id), **session}


def _read(world: World, call: Call, session_id: str) -> Json:
    return _seen(world, call, session_id) or _empty(call, session_id)


def _change(
    world: World, call: Call, session_id: str, change: Callable[[Json], Json | None], *, create: bool = True
) -> bool:
    session = _seen(world, call, session_id)
    if session is None and not create:
        return False
    after = change(session or _empty(call, session_id))
    if after is None:
        return False
    now = datetime.fromtimestamp(call.time, UTC).isoformat()
    world.put(session_id, {**after, "created_at": after["created_at"] or now, "updated_at": now})
    return True


def _answer(value: object) -> Answer:
    return Answer(text(value))


def _raises(name: str) -> Answer:
    return Answer(f"raises {name}")


def _message(call: Call, role: str, content: str) -> Json:
    return {"role": role, "content": content, "timestamp": call.time, "metadata": {}}


def _for_model(session: Json) -> list[Json]:
    return [{"role": message["role"], "content": message["content"]} for message in session["messages"]]


# Verbs of one session: one section each.


def _reads(look: Callable[[Json], Any]) -> Section:
    return lambda world, call, _: _answer(look(_read(world, call, call.arguments[0])))


def _sets(fields: Callable[[Call, Json], Json | None], *, create: bool = True) -> Section:
    """Return the section of a verb that replaces fields of its session; None leaves the session as it is."""

    def section(world: World, call: Call, _: Any) -> Answer:
        def change(session: Json) -> Json | None:
            changed = fields(call, session)
            return None if changed is None else {**session, **changed}

        return _answer(_change(world, call, call.arguments[0], change, create=create))

    return section


def _appended(call: Call, session: Json) -> Json:
    _, role, content = call.arguments
    return {"messages": [*session["messages"], _message(call, role, content)]}


def _replaced(call: Call, _session: Json) -> Json:
    return {"messages": [_message(call, one["role"], one["content"]) for one in call.arguments[1]]}


def _with_metadata(call: Call, session: Json) -> Json:
    return {"metadata": {**session["metadata"], **call.arguments[1]}}


def _named(*names: str) -> Callable[[Call, Json], Json]:
    return lambda call, _session: dict(zip(names, call.arguments[1:], strict=False))


def _reverted(call: Call, session: Json) -> Json | None:
    found = [one for one in session["snapshots"] if one["id"] == call.arguments[1]]
    return {"messages": found[0]["transcript"]["messages"]} if found else None


def _cut(call: Call, session: Json) -> Json | None:
    index = call.arguments[1]
    return {"messages": session["messages"][: index + 1]} if 0 <= index < len(session["messages"]) else None


def _delete(world: World, call: Call, _: Any) -> Answer:
    return _answer(world.sessions.pop(call.arguments[0], None) is not None)


def _export(world: World, call: Call, _: Any) -> Answer:
    session = _seen(world, call, call.arguments[0])
    return _raises("SessionNotFound") if session is None else _answer({"schema_version": 1, **session})


def _keep(world: World, call: Call, _: Any) -> Answer:
    session_id = call.arguments[0]

    def change(session: Json) -> Json:
        snapshot = {
            "id": call.new_id,
            "session_id": session_id,
            "message_index": len(session["messages"]) - 1,
            "created_at": call.time,
            "label": None,
            "metadata": {},
            "transcript": {"messages": session["messages"]},
        }
        return {**session, "snapshots": [*session["snapshots"], snapshot]}

    kept = _change(world, call, session_id, change, create=False)
    return _answer(call.new_id) if kept else _raises("SessionNotFound")


def _import(world: World, call: Call, _: Any) -> Answer:
    data, session_id = call.arguments
    if world.get(session_id) is not None:
        return _raises("SessionExists")
    _change(world, call, session_id, lambda empty: {**empty, **data})
    return _answer(session_id)


# Verbs of several sessions.


def _create(world: World, call: Call, _: Any) -> Then | Answer:
    session_id, title, parent_id = call.arguments
    if parent_id is None:
        return _write_child(world, call, {"id": session_id, "title": title, "parent": None})
    parent = world.get(parent_id)
    if parent is None:
        return _raises("SessionNotFound")
    seen = {"id": parent_id, "created_at": parent["created_at"]}
    return Then("write child", text({"id": session_id, "title": title, "parent": seen}))


def _fork(world: World, call: Call, _: Any) -> Then | Answer:
    origin_id = call.arguments[0]
    origin = _seen(world, call, origin_id)
    if origin is None:
        return _raises("SessionNotFound")
    child = {
        "id": call.new_id,
        "title": f"Fork of {origin['title'] or origin_id}",
        "parent": {"id": origin_id, "created_at": origin["created_at"]},
        "takes": {name: origin[name] for name in ("messages", "agent_name", "metadata")},
    }
    return Then("write child", text(child))


def _write_child(world: World, call: Call, child: Any) -> Then | Answer:
    if world.get(child["id"]) is not None:
        return _raises("SessionExists")
    parent = child["parent"]
    fields = {"title": child["title"], "parent_id": parent and parent["id"], **child.get("takes", {})}
    _change(world, call, child["id"], lambda empty: {**empty, **fields})
    return _answer(child["id"]) if parent is None else Then("list child", text(child))


def _list_child(world: World, call: Call, child: Any) -> Answer:
    seen = child["parent"]

    def change(parent: Json) -> Json | None:
        if parent["created_at"] != seen["created_at"]:
            return None  # it was deleted, and its id belongs to another session now
        return {**parent, "children_ids": [*parent["children_ids"], child["id"]]}

    _change(world, call, seen["id"], change, create=False)
    return _answer(child["id"])


def _parent(world: World, call: Call, child: Any) -> Then | Answer:
    session_id = call.arguments[0]
    if child is None:
        parent_id = _read(world, call, session_id)["parent_id"]
        return _answer(None) if parent_id is None else Then(call.verb, text(parent_id))
    return _answer(child if session_id in _read(world, call, child)["children_ids"] else None)


def _children(world: World, call: Call, state: Any) -> Then | Answer:
    parent = call.arguments[0]
    if state is None:
        state = {"left": _read(world, call, parent)["children_ids"], "found": []}
    else:
        child_id = state["left"].pop(0)
        child = world.get(child_id)
        if child is not None and child["parent_id"] == parent:
            state["found"].append(child_id)
    return Then(call.verb, text(state)) if state["left"] else _answer(state["found"])


def _tree(world: World, call: Call, state: Any) -> Then | Answer:
    """One section for the session and one for each child; `nodes` and `left` are in the order of the walk."""
    root = call.arguments[0]
    if state is None:
        session = _read(world, call, root)
        state = {
            "nodes": [_node(root, None, session)],
            "left": [[root, child] for child in session["children_ids"]],
            "later": [],
        }
    else:
        parent, child_id = state["left"].pop(0)
        child = _seen(world, call, child_id)
        if child is not None and child["parent_id"] == parent and child_id not in [one[0] for one in state["nodes"]]:
            state["nodes"].append(_node(child_id, parent, child))
            state["later"].append([[child_id, each] for each in child["children_ids"]])
    while not state["left"] and state["later"]:
        state["left"] = state["later"].pop()
    return Then(call.verb, text(state)) if state["left"] else _answer(_nested(root, state["nodes"]))


def _node(session_id: str, parent: str | None, session: Json) -> list[Any]:
    return [session_id, parent, session["title"], len(session["messages"])]


def _nested(root: str, nodes: list[Any]) -> Json:
    session_id, _, title, count = next(node for node in nodes if node[0] == root)
    children = [_nested(node[0], nodes) for node in nodes if node[1] == root]
    return {"session_id": session_id, "title": title, "message_count": count, "status": "ok", "children": children}


def _entitle(world: World, call: Call, title: Any) -> Then | Answer:
    session_id = call.arguments[0]
    if title is None:
        session = _read(world, call, session_id)
        said = {message["role"]: message["content"] for message in reversed(session["messages"])}
        if session["title"] or {"user", "assistant"} - said.keys():
            return _answer(False)
        return Then(call.verb, text(said["user"]))
    return _answer(
        _change(
            world, call, session_id, lambda session: None if session["title"] else {**session, "title": title},
            create=False,
        )
    )  # fmt: skip


def _query(wanted: str | None, show: Callable[[Call, list[Json]], Any], *, reads: bool = False) -> Section:
    """Return the section of a query: the names, then each session, then where it `reads` each that was found again."""

    def section(world: World, call: Call, state: Any) -> Then | Answer:
        value = call.arguments[0] if wanted else None
        if state is None:
            state = {"left": sorted(world.sessions), "seen": [], "found": [], "again": None}
        elif state["again"] is None:
            session = _seen(world, call, state["left"].pop(0))
            if session is not None:
                state["seen"].append(session)
        else:
            session = _read(world, call, state["again"].pop(0))
            if wanted and session[wanted] == value:
                state["found"].append(session)
        if not state["left"] and state["again"] is None:
            newest = sorted(state["seen"], key=lambda session: session["updated_at"], reverse=True)
            state["found"] = [session for session in newest if wanted is None or session[wanted] == value]
            if reads:
                state["again"] = [session["session_id"] for session in state["found"]]
                state["found"] = []
        if state["left"] or state["again"]:
            return Then(call.verb, text(state))
        return _answer(show(call, state["found"]))

    return section


def _ids(_call: Call, found: list[Json]) -> list[str]:
    return [session["session_id"] for session in found]


def _rows(_call: Call, found: list[Json]) -> list[Json]:
    shown = ("session_id", "agent_name", "created_at", "updated_at")
    return [
        {
            **{name: session[name] for name in shown},
            "message_count": len(session["messages"]),
            "status": "ok",
            "file": f"{session['session_id']}.json",
        }
        for session in found
    ]


def _agents_history(call: Call, found: list[Json]) -> list[Json]:
    return [
        {**message, "session_id": session["session_id"], "agent_name": call.arguments[0]}
        for session in found
        for message in _for_model(session)
    ]


SECTIONS: dict[str, Section] = {
    "get_session": _reads(lambda session: session),
    "get_chat_history": _reads(_for_model),
    "session_exists": lambda world, call, _: _answer(world.get(call.arguments[0]) is not None),
    "invalidate_cache": lambda _world, _call, _: _answer(None),
    "list_sessions": _query(None, _rows),
    "list_sessions_by_agent": _query("agent_name", _ids),
    "get_sessions_by_agent": _query("agent_name", lambda _call, found: found, reads=True),
    "get_agent_chat_history": _query("agent_name", _agents_history, reads=True),
    "list_sessions_by_gateway_agent": _query("agent_id", _ids),
    "add_message": _sets(_appended),
    "add_user_message": _sets(lambda call, session: _appended(_said(call, "user"), session)),
    "add_assistant_message": _sets(lambda call, session: _appended(_said(call, "assistant"), session)),
    "set_chat_history": _sets(_replaced),
    "update_session_metadata": _sets(_with_metadata),
    "set_agent_info": _sets(_named("agent_name", "user_id")),
    "set_gateway_info": _sets(_named("gateway_session_id", "agent_id")),
    "update": _sets(_with_metadata),
    "clear_session": _sets(lambda _call, _session: {"messages": []}, create=False),
    "delete_session": _delete,
    "get_extended_session": _reads(lambda session: session),
    "get_children": _children,
    "get_parent": _parent,
    "get_session_tree": _tree,
    "get_snapshots": _reads(lambda session: session["snapshots"]),
    "is_shared": _reads(lambda session: session["is_shared"]),
    "export_session": _export,
    "create_session": _create,
    "fork_session": _fork,
    "write child": _write_child,
    "list child": _list_child,
    "create_snapshot": _keep,
    "revert_to_snapshot": _sets(_reverted, create=False),
    "revert_to_message": _sets(_cut, create=False),
    "share_session": _sets(lambda _call, _session: {"is_shared": True}),
    "unshare_session": _sets(lambda _call, _session: {"is_shared": False}, create=False),
    "set_title": _sets(_named("title")),
    "auto_title": _entitle,
    "import_session": _import,
}
"""Every verb by its name; those with a space in their name are later sections of a verb."""


def _said(call: Call, role: str) -> Call:
    session_id, content = call.arguments
    return Call(call.verb, text([session_id, role, content]), call.extended, call.time, call.new_id)


def _gateway(world: World, call: Call, state: Any) -> Then | Answer:
    """Read those that are linked to the gateway's session, the one changed last first, until one still is."""
    if state is None or state["again"] is None:
        found = _query("gateway_session_id", _ids)(world, call, state)
        if isinstance(found, Then):
            return found
        state = {"again": json.loads(found.value)}
    else:
        session = _read(world, call, state["again"].pop(0))
        if session["gateway_session_id"] == call.arguments[0]:
            return _answer(session)
    return Then(call.verb, text(state)) if state["again"] else _answer(None)


SECTIONS["get_by_gateway_session"] = _gateway
