"""The model test: random verbs of several store objects in one place, against a dict.

A world of the specification is all there is to a session store, without files, locks or errors of a system.
After each call its answer is the model's, and every session reads as the model has it, through another store object.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from readfresh import SessionNotFound, rescue, verify
from readfresh.model import now_as_text
from readfresh.values import thaw
from tests.proofs.model.beyond import answer, newest, whole
from tests.proofs.model.places import LIMIT, LIMITED, TREES, Place
from tests.proofs.orders.clients import perform
from tests.proofs.orders.spec import PLAIN, Call, Json, World, text
from tests.store.support import Store

# Two of them are file names of others where ids are used as paths or lowered; the last are the first that stores give.
# Their order is that of their files' names, which decides between two that one call has changed.
IDS = ("..", "/x", "A", "a", "new-1", "new-2")
AGENTS = (None, "Ann", "Bob")
MANY = 10  # sessions; a tree that grows without end only costs time

ids = st.sampled_from(IDS)
words = st.sampled_from(["", "Porto", "Where  to?", " ", "é🎈", "\x00"])
times = st.none() | st.sampled_from([1.5, -1.0, 2e9])
json_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
metadata = st.dictionaries(st.sampled_from(["k", "l"]), json_values | st.lists(json_values, max_size=2), min_size=1)
turns = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": words})
whole_messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "tool", "x"]), "content": words, "timestamp": times, "metadata": metadata},
    optional={"x_unknown": json_values},
)

WRITES: dict[str, st.SearchStrategy[Any]] = {
    "add_message": st.tuples(ids, st.sampled_from(["user", "assistant", "system"]), words),
    "add_user_message": st.tuples(ids, words),
    "add_assistant_message": st.tuples(ids, words),
    "set_chat_history": st.tuples(ids, st.lists(turns, max_size=5)),
    "update_session_metadata": st.tuples(ids, metadata),
    "update": st.tuples(ids, metadata),
    "set_agent_info": st.tuples(ids, st.sampled_from(AGENTS), st.sampled_from(AGENTS)),
    "set_gateway_info": st.tuples(ids, st.sampled_from(["g", None]), st.sampled_from(["a", None])),
    "clear_session": st.tuples(ids),
    "delete_session": st.tuples(ids),
}
TREE_WRITES: dict[str, st.SearchStrategy[Any]] = {
    "create_session": st.tuples(ids, st.none() | words, st.none() | ids).filter(lambda drawn: drawn[0] != drawn[2]),
    "fork_session": st.tuples(ids),
    "create_snapshot": st.tuples(ids),
    "revert_to_snapshot": st.tuples(ids, st.sampled_from([f"new-{number}" for number in range(1, 7)])),
    "revert_to_message": st.tuples(ids, st.integers(-1, 4)),
    "share_session": st.tuples(ids),
    "unshare_session": st.tuples(ids),
    "set_title": st.tuples(ids, st.none() | words),
    "auto_title": st.tuples(ids),
    "import_session": st.tuples(st.fixed_dictionaries({"messages": st.lists(whole_messages, max_size=3)}), ids),
}
limits = st.none() | st.integers(1, 4)
READS: dict[str, st.SearchStrategy[Any]] = {
    "get_session": st.tuples(ids),
    "get_chat_history": st.tuples(ids, limits),
    "session_exists": st.tuples(ids),
    "invalidate_cache": st.tuples(st.none() | ids),
    "list_sessions": st.just([None]),
    "list_sessions_by_agent": st.tuples(st.sampled_from(AGENTS[1:]), st.none()),
    "get_sessions_by_agent": st.tuples(st.sampled_from(AGENTS[1:]), st.none()),
    "get_agent_chat_history": st.tuples(st.sampled_from(AGENTS[1:]), limits, st.none()),
    "get_by_gateway_session": st.tuples(st.just("g")),
    "list_sessions_by_gateway_agent": st.tuples(st.just("a"), st.none()),
}
TREE_READS: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.tuples(ids) for name in ("get_extended_session", "get_children", "get_parent", "get_session_tree")},
    **{name: st.tuples(ids) for name in ("get_snapshots", "is_shared", "export_session")},
}


def calls(*verbs: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[tuple[str, Any]]:
    """Return a strategy for a verb and its arguments."""
    every = {name: arguments for table in verbs for name, arguments in table.items()}
    return st.one_of([st.tuples(st.just(name), arguments) for name, arguments in every.items()])


any_store = st.sampled_from(range(5))
tree = st.sampled_from(TREES)


class Sessions(RuleBasedStateMachine):
    """Five store objects in one place; what one wrote each of them reads."""

    place: ClassVar[Place]
    tried: ClassVar[Counter[str]]

    @initialize()
    def open(self) -> None:
        """Open the stores, which share a clock and a source of ids; begin with a session that has something of all."""
        self.tried["open"] += 1
        self.world = World({})
        self.time = 0.0
        self.ids = itertools.count(1)
        self.new_id = ""
        self.seen: dict[str, str] = {}
        self.stores: list[Store] = self.place.open(now=lambda: self.time, new_id=lambda: self.new_id)

        self.call(1, "create_session", "a", "Trip", None)
        self.call(1, "create_session", "A", None, "a")
        self.call(1, "set_agent_info", "a", "Ann", "u")
        self.call(0, "set_gateway_info", "a", "g", "a")
        self.call(0, "update_session_metadata", "a", {"k": 1})
        self.call(0, "set_chat_history", "a", [{"role": "user", "content": "Where to?"}])
        self.put_unknown(0, "a", [1])

    def teardown(self) -> None:
        """Clean up."""
        self.place.close()

    def call(self, store: int, verb: str, *arguments: Any) -> str:
        """Make a call of a store object, which must answer what the model answers."""
        self.begin(verb)
        if verb in ("fork_session", "create_snapshot"):
            self.new_id = f"new-{next(self.ids)}"
        call = Call(verb, text(arguments), store in TREES, self.time, self.new_id)
        if verb == "auto_title":
            said = text(asyncio.run(self.stores[store].auto_title(*arguments)))  # type: ignore[attr-defined]
        else:
            said = perform(self.stores[store], call)
        self.world, expected = answer(self.world, call)
        for session_id in self.world.sessions:
            self.world.put(session_id, whole(self.world.get(session_id) or {}))
        if verb in ("add_message", "add_user_message", "add_assistant_message", "set_chat_history"):
            self.trim(store, arguments[0])
        assert told(said) == told(expected), f"{verb} answers {said}, and not {expected}"
        return said

    def begin(self, verb: str) -> None:
        """Let the clock go on, and count the call."""
        self.time += 1.0
        self.tried[verb] += 1

    def session(self, session_id: str) -> Json:
        """Return a session as the model has it; an empty one when it does not exist."""
        return whole(self.world.get(session_id) or {"session_id": session_id})

    def trim(self, store: int, session_id: str) -> None:
        """Do in the model what a store with a limit does after it has added messages."""
        if store == LIMITED:
            session = self.session(session_id)
            self.world.put(session_id, {**session, "messages": newest(session["messages"], LIMIT)})

    # Every verb, as the specification has it.

    @rule(store=any_store, call=calls(WRITES))
    def write(self, store: int, call: tuple[str, Any]) -> None:
        """Change a session."""
        self.call(store, call[0], *call[1])

    @rule(store=tree, call=calls(TREE_WRITES))
    def grow(self, store: int, call: tuple[str, Any]) -> None:
        """Change a tree."""
        if len(self.world.sessions) < MANY or call[0] not in ("create_session", "fork_session", "import_session"):
            self.call(store, call[0], *call[1])

    @rule(store=any_store, call=calls(READS))
    def read(self, store: int, call: tuple[str, Any]) -> None:
        """Read."""
        self.call(store, call[0], *call[1])

    @rule(store=tree, call=calls(TREE_READS))
    def look(self, store: int, call: tuple[str, Any]) -> None:
        """Read a tree."""
        self.call(store, call[0], *call[1])

    # What the specification leaves out: tool calls, whole messages, indices, limits, unknown fields, damage.

    @rule(store=any_store, session_id=ids, name=st.sampled_from(["c1", "c2"]))
    def use_a_tool(self, store: int, session_id: str, name: str) -> None:
        """Add a tool call, and its result."""
        asked: Json = {"role": "assistant", "content": None, "tool_calls": [{"id": name, "function": {"name": "tide"}}]}
        for message in (asked, {"role": "tool", "content": "low", "tool_call_id": name}):
            self.begin("add_message")
            assert self.stores[store].add_message(session_id, **message)
            kept = {**message, "timestamp": self.time, "metadata": {}}
            self.put(session_id, messages=[*self.session(session_id)["messages"], kept])
            self.trim(store, session_id)

    @rule(store=any_store, session_id=ids, messages=st.lists(whole_messages, max_size=4))
    def replace(self, store: int, session_id: str, messages: list[Json]) -> None:
        """Replace a history by messages whose times, metadata and unknown fields are kept."""
        self.begin("set_chat_history")
        assert self.stores[store].set_chat_history(session_id, messages)
        timed = [{**one, "timestamp": self.time if one["timestamp"] is None else one["timestamp"]} for one in messages]
        self.put(session_id, messages=timed)
        self.trim(store, session_id)

    @rule(store=tree, session_id=ids, index=st.integers(0, 3), title=words)
    def fork_at(self, store: int, session_id: str, index: int, title: str) -> None:
        """Fork a session at one of its messages."""
        session = self.session(session_id)
        if index < len(session["messages"]) and len(self.world.sessions) < MANY:
            if self.call(store, "fork_session", session_id, index, title).startswith("raises "):
                return
            fork = self.session(self.new_id)
            taken = session["messages"][: index + 1]
            self.world.put(
                self.new_id, {**fork, "messages": taken, "title": title, "forked_from_message_id": str(index)}
            )

    @rule(store=any_store, session_id=ids, value=json_values)
    def put_unknown(self, store: int, session_id: str, value: Any) -> None:
        """Set a field that no store has heard of."""
        self.begin("update")
        extra = {"x_unknown": value}
        self.stores[store].update(session_id, lambda one: dataclasses.replace(one, extra={**one.extra, **extra}))
        self.put(session_id, **extra)

    @rule(store=any_store, count=st.integers(0, 4))
    def limit(self, store: int, count: int) -> None:
        """Ask for the first of a list."""
        asked = self.stores[store]
        assert asked.list_sessions(count) == asked.list_sessions(None)[:count]
        assert asked.list_sessions_by_agent("Ann", count) == asked.list_sessions_by_agent("Ann", None)[:count]
        assert asked.get_sessions_by_agent("Ann", count) == asked.get_sessions_by_agent("Ann", None)[:count]

    @rule(store=any_store, session_id=ids, copy=ids)
    @precondition(lambda self: self.place.damages)
    def damage(self, store: int, session_id: str, copy: str) -> None:
        """Damage a session: no verb takes it for anything else, its messages are rescued, and it can be deleted."""
        before = self.world.get(session_id)
        if before is None or self.world.get(copy) is not None:
            return
        self.begin("rescue")
        self.place.damage(session_id)
        for each in self.stores:
            assert perform(each, Call("get_session", text([session_id]), False, 0.0, "")) == "raises SessionDamaged"
            assert perform(each, Call("add_message", text([session_id, "user", ""]), False, 0.0, "")) == (
                "raises SessionDamaged"
            )
            assert each.session_exists(session_id)
        assert [(one.session_id, one.kind) for one in verify(self.stores[store])] == [(session_id, "damaged")]
        saved = rescue(self.stores[store], session_id, copy)
        assert saved.new_session_id == copy
        assert self.stores[store].delete_session(session_id)
        del self.world.sessions[session_id]
        self.put(copy, **{name: before[name] for name in PLAIN})

    @rule(store=any_store, session_id=ids)
    def save(self, store: int, session_id: str) -> None:
        """Rescue what is not damaged: all of it is read, and nothing is changed."""
        self.begin("rescue")
        if self.world.get(session_id) is None:
            with pytest.raises(SessionNotFound):
                rescue(self.stores[store], session_id)
            return
        found = thaw(rescue(self.stores[store], session_id).session.to_dict())
        assert {name: found[name] for name in PLAIN} == {name: self.session(session_id)[name] for name in PLAIN}

    @rule(store=any_store)
    def check(self, store: int) -> None:
        """Every session is the model's, nothing else is there, and nothing is wrong with them."""
        self.begin("verify")
        assert verify(self.stores[store]) == ()
        assert self.place.count() == len(self.world.sessions)
        for session_id in {*IDS, *self.world.sessions}:
            self.compare(store, session_id)

    @invariant()
    def stores_read_the_model(self) -> None:
        """What has changed is read as the model has it, by a plain store and by a hierarchical one."""
        now = self.world.sessions
        for session_id in sorted(now.keys() | self.seen.keys()):
            if now.get(session_id) != self.seen.get(session_id):
                self.compare(0, session_id)
                self.compare(1, session_id)
        self.seen = dict(now)

    def compare(self, store: int, session_id: str) -> None:
        """Read a session as the model has it."""
        said = perform(self.stores[store], Call("get_session", text([session_id]), False, 0.0, ""))
        assert told(said) == self.session(session_id), f"store {store} reads {said}"

    def put(self, session_id: str, **fields: Any) -> None:
        """Let a session of the model, which may be new, have these fields and the time that it is."""
        now = now_as_text(self.time)
        session = {**self.session(session_id), **fields}
        self.world.put(session_id, {**session, "created_at": session["created_at"] or now, "updated_at": now})


def told(said: str) -> Any:
    """Return an answer as it is compared: with default fields filled in, and without names of files."""
    if said.startswith("raises "):
        return said
    value = json.loads(said)
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict) and "created_at" in one and "messages" in one:
            one.update(whole(one))
        elif isinstance(one, dict) and "file" in one:
            del one["file"]
    return value
