"""Ids and content: whatever the files keep the databases keep, and the two answer alike, verb by verb."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readfresh import DbSessionAdapter, DefaultSessionStore, HierarchicalSessionStore, SessionStoreError
from tests.database.support import Databases, put_rows, rows_of, said
from tests.database.test_races import adapter
from tests.store.support import contents, scaled
from tests.store.test_ids import NASTY

few = settings(
    max_examples=scaled(25, 1_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

# Ids


def test_every_id_is_a_session_of_its_own(url: str) -> None:
    """Nasty ids side by side: each reads back what was written to it, and the list gives back each id."""
    store = adapter(url)
    for session_id in NASTY:
        store.add_user_message(session_id, session_id)
    for session_id in NASTY:
        assert said(store, session_id) == [session_id]
        assert store.session_exists(session_id)
    listed = store.list_sessions(None)
    assert {one["session_id"] for one in listed} == set(NASTY)
    assert {one["status"] for one in listed} == {"ok"}
    for session_id in NASTY[::7]:
        assert store.delete_session(session_id)
        assert not store.session_exists(session_id)
    assert store._storage.count() == len(NASTY) - len(NASTY[::7])


@pytest.mark.parametrize(("one", "other"), [("Trip", "trip"), ("é", "e\u0301"), ("a ", "a"), ("x" * 300, "x" * 301)])
def test_ids_that_look_alike_are_apart(url: str, one: str, other: str) -> None:
    """Case, normal forms, blanks and length tell two ids apart."""
    store = adapter(url)
    store.add_user_message(one, "one")
    assert not store.session_exists(other)
    assert store.delete_session(other) is False
    store.add_user_message(other, "other")
    assert (said(store, one), said(store, other)) == (["one"], ["other"])


@pytest.mark.parametrize("wrong", ["", "a\0b", "\ud800", 5, None])
def test_what_is_no_id_is_refused_by_name(url: str, wrong: Any) -> None:
    """NUL, lone surrogates and what is no text never reach the database."""
    with pytest.raises((TypeError, ValueError), match="session_id"):
        adapter(url).add_user_message(wrong, "a")
    assert rows_of(url) == {}


# Content

ODD = (
    *("", "\0", "a\0b", "\\u0000", "\x01\x1f\x7f", "\u2028\u2029", "\ufeff", "\uffff", "\U0010ffff", "🎈", "日本語"),
    *(
        "'; DROP TABLE readfresh_sessions; --",
        '"',
        "\\",
        "%s %(a)s :name {x} $1 ?",
        "a\r\nb",
        "e\u0301",
        "x" * 1_000_000,
    ),
)
NUMBERS = (
    0,
    -0.0,
    0.1,
    1e308,
    5e-324,
    -1.7976931348623157e308,
    2**53 + 1,
    2**64,
    -(10**3999),
    1e16,
    123456789.000000001,
)


def test_texts_are_kept_as_they_are(url: str) -> None:
    """Every text that UTF-8 can hold reads back equal, as content, key, value, role and title."""
    store = HierarchicalSessionStore(storage=adapter(url))
    for text in ODD:
        store.add_message("trip", text or "user", text, {text: [text, {text: text}]})
    for message, text in zip(store.get_session("trip").messages, ODD, strict=True):
        assert (message.content, message.metadata) == (text, {text: [text, {text: text}]})
    store.set_title("trip", ODD[3])
    assert store.get_session("trip").title == ODD[3]
    with pytest.raises(ValueError, match="content"):
        store.add_user_message("trip", "\ud800")


def test_numbers_are_kept_as_they_are(url: str) -> None:
    """Every number that a file keeps reads back equal and of the same type, in messages and in metadata."""
    store = adapter(url)
    store.update_session_metadata("trip", numbers=list(NUMBERS), nothing=None, yes=True)
    store.add_message("trip", "user", "x", {"numbers": list(NUMBERS)})
    session = store.get_session("trip")
    for found in (session.metadata["numbers"], session.messages[0].metadata["numbers"]):
        assert [(repr(one), type(one)) for one in found] == [(repr(one), type(one)) for one in NUMBERS]
    assert (session.metadata["nothing"], session.metadata["yes"]) == (None, True)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@few
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_whatever_json_holds_is_kept(url: str, value: dict[str, Any]) -> None:
    """Metadata reads back equal, from the session and from a message."""
    store = adapter(url)
    store.set_chat_history("trip", [{"role": "user", "content": "x", "metadata": value}])
    store.update("trip", lambda session: session.with_metadata({"value": value}))
    session = store.get_session("trip")
    assert (session.messages[0].metadata, session.metadata["value"]) == (value, value)


def test_unknown_fields_survive_at_every_level(url: str) -> None:
    """Fields of a session, a message and a snapshot that nobody knows survive every verb of both stores."""
    message = {"role": "user", "content": "x", "colour": {"red": [1, None]}}
    put_rows(
        url,
        "trip",
        {
            "session_id": "trip", "messages": [message], "later": {"a": [1, {"b": None}]}, "title": "t",
            "snapshots": [{"id": "s", "session_id": "trip", "message_index": 0, "mood": "calm",
                           "transcript": {"messages": [message], "pace": 3}}],
        },
    )  # fmt: skip
    plain, tree = adapter(url), HierarchicalSessionStore(storage=adapter(url))
    for store in (plain, tree):
        store.add_user_message("trip", "more")
        store.update_session_metadata("trip", cost=1)
        store.set_agent_info("trip", agent_name="Ann")
        store.update("trip", lambda session: session.with_message(session.messages[0]))
    tree.set_title("trip", "new")
    tree.create_snapshot("trip")
    tree.create_session(parent_id="trip")
    tree.revert_to_snapshot("trip", "s")
    exported = tree.export_session("trip")
    assert exported["later"] == {"a": [1, {"b": None}]}
    assert exported["messages"] == [{**message, "timestamp": None, "metadata": {}}]
    assert exported["snapshots"][0]["mood"] == "calm"
    assert exported["snapshots"][0]["transcript"]["pace"] == 3
    assert plain.get_session("trip").extra["title"] == "new"
    plain.set_chat_history("trip", [])
    plain.clear_session("trip")
    assert tree.get_session("trip").snapshots[0].messages is not None
    assert tree.export_session("trip")["later"] == {"a": [1, {"b": None}]}


# Files and databases answer alike

SESSIONS = st.sampled_from(["a", "b", "c/d"])
TEXTS = st.sampled_from(["x", "y", "", "é🎈", "\0"])
MESSAGES = st.lists(
    st.builds(
        lambda content, at, extra: {"role": "user", "content": content, **at, **extra},
        TEXTS,
        st.sampled_from([{}, {"timestamp": 1.0}]),
        st.sampled_from([{}, {"name": "Ann"}]),
    ),
    max_size=4,
)
Step = tuple[str, tuple[Any, ...], dict[str, Any]]


def step(name: str, *arguments: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """Return a call of a verb with random arguments."""
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries({}, optional=named))


PLAIN = [
    step("add_user_message", SESSIONS, TEXTS),
    step("add_message", SESSIONS, st.just("assistant"), st.none(), tool_calls=st.just([{"id": "c"}])),
    step("add_message", SESSIONS, st.just("tool"), TEXTS, tool_call_id=st.just("c")),
    step("set_chat_history", SESSIONS, MESSAGES),
    step(
        "update_session_metadata", SESSIONS, k=st.sampled_from([None, 1, "x"]), agent_name=st.sampled_from(["A", None])
    ),
    step("set_agent_info", SESSIONS, agent_name=st.sampled_from(["A", "B", None]), user_id=TEXTS),
    step("set_gateway_info", SESSIONS, gateway_session_id=TEXTS, agent_id=TEXTS),
    step("clear_session", SESSIONS),
    step("delete_session", SESSIONS),
    step("session_exists", SESSIONS),
    step("get_session", SESSIONS),
    step("get_chat_history", SESSIONS, max_messages=st.integers(1, 3)),
    step("list_sessions", limit=st.integers(0, 3)),
    step("list_sessions_by_agent", st.sampled_from(["A", "B"])),
    step("get_sessions_by_agent", st.sampled_from(["A", "B"])),
    step("get_agent_chat_history", st.just("A")),
    step("get_by_gateway_session", TEXTS),
    step("list_sessions_by_gateway_agent", TEXTS),
]
IDS = st.sampled_from(["a", "b", "id-1", "id-2", "id-3"])
TREE = [
    step("create_session", SESSIONS, title=TEXTS, parent_id=IDS),
    step("fork_session", IDS, from_message_index=st.integers(-1, 2)),
    step("get_children", IDS),
    step("get_parent", IDS),
    step("get_session_tree", IDS),
    step("create_snapshot", IDS, label=TEXTS),
    step("get_snapshots", IDS),
    step("revert_to_snapshot", SESSIONS, IDS),
    step("revert_to_message", IDS, st.integers(-1, 2)),
    step("share_session", SESSIONS),
    step("unshare_session", SESSIONS),
    step("is_shared", SESSIONS),
    step("set_title", SESSIONS, st.sampled_from(["t", None])),
    step("auto_title", SESSIONS),
    step("export_session", IDS),
    step("import_session", st.builds(lambda messages: {"messages": messages, "odd": 1}, MESSAGES), SESSIONS),
]


def answer(store: Any, call: Step) -> Any:
    """Return what the verb answers, or the name of what it raises, without the place where the session is kept."""
    name, arguments, named = call
    try:
        result = getattr(store, name)(*arguments, **named)
        if name == "auto_title":
            result = asyncio.run(result)
    except (SessionStoreError, TypeError, ValueError) as error:
        return type(error).__name__, getattr(error, "cause", str(error))
    if name == "list_sessions":
        return [{key: value for key, value in one.items() if key != "file"} for one in result]
    return result


def settled(make: Callable[..., Any], **arguments: Any) -> Any:
    """Return a store with a clock and ids of its own, which are the same for each."""
    clock, ids = itertools.count(1_000), itertools.count(1)
    return make(now=lambda: float(next(clock)), new_id=lambda: f"id-{next(ids)}", **arguments)


@few
@given(st.lists(st.one_of(*PLAIN), max_size=25), st.sampled_from([None, 2]))
def test_plain_stores_answer_alike(databases: Databases, tmp_path: Path, steps: list[Step], limit: int | None) -> None:
    """`DbSessionAdapter` answers every verb as `DefaultSessionStore` does, and ends with the same sessions."""
    url = databases.url(tmp_path)
    files = settled(DefaultSessionStore, session_dir=tmp_path / "files", durability="process", max_messages=limit)
    rows = settled(DbSessionAdapter, url=url, durability="process", max_messages=limit)
    alike(files, rows, steps)
    shutil.rmtree(tmp_path / "files", ignore_errors=True)
    rows.close()
    databases.close()


@few
@given(st.lists(st.one_of(*PLAIN, *TREE, *TREE), max_size=25))
def test_hierarchical_stores_answer_alike(databases: Databases, tmp_path: Path, steps: list[Step]) -> None:
    """`HierarchicalSessionStore` answers every verb over a database as it does over files."""
    url = databases.url(tmp_path)
    files = settled(HierarchicalSessionStore, session_dir=tmp_path / "files", durability="process")
    rows = settled(HierarchicalSessionStore, storage=databases.adapter(tmp_path))
    alike(files, rows, steps)
    exported = [store.export_session(one["session_id"]) for store in (files, rows) for one in sorted_list(store)]
    assert exported[: len(exported) // 2] == exported[len(exported) // 2 :]
    shutil.rmtree(tmp_path / "files", ignore_errors=True)
    databases.close()
    assert rows_of(url) == contents(tmp_path / "files") == {}


def sorted_list(store: Any) -> list[dict[str, Any]]:
    """Return the list of sessions by id."""
    return sorted(store.list_sessions(None), key=lambda one: str(one["session_id"]))


def alike(files: Any, rows: Any, steps: list[Step]) -> None:
    """Check that both stores answer each step alike."""
    for call in steps:
        assert answer(rows, call) == answer(files, call), call
    for one in files.list_sessions(None):
        assert rows.get_session(one["session_id"]) == files.get_session(one["session_id"])
    assert answer(rows, ("list_sessions", (None,), {})) == answer(files, ("list_sessions", (None,), {}))
