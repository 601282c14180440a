"""What each verb does, answers, and refuses."""

import asyncio
import dataclasses
import itertools
import json
import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import (
    DbSessionAdapter,
    DefaultSessionStore,
    ExtendedSessionData,
    HierarchicalSessionStore,
    SessionData,
    SessionExists,
    SessionMessage,
    SessionNotFound,
    SessionStoreError,
    SessionTooNew,
    StoreMisused,
    default,
    default_session_dir,
    verify,
)
from readfresh.disk import Disk
from tests.store.support import Kind, Store, UntouchedDisk, Verb, WatchedDisk, contents, each_verb, filled, write_json

CALLS = [{"id": "c1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}]


def said(store: Store, session_id: str) -> list[Any]:
    """Return the contents of a session's messages."""
    return [message["content"] for message in store.get_chat_history(session_id)]


# A session that does not exist


@pytest.mark.parametrize(("kind", "verb"), each_verb(writes=False))
def test_reading_what_does_not_exist_creates_nothing(kind: Kind, verb: Verb, directory: Path) -> None:
    """A read of a session that does not exist answers as for an empty one: no directory, no lock file."""
    store = kind(directory)
    if verb.name == "export_session":
        with pytest.raises(SessionNotFound):
            verb.call(store, "nobody")
    else:
        assert verb.call(store, "nobody") == verb.missing
    assert not directory.exists()


@pytest.mark.parametrize(("kind", "verb"), each_verb(writes=True))
def test_verbs_that_only_take_away_create_no_session(kind: Kind, verb: Verb, directory: Path) -> None:
    """A write to a session that does not exist creates it, or answers False or raises and creates nothing at all."""
    store = kind(directory)
    if verb.name in ("fork_session", "create_snapshot", "create_session"):
        with pytest.raises(SessionNotFound):
            verb.call(store, "nobody")
        assert contents(directory, locks=True) == {}
    elif verb.missing is False:
        assert verb.call(store, "nobody") is False
        assert not directory.exists()
    else:
        assert verb.call(store, "nobody") in (True, "nobody")
        assert store.session_exists("nobody")


def test_session_that_does_not_exist_reads_as_empty(store: Store) -> None:
    """`get_session` gives an empty session of the store's class, whose `created_at` is None."""
    session = store.get_session("nobody")
    assert session == store.session_type("nobody")
    assert session.created_at is None
    assert session.updated_at is None


@pytest.mark.parametrize(("kind", "verb"), each_verb(writes=True))
def test_a_write_that_was_made_answers_true_or_an_id(kind: Kind, verb: Verb, directory: Path) -> None:
    """A verb answers True, or the id of what it made, when the change has been made, and the directory shows it."""
    store = filled(kind, directory)
    before = contents(directory)
    if verb.name == "import_session":
        with pytest.raises(SessionExists):
            verb.call(store, "trip")
        assert contents(directory) == before
        return
    answer = verb.call(store, "trip")
    assert answer is True or isinstance(answer, str)
    assert contents(directory) != before


# Messages


def test_messages_are_kept_as_they_were_added(store: Store) -> None:
    """Role, content, metadata, the tool fields and the time of each message are read back, oldest first."""
    store._now = iter([1.5, 1.5, 2.5, 2.5, 3.5, 3.5]).__next__
    assert store.add_user_message("trip", "Is it high tide?", {"via": "web"}) is True
    assert store.add_message("trip", "assistant", None, tool_calls=CALLS) is True
    assert store.add_message("trip", "tool", "yes", tool_call_id="c1") is True
    assert store.get_session("trip").messages == (
        SessionMessage("user", "Is it high tide?", 1.5, {"via": "web"}),
        SessionMessage("assistant", None, 2.5, tool_calls=CALLS),
        SessionMessage("tool", "yes", 3.5, tool_call_id="c1"),
    )
    assert store.get_chat_history("trip") == [
        {"role": "user", "content": "Is it high tide?"},
        {"role": "assistant", "content": None, "tool_calls": CALLS},
        {"role": "tool", "content": "yes", "tool_call_id": "c1"},
    ]


def test_content_may_be_a_list_of_parts(store: Store) -> None:
    """Content parts, which models take beside text, are kept."""
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
    ]
    store.add_message("trip", "user", parts)
    assert store.get_chat_history("trip") == [{"role": "user", "content": parts}]


def test_history_belongs_to_the_caller(store: Store) -> None:
    """What `get_chat_history` gives may be changed; nobody else sees it."""
    store.add_message("trip", "assistant", [{"type": "text", "text": "Porto"}], tool_calls=CALLS)
    history = store.get_chat_history("trip")
    history[0]["content"][0]["text"] = "Lagos"
    history[0]["tool_calls"][0]["function"]["name"] = "moon"
    history.clear()
    assert store.get_chat_history("trip")[0]["content"] == [{"type": "text", "text": "Porto"}]
    assert store.get_chat_history("trip")[0]["tool_calls"] == CALLS


def test_history_is_cut_to_the_newest(store: Store) -> None:
    """`max_messages` takes the newest messages; more than there are takes all."""
    for number in range(5):
        store.add_user_message("trip", str(number))
    assert [message["content"] for message in store.get_chat_history("trip", 2)] == ["3", "4"]
    assert len(store.get_chat_history("trip", 99)) == 5


def test_history_is_replaced_with_times_and_metadata(store: Store) -> None:
    """`set_chat_history` keeps the timestamps, metadata and unknown fields it is given; the rest gets the time."""
    store._now = lambda: 9.0
    given: list[dict[str, Any] | SessionMessage] = [
        {"role": "user", "content": "a", "timestamp": 1.0, "metadata": {"k": None}, "name": "Ann"},
        SessionMessage("assistant", None, 2.0, tool_calls=CALLS),
        {"role": "tool", "content": "b", "tool_call_id": "c1"},
    ]
    store.add_user_message("trip", "gone")
    assert store.set_chat_history("trip", iter(given)) is True
    assert store.get_session("trip").messages == (
        SessionMessage("user", "a", 1.0, {"k": None}, extra={"name": "Ann"}),
        SessionMessage("assistant", None, 2.0, tool_calls=CALLS),
        SessionMessage("tool", "b", 9.0, tool_call_id="c1"),
    )
    assert store.set_chat_history("trip", []) is True
    assert store.get_chat_history("trip") == []


def test_clearing_takes_the_messages_and_nothing_else(kind: Kind, directory: Path) -> None:
    """`clear_session` takes out all messages; all else stays, snapshots and children too."""
    store = filled(kind, directory)
    before = store.get_session("trip")
    assert store.clear_session("trip") is True
    assert store.get_session("trip") == dataclasses.replace(
        before, messages=(), updated_at=store.get_session("trip").updated_at
    )


def test_deleting_leaves_only_the_lock_file(store: Store, directory: Path) -> None:
    """`delete_session` deletes the session, once; the lock file stays."""
    store.add_user_message("trip", "Porto")
    assert store.delete_session("trip") is True
    assert store.delete_session("trip") is False
    assert not store.session_exists("trip")
    assert contents(directory, locks=True) == {"trip.json.lock": b""}


# Trimming


def test_nothing_is_dropped_by_default(store: Store) -> None:
    """Without `max_messages` every message stays (PraisonAI: 100)."""
    store.set_chat_history("trip", [{"role": "user", "content": str(number)} for number in range(150)])
    store.add_user_message("trip", "last")
    assert len(store.get_chat_history("trip")) == 151


@pytest.mark.parametrize("how", ["add", "set"])
def test_the_newest_messages_are_left(kind: Kind, directory: Path, how: str) -> None:
    """`max_messages` leaves the newest messages, whether they are added or set."""
    store = kind(directory, max_messages=3)
    messages = [{"role": "user", "content": str(number)} for number in range(5)]
    if how == "add":
        for message in messages:
            store.add_user_message("trip", message["content"])
    else:
        store.set_chat_history("trip", messages)
    assert said(store, "trip") == ["2", "3", "4"]


def exchange(*contents: str) -> list[dict[str, Any]]:
    """Return messages: ``u`` of the user, ``c1`` a call of id 1, ``t1`` its result."""
    kinds: dict[str, Callable[[str], dict[str, Any]]] = {
        "u": lambda _: {"role": "user", "content": "u"},
        "c": lambda ids: {"role": "assistant", "content": None, "tool_calls": [{"id": one} for one in ids]},
        "t": lambda one: {"role": "tool", "content": one, "tool_call_id": one},
    }
    return [kinds[content[0]](content[1:]) for content in contents]


@pytest.mark.parametrize(
    ("messages", "limit", "left"),
    [
        (("u", "c1", "t1", "u"), 3, 3),
        (("u", "c1", "t1", "u"), 2, 1),  # the limit falls between call and result
        (("c12", "t1", "t2", "u", "u"), 4, 2),
        (("c12", "t1", "t2"), 1, 3),  # what was written last is kept, whole
        (("c1", "u", "t1", "u"), 2, 1),  # a result that comes late
        (("c1", "t1", "c1", "t1"), 2, 2),  # ids that a model uses again
        (("t9", "u"), 1, 1),  # a result without a call
        (("u", "t9", "t9"), 1, 3),
        (("u", "t9", "u"), 2, 1),
    ],
)
def test_trimming_never_splits_a_call_from_its_results(
    kind: Kind, directory: Path, messages: tuple[str, ...], limit: int, left: int
) -> None:
    """A limit that falls into an exchange leaves it out, or keeps all of it where nothing else would be left."""
    store = kind(directory, max_messages=limit)
    store.set_chat_history("trip", exchange(*messages))
    assert len(store.get_chat_history("trip")) == left
    unlimited = kind(directory)
    unlimited.set_chat_history("all", exchange(*messages))
    assert len(unlimited.get_chat_history("all", limit)) == left


def test_a_call_without_an_id_does_not_stop_the_trimming(kind: Kind, directory: Path) -> None:
    """A tool call that carries no id has no results; the messages after it are none of it."""
    store = kind(directory, max_messages=3)
    store.add_message("trip", "assistant", None, tool_calls=[{"name": "tide"}])
    for number in range(10):
        store.add_user_message("trip", str(number))
    assert said(store, "trip") == ["7", "8", "9"]


@pytest.mark.parametrize("limit", [0, -1])
@pytest.mark.parametrize("session", [SessionData("a"), SessionData("a", (SessionMessage("user", "x"),))])
def test_history_of_a_value_is_cut_to_one_at_least(session: SessionData, limit: int) -> None:
    """`SessionData.get_chat_history` names a limit that is none."""
    with pytest.raises(ValueError, match="max_messages"):
        session.get_chat_history(limit)


# Fields


def test_metadata_is_set_field_by_field(store: Store) -> None:
    """`update_session_metadata` sets what is given, None too, and leaves the rest."""
    assert store.update_session_metadata("trip", cost=1, compute="c") is True
    assert store.update_session_metadata("trip", compute=None, deep={"a": [1, None]}) is True
    assert store.get_session("trip").metadata == {"cost": 1, "compute": None, "deep": {"a": [1, None]}}
    assert store.update_session_metadata("trip") is False


def test_metadata_of_the_session_sets_its_fields(store: Store) -> None:
    """As in PraisonAI, `agent_id`, `agent_name` and `user_id` are the session's own fields too."""
    store.update_session_metadata("trip", agent_id="a", agent_name="Ann", user_id="u")
    session = store.get_session("trip")
    assert (session.agent_id, session.agent_name, session.user_id) == ("a", "Ann", "u")
    store.update_session_metadata("trip", agent_name=None)
    assert store.get_session("trip").agent_name is None
    assert store.get_session("trip").user_id == "u"


@pytest.mark.parametrize(
    ("verb", "first", "second"),
    [("set_agent_info", "agent_name", "user_id"), ("set_gateway_info", "gateway_session_id", "agent_id")],
)
def test_infos_are_set_left_and_cleared(store: Store, verb: str, first: str, second: str) -> None:
    """A field that is left out stays as it is, and None clears it; nothing given is nothing done."""
    put = getattr(store, verb)
    assert put("trip") is False
    assert not store.session_exists("trip")
    assert put("trip", "one", "two") is True
    assert put("trip", **{second: "three"}) is True
    assert (getattr(store.get_session("trip"), first), getattr(store.get_session("trip"), second)) == ("one", "three")
    assert put("trip", **{first: None}) is True
    assert (getattr(store.get_session("trip"), first), getattr(store.get_session("trip"), second)) == (None, "three")


def test_times_of_a_session_are_those_of_its_changes(store: Store) -> None:
    """`created_at` is the time of the first change, `updated_at` that of the last, both ISO 8601 in UTC."""
    clock = iter([0.0, 0.0, 1.5, 1.5])
    store._now = clock.__next__
    store.add_user_message("trip", "a")
    store.add_user_message("trip", "b")
    session = store.get_session("trip")
    assert session.created_at == "1970-01-01T00:00:00+00:00"
    assert session.updated_at == "1970-01-01T00:00:01.500000+00:00"


# Update


def test_update_gives_the_newest_and_keeps_what_comes_back(store: Store, kind: Kind, directory: Path) -> None:
    """`update` hands the newest state to `change` and keeps its result; the session it was given changes nothing."""
    store.add_user_message("trip", "a")
    kind(directory).add_user_message("trip", "b")
    seen = []
    assert store.update("trip", lambda session: seen.append(session) or session) is False  # type: ignore[func-returns-value]
    assert [message.content for message in seen[0].messages] == ["a", "b"]
    before = contents(directory)
    assert store.update("trip", lambda session: session) is False
    assert contents(directory) == before
    assert store.update("trip", lambda session: dataclasses.replace(session, agent_name="Ann")) is True
    assert store.get_session("trip").agent_name == "Ann"


def test_a_change_that_raises_leaves_the_file_as_it_was(store: Store, directory: Path) -> None:
    """What `change` raises comes out as it is, and the file is byte for byte as it was."""
    store.add_user_message("trip", "a")
    before = contents(directory)
    with pytest.raises(ZeroDivisionError):
        store.update("trip", lambda _: 1 / 0)
    assert contents(directory) == before


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (None, TypeError, "change must return"),
        ({"session_id": "trip"}, TypeError, "change must return"),
        (SessionMessage("user", "x"), TypeError, "change must return"),
        (SessionData("other"), (TypeError, ValueError), "change must (return|not rename)"),
    ],
)
def test_what_change_returns_is_checked(
    store: Store, directory: Path, result: Any, error: type[Exception], message: str
) -> None:
    """`change` returns a session of the store's class and of the same id; nothing else is written."""
    store.add_user_message("trip", "a")
    before = contents(directory)
    with pytest.raises(error, match=message):
        store.update("trip", lambda _: result)
    assert contents(directory) == before


def test_change_may_not_rename_or_change_the_class(kind: Kind, directory: Path) -> None:
    """A session of another id or class is refused by name."""
    store = filled(kind, directory)
    before = contents(directory)
    with pytest.raises(ValueError, match="must not rename the session 'trip' to 'other'"):
        store.update("trip", lambda session: dataclasses.replace(session, session_id="other"))
    other = SessionData if kind is HierarchicalSessionStore else ExtendedSessionData
    with pytest.raises(TypeError, match="change must return"):
        store.update("trip", lambda _: other("trip"))
    assert contents(directory) == before


# Arguments

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]

BAD_VALUES: list[tuple[Any, type[Exception]]] = [
    ({"k": float("nan")}, ValueError),
    ({"k": [float("inf")]}, ValueError),
    ({1: "a", "1": "b"}, TypeError),
    ({"k": b"x"}, TypeError),
    ({"k": {"a", "b"}}, TypeError),
    ({"k": (1, 2)}, TypeError),
    ({"k": object()}, TypeError),
    ({"k": "\ud800"}, ValueError),
    ({"\ud800": 1}, ValueError),
    ({"k": 10**5000}, ValueError),
    ({"k": DEEP}, ValueError),
    ([("k", 1)], TypeError),
    ("k", TypeError),
]


@pytest.fixture
def untouched(kind: Kind, directory: Path) -> Store:
    """A store whose disk must not be touched."""
    return kind(directory, disk=UntouchedDisk())


@pytest.mark.parametrize(("value", "error"), BAD_VALUES)
def test_metadata_that_json_cannot_hold_is_refused_by_name(
    untouched: Store, value: Any, error: type[Exception]
) -> None:
    """Metadata that would not read back equal raises an error that names it, and no verb of the disk is called."""
    with pytest.raises(error, match="metadata"):
        untouched.add_message("trip", "user", "x", value)
    with pytest.raises(error, match=r"messages\[1\].*metadata"):
        untouched.set_chat_history(
            "trip", [{"role": "user", "content": "x"}, {"role": "user", "content": "x", "metadata": value}]
        )
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        with pytest.raises(error, match="metadata"):
            untouched.update_session_metadata("trip", **value)
    if isinstance(untouched, HierarchicalSessionStore):
        with pytest.raises(error, match="metadata"):
            untouched.create_session(metadata=value)
        with pytest.raises(error, match="metadata"):
            untouched.create_snapshot("trip", metadata=value)


BAD_MESSAGES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"role": 5, "content": "x"}, TypeError, "role"),
    ({"role": None, "content": "x"}, TypeError, "role"),
    ({"role": "", "content": "x"}, ValueError, "role"),
    ({"role": "\udc80", "content": "x"}, ValueError, "role"),
    ({"role": "user", "content": 5}, TypeError, "content"),
    ({"role": "user", "content": b"x"}, TypeError, "content"),
    ({"role": "user", "content": {"text": "x"}}, TypeError, "content"),
    ({"role": "user", "content": None}, ValueError, "content"),
    ({"role": "user", "content": "\ud800"}, ValueError, "content"),
    ({"role": "user", "content": [{"text": float("nan")}]}, ValueError, "content"),
    ({"role": "assistant", "content": None, "tool_calls": []}, ValueError, "content"),
    ({"role": "assistant", "content": "x", "tool_calls": {"id": "c"}}, TypeError, "tool_calls"),
    ({"role": "assistant", "content": "x", "tool_calls": ["c"]}, TypeError, "tool_calls"),
    ({"role": "assistant", "content": "x", "tool_calls": [{"id": b"c"}]}, TypeError, "tool_calls"),
    ({"role": "tool", "content": "x", "tool_call_id": 5}, TypeError, "tool_call_id"),
]


@pytest.mark.parametrize(("message", "error", "name"), BAD_MESSAGES)
def test_messages_that_are_none_are_refused_by_name(
    untouched: Store, message: dict[str, Any], error: type[Exception], name: str
) -> None:
    """A wrong part of a message raises an error that names it, before any verb of the disk is called."""
    with pytest.raises(error, match=f"^{name}"):
        untouched.add_message("trip", **message)
    with pytest.raises(error, match=rf"messages\[0\]: {name}"):
        untouched.set_chat_history("trip", [message])


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        (None, "messages"),
        (5, "messages"),
        ("user", "messages"),
        ({"role": "user"}, "messages"),
        ([5], r"messages\[0\]"),
        ([{"role": "user", "content": "x"}, None], r"messages\[1\]"),
        ([{"content": "x"}], r"messages\[0\].*role"),
        ([{"role": "user", "content": "x", "timestamp": "now"}], r"messages\[0\].*timestamp"),
        ([{"role": "user", "content": "x", "timestamp": True}], r"messages\[0\].*timestamp"),
        ([{"role": "user", "content": "x", "timestamp": float("nan")}], r"messages\[0\].*timestamp"),
        ([{"role": "user", "content": "x", "name": b"x"}], r"messages\[0\].*name"),
    ],
)
def test_histories_that_are_none_are_refused_by_name(untouched: Store, messages: Any, name: str) -> None:
    """What is no list of messages is refused, with the place of the message that is wrong."""
    with pytest.raises((TypeError, ValueError), match=name):
        untouched.set_chat_history("trip", messages)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        *((5, TypeError), (b"trip", TypeError), (["trip"], TypeError)),
        *(("", ValueError), ("a\0b", ValueError), ("\ud800", ValueError)),
    ],
)
@pytest.mark.parametrize(("kind", "verb"), each_verb(per_session=True))
def test_what_is_no_id_is_refused_by_name(
    kind: Kind, verb: Verb, wrong: Any, error: type[Exception], directory: Path
) -> None:
    """Every verb names the id that is none, before any verb of the disk is called."""
    with pytest.raises(error, match=r"(session|parent)_id"):
        verb.call(kind(directory, disk=UntouchedDisk()), wrong)


@pytest.mark.parametrize(("kind", "verb"), each_verb(per_session=True))
def test_none_is_no_id_but_may_ask_for_one(kind: Kind, verb: Verb, directory: Path) -> None:
    """Where an id is optional None gets a new one; everywhere else it is refused by name."""
    if verb.name in ("create_session", "import_session"):
        store = kind(directory, new_id=lambda: "new")
        assert verb.call(store, None) == "new"  # type: ignore[arg-type]
        assert store.session_exists("new")
        return
    with pytest.raises(TypeError, match="session_id"):
        verb.call(kind(directory, disk=UntouchedDisk()), None)  # type: ignore[arg-type]


WRONG_ARGUMENTS: list[tuple[str, Callable[[Any], Any]]] = [
    ("max_messages", lambda store: store.get_chat_history("trip", 0)),
    ("max_messages", lambda store: store.get_chat_history("trip", -1)),
    ("max_messages", lambda store: store.get_chat_history("trip", 1.5)),
    ("max_messages", lambda store: store.get_chat_history("trip", True)),
    ("limit", lambda store: store.list_sessions(-1)),
    ("limit", lambda store: store.list_sessions("5")),
    ("limit", lambda store: store.list_sessions_by_agent("Ann", -1)),
    ("limit", lambda store: store.get_sessions_by_agent("Ann", 1.0)),
    ("limit", lambda store: store.list_sessions_by_gateway_agent("a", "5")),
    ("agent_name", lambda store: store.list_sessions_by_agent(None)),
    ("agent_name", lambda store: store.get_sessions_by_agent(5)),
    ("agent_name", lambda store: store.get_agent_chat_history(b"Ann")),
    ("max_messages", lambda store: store.get_agent_chat_history("Ann", 0)),
    ("max_sessions", lambda store: store.get_agent_chat_history("Ann", None, -1)),
    ("gateway_session_id", lambda store: store.get_by_gateway_session(None)),
    ("agent_id", lambda store: store.list_sessions_by_gateway_agent(5)),
    ("agent_name", lambda store: store.set_agent_info("trip", 5)),
    ("user_id", lambda store: store.set_agent_info("trip", user_id="\ud800")),
    ("gateway_session_id", lambda store: store.set_gateway_info("trip", b"g")),
    ("agent_id", lambda store: store.set_gateway_info("trip", agent_id=5)),
    ("agent_name", lambda store: store.update_session_metadata("trip", agent_name=5)),
    ("session_id", lambda store: store.update_session_metadata(5)),
    ("session_id", lambda store: store.set_agent_info("")),
    ("session_id", lambda store: store.invalidate_cache(5)),
    ("change", lambda store: store.update("trip", None)),
    ("change", lambda store: store.update("trip", {})),
]
WRONG_TREE_ARGUMENTS: list[tuple[str, Callable[[Any], Any]]] = [
    ("title", lambda store: store.create_session(title=5)),
    ("parent_id", lambda store: store.create_session(parent_id=5)),
    ("parent_id", lambda store: store.create_session(parent_id="")),
    ("parent_id", lambda store: store.create_session("a", parent_id="a")),
    ("agent_name", lambda store: store.create_session(agent_name=5)),
    ("title", lambda store: store.fork_session("trip", title=5)),
    ("from_message_index", lambda store: store.fork_session("trip", "0")),
    ("from_message_index", lambda store: store.fork_session("trip", True)),
    ("label", lambda store: store.create_snapshot("trip", label=5)),
    ("snapshot_id", lambda store: store.revert_to_snapshot("trip", None)),
    ("message_index", lambda store: store.revert_to_message("trip", None)),
    ("message_index", lambda store: store.revert_to_message("trip", 1.0)),
    ("message_index", lambda store: store.revert_to_message("trip", False)),
    ("title", lambda store: store.set_title("trip", 5)),
    ("title", lambda store: store.set_title("trip", "\ud800")),
    ("data", lambda store: store.import_session(None)),
    ("data", lambda store: store.import_session([])),
    ("data", lambda store: store.import_session({"messages": 5})),
    ("data", lambda store: store.import_session({"messages": [], "schema_version": "1"})),
    ("data", lambda store: store.import_session({"messages": [{"role": 5}]})),
    ("new_session_id", lambda store: store.import_session({}, "")),
    ("new_session_id", lambda store: store.import_session({}, 5)),
]


@pytest.mark.parametrize(("name", "call"), WRONG_ARGUMENTS)
def test_wrong_arguments_are_named(untouched: Store, name: str, call: Callable[[Any], Any]) -> None:
    """TypeError and ValueError name the argument, and no verb of the disk is called."""
    with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
        call(untouched)


@pytest.mark.parametrize(("name", "call"), WRONG_TREE_ARGUMENTS)
def test_wrong_arguments_of_the_tree_verbs_are_named(directory: Path, name: str, call: Callable[[Any], Any]) -> None:
    """TypeError and ValueError name the argument, and no verb of the disk is called."""
    with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
        call(HierarchicalSessionStore(directory, disk=UntouchedDisk()))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"session_dir": 5}, "session_dir"),
        ({"session_dir": b"x"}, "session_dir"),
        ({"session_dir": ""}, "session_dir"),
        ({"session_dir": "a\0"}, "session_dir"),
        ({"session_dir": "~there-is-no-such-user/x"}, "session_dir"),
        ({"session_dir": "sqlite:///chats.db"}, "session_dir"),
        ({"storage": "sqlite:///chats.db"}, "storage"),
        ({"storage": DbSessionAdapter}, "storage"),
        ({"max_messages": 0}, "max_messages"),
        ({"max_messages": "5"}, "max_messages"),
        ({"lock_timeout": -1}, "lock_timeout"),
        ({"lock_timeout": float("nan")}, "lock_timeout"),
        ({"lock_timeout": float("inf")}, "lock_timeout"),
        ({"lock_timeout": None}, "lock_timeout"),
        ({"lock_timeout": True}, "lock_timeout"),
        ({"durability": "disk"}, "durability"),
        ({"durability": None}, "durability"),
        ({"max_file_bytes": 0}, "max_file_bytes"),
        ({"max_file_bytes": 1.5}, "max_file_bytes"),
    ],
)
def test_wrong_arguments_of_the_stores_are_named(kind: Kind, arguments: dict[str, Any], name: str) -> None:
    """A store is not made with an argument that it could not use."""
    with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
        kind(**arguments)


# Directories


def test_directory_is_that_of_the_user_or_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Kind
) -> None:
    """A store that is given no directory uses the one of the environment variable, else the user's data directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("READFRESH_SESSION_DIR", "~/moved")
    assert default_session_dir() == tmp_path / "moved"
    assert kind().session_dir == str(tmp_path / "moved")
    monkeypatch.setenv("READFRESH_SESSION_DIR", "")
    assert default_session_dir().is_relative_to(tmp_path)
    assert default_session_dir().name == "sessions"
    assert kind("~/mine").session_dir == str(tmp_path / "mine")
    monkeypatch.setenv("READFRESH_SESSION_DIR", "sqlite:///chats.db")
    with pytest.raises(ValueError, match=r"^READFRESH_SESSION_DIR must be a path, not a URL"):
        kind()


def test_directory_stays_when_the_process_moves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Kind) -> None:
    """A relative directory is that of the moment at which the store was made."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = kind("sessions")
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.add_user_message("trip", "Porto")
    assert (tmp_path / "sessions" / "trip.json").exists()


def test_repr_tells_the_state(kind: Kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`repr` gives the class, the number of sessions and the directory as it was written; it never raises."""
    monkeypatch.chdir(tmp_path)
    store = kind("chats")
    assert repr(store) == f"<{kind.__name__} 0 sessions in chats/>"
    store.add_user_message("trip", "Porto")
    assert repr(store) == f"<{kind.__name__} 1 session in chats/>"
    (tmp_path / "file").touch()
    assert "Not a directory" in repr(kind("file"))


# Lists and queries


def test_sessions_are_listed_newest_first(store: Store, directory: Path) -> None:
    """`list_sessions` gives the newest change first, those of unknown age last, and as many as are asked for."""
    clock = itertools.count(1_000_000, 10)
    store._now = lambda: float(next(clock))
    for name in ("a", "b", "c"):
        store.add_user_message(name, name)
    store.set_agent_info("a", agent_name="Ann")
    write_json(directory, "old", {"session_id": "old", "messages": [], "updated_at": None})
    write_json(directory, "odd", {"session_id": "odd", "messages": [], "updated_at": "yesterday"})
    listed = store.list_sessions()
    assert [one["session_id"] for one in listed] == ["a", "c", "b", "odd", "old"]
    assert listed[0].keys() == {
        *("session_id", "agent_name", "created_at", "updated_at", "message_count", "status", "file")
    }
    assert (listed[0]["agent_name"], listed[0]["message_count"], listed[0]["status"]) == ("Ann", 1, "ok")
    assert (listed[0]["file"], listed[-1]["updated_at"]) == ("a.json", None)
    assert [one["session_id"] for one in store.list_sessions(2)] == ["a", "c"]
    assert store.list_sessions(0) == []
    assert len(store.list_sessions(None)) == 5


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2026-05-01T12:00:00", "2026-05-01T12:00:01+00:00"),
        ("2026-05-01T13:00:00+02:00", "2026-05-01T12:00:00Z"),
        ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_times_of_other_writers_are_compared_as_times(store: Store, directory: Path, earlier: str, later: str) -> None:
    """A time without a zone is UTC's, and zones are reckoned with, whatever the texts look like."""
    write_json(directory, "a", {"session_id": "a", "updated_at": earlier})
    write_json(directory, "b", {"session_id": "b", "updated_at": later})
    assert [one["session_id"] for one in store.list_sessions()] == ["b", "a"]


def test_queries_find_by_agent_and_by_gateway(store: Store) -> None:
    """The queries give the sessions of an agent or gateway, newest first, and no others."""
    clock = itertools.count(1_000_000, 10)
    store._now = lambda: float(next(clock))
    for name, agent, gateway in (("a", "Ann", "g1"), ("b", "Bob", "g2"), ("c", "Ann", "g1")):
        store.add_user_message(name, f"hello {name}")
        store.add_assistant_message(name, "hi")
        store.set_agent_info(name, agent_name=agent)
        store.set_gateway_info(name, gateway_session_id=gateway, agent_id=agent.lower())
    assert store.list_sessions_by_agent("Ann") == ["c", "a"]
    assert store.list_sessions_by_agent("Ann", 1) == ["c"]
    assert [session.session_id for session in store.get_sessions_by_agent("Ann")] == ["c", "a"]
    assert [type(session) for session in store.get_sessions_by_agent("Bob")] == [store.session_type]
    assert store.get_agent_chat_history("Ann", max_messages=1) == [
        {"role": "assistant", "content": "hi", "session_id": "c", "agent_name": "Ann"},
        {"role": "assistant", "content": "hi", "session_id": "a", "agent_name": "Ann"},
    ]
    assert len(store.get_agent_chat_history("Ann", max_sessions=1)) == 2
    found = store.get_by_gateway_session("g1")
    assert found == store.get_session("c")
    assert store.get_by_gateway_session("g9") is None
    assert store.list_sessions_by_gateway_agent("ann") == ["c", "a"]
    assert store.list_sessions_by_gateway_agent("eve") == []


def test_what_cannot_be_read_hides_no_other(kind: Kind, directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged session is listed as damaged; queries answer from the others; log and hook are told of it."""
    told: list[SessionStoreError] = []
    store = kind(directory, on_error=told.append)
    store.set_agent_info("good", agent_name="Ann")
    (directory / "bad.json").write_bytes(b"{")
    write_json(directory, "new", {"schema_version": 2, "session_id": "new"})
    write_json(directory, "a_b", {"session_id": "a/b", "agent_name": "Ann", "gateway_session_id": "g"})
    (directory / "folder.json").mkdir()
    (directory / "notes.txt").write_text("no session")
    (directory / "half.json.tmp").write_text("left by a killed writer")
    with caplog.at_level(logging.WARNING, logger="readfresh"):
        listed = {one["session_id"]: one["status"] for one in store.list_sessions()}
    assert listed == {"good": "ok", "bad": "damaged", "new": "too-new", "a/b": "foreign", "folder": "damaged"}
    assert [error.session_id for error in told] == ["a/b", "bad", "folder", "new"]
    assert len(caplog.records) == 4
    told.clear()
    assert store.list_sessions_by_agent("Ann") == ["good"]
    assert len(told) == 4
    assert [session.session_id for session in store.get_sessions_by_agent("Ann")] == ["good"]
    assert store.get_by_gateway_session("g") is None


def test_what_cannot_be_read_any_more_is_left_out(kind: Kind, directory: Path) -> None:
    """A session that is damaged, deleted or refused between the list and its reading is left out of the answer."""
    for name in ("a", "b", "c", "d", "e"):
        kind(directory).set_agent_info(name, agent_name="Ann")
    listed: list[str] = []

    class Meanwhile(WatchedDisk):
        def before(self, verb: str, path: str) -> None:
            """Do damage once all has been listed."""
            listed.append(verb)
            if verb == "lock" and listed.count("lock") == 1:
                (directory / "a.json").write_bytes(b"{")
                (directory / "b.json").unlink()
                write_json(directory, "c", {"session_id": "other"})
                write_json(directory, "d", {"session_id": "d", "agent_name": "Bob"})
            if verb == "read" and "lock" in listed and path.endswith("e.json"):
                raise PermissionError(13, "Permission denied", path)

    told: list[SessionStoreError] = []
    store = kind(directory, disk=Meanwhile(), on_error=told.append)
    assert store.get_sessions_by_agent("Ann") == []
    assert sorted(type(error).__name__ for error in told) == ["ReadFailed", "SessionDamaged", "SessionMismatch"]


def test_the_hook_hears_every_error_and_its_own_go_no_further(
    kind: Kind, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`on_error` is told of an error before it is raised; what it raises itself is logged."""

    def hook(error: SessionStoreError) -> None:
        raise RuntimeError(f"no pager for {error.session_id}")

    directory.mkdir()
    (directory / "bad.json").write_bytes(b"{")
    store = kind(directory, on_error=hook)
    with pytest.raises(SessionStoreError):
        store.get_session("bad")
    assert "on_error raised" in caplog.text


def test_the_hook_is_called_once_and_after_the_lock_has_been_released(kind: Kind, directory: Path) -> None:
    """An error inside `change` reaches `on_error` when the update ends with it; the hook may call the store."""
    told: list[SessionStoreError] = []

    def hook(error: SessionStoreError) -> None:
        told.append(error)
        kind(directory, lock_timeout=0).add_message("log", "system", error.cause)
        kind(directory, lock_timeout=0).add_message("trip", "system", "released")

    store = kind(directory, on_error=hook)
    with pytest.raises(StoreMisused):
        store.update("trip", lambda _session: store.get_session("other"))
    assert len(told) == 1
    assert store.get_chat_history("trip") == [{"role": "system", "content": "released"}]


def test_the_hook_is_not_told_of_what_it_causes(kind: Kind, directory: Path) -> None:
    """A hook that asks the store for a list is not called for the damage that the list meets again."""
    directory.mkdir()
    (directory / "bad.json").write_bytes(b"{")
    listed: list[int] = []
    store = kind(directory, on_error=lambda _error: listed.append(len(store.list_sessions())))
    with pytest.raises(SessionStoreError):
        store.get_session("bad")
    assert listed == [1]


def test_an_error_can_be_printed_whatever_its_path_is(kind: Kind, tmp_path: Path) -> None:
    """A directory whose name is no UTF-8 is named with escapes, so that every log can take the error."""
    store = kind(tmp_path / os.fsdecode(b"caf\xe9"), on_error=None)
    Path(store.session_dir).write_text("a file where the directory belongs")
    with pytest.raises(SessionStoreError) as caught:
        store.get_session("trip")
    assert "caf\\udce9" in str(caught.value)
    assert str(caught.value).encode()


def test_wrong_seams_are_named(kind: Kind, directory: Path) -> None:
    """What is no function, no disk and no number is refused when the store is made."""
    wrong: list[tuple[str, Any]] = [
        ("on_error", 5), ("now", 5), ("new_id", "id"), ("disk", 5), ("max_file_bytes", None),
    ]  # fmt: skip
    for name, value in wrong:
        with pytest.raises(TypeError, match=name):
            kind(directory, **{name: value})


def test_messages_and_dicts_are_checked_alike(kind: Kind, directory: Path) -> None:
    """A message without content is refused, given as a dict or as a value."""
    for message in ({"role": "user", "content": None}, SessionMessage("user", None)):
        with pytest.raises(ValueError, match=r"messages\[0\]: content"):
            kind(directory).set_chat_history("trip", [message])
    assert not directory.exists()


# The hierarchical store


@pytest.fixture
def tree(directory: Path) -> HierarchicalSessionStore:
    """A hierarchical store with ids that can be foreseen."""
    ids = itertools.count(1)
    return HierarchicalSessionStore(directory, new_id=lambda: f"id-{next(ids)}")


def test_session_is_created_once(tree: HierarchicalSessionStore) -> None:
    """`create_session` makes an empty session with what it is given; an id that is taken raises."""
    assert tree.create_session("trip", "A trip", agent_name="Ann", metadata={"k": 1}) == "trip"
    session = tree.get_session("trip")
    assert (session.title, session.agent_name, session.metadata, session.messages) == ("A trip", "Ann", {"k": 1}, ())
    assert session.created_at == session.updated_at is not None
    with pytest.raises(SessionExists):
        tree.create_session("trip")
    assert tree.create_session() == "id-1"


def test_children_are_listed_by_their_parent(tree: HierarchicalSessionStore) -> None:
    """A child that was created or forked is listed until it is deleted; a parent that was deleted is no parent."""
    tree.create_session("top")
    tree.add_user_message("top", "a")
    first, fork = tree.create_session(parent_id="top", title="One"), tree.fork_session("top")
    assert tree.get_children("top") == [first, fork]
    assert tree.get_parent(fork) == "top"
    assert tree.get_session_tree("top") == {
        **{"session_id": "top", "title": None, "message_count": 1, "status": "ok"},
        "children": [
            {"session_id": first, "title": "One", "message_count": 0, "status": "ok", "children": []},
            {"session_id": fork, "title": "Fork of top", "message_count": 1, "status": "ok", "children": []},
        ],
    }
    tree.delete_session(first)
    assert tree.get_children("top") == [fork]
    tree.delete_session("top")
    assert tree.get_parent(fork) is None
    assert tree.get_session(fork).parent_id == "top"
    assert not tree.session_exists("top")


def test_child_of_nobody_is_not_created(tree: HierarchicalSessionStore, directory: Path) -> None:
    """A child or fork of a session that does not exist raises and leaves nothing."""
    with pytest.raises(SessionNotFound):
        tree.create_session("child", parent_id="nobody")
    with pytest.raises(SessionNotFound):
        tree.fork_session("nobody")
    assert contents(directory) == {}


def test_a_session_that_took_the_id_of_a_child_is_nobodys_child(tree: HierarchicalSessionStore) -> None:
    """An id that comes back without its parent is not listed by the parent of the one that was deleted."""
    tree.create_session("top")
    tree.create_session("child", parent_id="top")
    tree.delete_session("child")
    tree.create_session("child")
    assert tree.get_children("top") == []
    assert tree.get_parent("child") is None


@pytest.mark.parametrize("again", [False, True])
def test_a_parent_deleted_while_its_child_is_created_is_not_brought_back(directory: Path, again: bool) -> None:
    """The parent stays deleted; a session that has taken its id since does not list the child."""
    HierarchicalSessionStore(directory).create_session("top")

    class Meanwhile(WatchedDisk):
        def after(self, verb: str, path: str) -> None:
            """Once the child is written, delete its parent."""
            if verb == "replace" and path.endswith("child.json"):
                other = HierarchicalSessionStore(directory)
                other.delete_session("top")
                if again:
                    other.create_session("top")

    store = HierarchicalSessionStore(directory, disk=Meanwhile())
    assert store.create_session("child", parent_id="top") == "child"
    assert store.session_exists("top") is again
    assert store.get_children("top") == []
    assert store.get_parent("child") is None
    assert store.get_session("child").parent_id == "top"
    assert store.get_session("top").children_ids == ()
    assert verify(store) == ()


def test_fork_takes_the_messages_up_to_the_index(tree: HierarchicalSessionStore) -> None:
    """A fork begins with the messages up to the index, itself included, and with agent and metadata."""
    tree.create_session("top", "A trip", agent_name="Ann", metadata={"k": 1})
    for number in range(3):
        tree.add_user_message("top", str(number))
    fork = tree.fork_session("top", 1)
    session = tree.get_session(fork)
    assert said(tree, fork) == ["0", "1"]
    assert session.messages == tree.get_session("top").messages[:2]
    assert (session.agent_name, session.metadata, session.title) == ("Ann", {"k": 1}, "Fork of A trip")
    assert (session.parent_id, session.forked_from_message_id) == ("top", "1")
    assert tree.get_session(tree.fork_session("top", title="Other")).title == "Other"
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match="from_message_index must be 0 to 2"):
            tree.fork_session("top", wrong)
    tree.create_session("empty")
    with pytest.raises(ValueError, match="from_message_index"):
        tree.fork_session("empty", 0)
    tree.add_user_message(fork, "mine")
    assert said(tree, "top") == ["0", "1", "2"]


def test_snapshots_are_reverted_to(tree: HierarchicalSessionStore) -> None:
    """A snapshot brings its messages back whatever happened since; an unknown one answers False."""
    tree.add_user_message("trip", "a")
    first = tree.create_snapshot("trip", "before", {"k": 1})
    tree.add_user_message("trip", "b")
    second = tree.create_snapshot("trip")
    tree.set_chat_history("trip", [{"role": "user", "content": "x"}])
    kept = tree.get_snapshots("trip")
    assert [(one.id, one.label, one.metadata, one.message_index) for one in kept] == [
        (first, "before", {"k": 1}, 0),
        (second, None, {}, 1),
    ]
    assert tree.revert_to_snapshot("trip", second) is True
    assert said(tree, "trip") == ["a", "b"]
    assert tree.revert_to_snapshot("trip", first) is True
    assert said(tree, "trip") == ["a"]
    assert tree.get_snapshots("trip") == kept
    assert tree.revert_to_snapshot("trip", "unknown") is False


def test_messages_after_an_index_are_taken_out(tree: HierarchicalSessionStore, directory: Path) -> None:
    """`revert_to_message` keeps the message at the index; an index out of range answers False and changes nothing."""
    for number in range(3):
        tree.add_user_message("trip", str(number))
    before = contents(directory)
    assert tree.revert_to_message("trip", 3) is False
    assert tree.revert_to_message("trip", -1) is False
    assert contents(directory) == before
    assert tree.revert_to_message("trip", 1) is True
    assert said(tree, "trip") == ["0", "1"]


def test_sharing_and_titles(tree: HierarchicalSessionStore) -> None:
    """A session is shared or not, and has a title or none."""
    assert tree.share_session("trip") is True
    assert tree.is_shared("trip") is True
    assert tree.unshare_session("trip") is True
    assert tree.is_shared("trip") is False
    assert tree.set_title("trip", "Porto") is True
    assert tree.get_session("trip").title == "Porto"
    assert tree.set_title("trip", None) is True
    assert tree.get_session("trip").title is None


def test_title_is_made_of_the_first_exchange(tree: HierarchicalSessionStore) -> None:
    """`auto_title` titles a session that has an exchange and no title, with the function it is given, sync or not."""
    assert asyncio.run(tree.auto_title("trip")) is False
    tree.add_message("trip", "system", "be short")
    tree.add_user_message("trip", "  Where shall we\n go this summer, the two of us and the dog and the two cats?")
    assert asyncio.run(tree.auto_title("trip")) is False
    tree.add_assistant_message("trip", "Porto.")

    async def make(user: str, assistant: str) -> str:
        return f"{user[:5]}/{assistant}"

    assert asyncio.run(tree.auto_title("trip", lambda *_: "  ")) is False
    assert asyncio.run(tree.auto_title("trip")) is True
    title = tree.get_session("trip").title
    assert title == "Where shall we go this summer, the two of us and the dog an…"
    assert asyncio.run(tree.auto_title("trip")) is False
    tree.set_title("trip", None)
    assert asyncio.run(tree.auto_title("trip", make)) is True
    assert tree.get_session("trip").title == "Where/Porto."
    tree.set_title("trip", None)
    with pytest.raises(TypeError, match="title"):
        asyncio.run(tree.auto_title("trip", lambda *_: 5))  # type: ignore[arg-type]


def test_title_that_came_meanwhile_stays(tree: HierarchicalSessionStore) -> None:
    """A title that somebody else set while the function ran is not overwritten."""
    tree.add_user_message("trip", "a")
    tree.add_assistant_message("trip", "b")

    def slow(_user: str, _assistant: str) -> str:
        tree.set_title("trip", "theirs")
        return "mine"

    assert asyncio.run(tree.auto_title("trip", slow)) is False
    assert tree.get_session("trip").title == "theirs"


def test_export_is_imported_elsewhere(tree: HierarchicalSessionStore, tmp_path: Path) -> None:
    """An export is JSON; imported, it is the same session under a new id, without its place in the tree."""
    tree.create_session("top")
    child = tree.create_session(parent_id="top")
    tree.add_message(child, "assistant", None, {"k": 1}, tool_calls=CALLS)
    snapshot = tree.create_snapshot(child)
    tree.clear_session(child)
    exported = json.loads(json.dumps(tree.export_session(child)))
    other = HierarchicalSessionStore(tmp_path / "other")
    assert other.import_session(exported, "moved") == "moved"
    moved, original = other.get_session("moved"), tree.get_session(child)
    assert (
        dataclasses.replace(
            moved, session_id=child, updated_at=original.updated_at, parent_id="top", snapshots=original.snapshots
        )
        == original
    )
    assert moved.parent_id is None
    assert [one.session_id for one in moved.snapshots] == ["moved"]
    assert other.revert_to_snapshot("moved", snapshot)
    assert other.get_session("moved").messages[0].tool_calls == CALLS
    with pytest.raises(SessionExists):
        other.import_session(exported, "moved")
    assert other.import_session(exported) not in ("moved", child)
    with pytest.raises(SessionTooNew):
        other.import_session({**exported, "schema_version": 2})
    exported["messages"].append("mine now")
    assert tree.export_session(child)["messages"] == []


def test_cycle_of_another_writer_ends(tree: HierarchicalSessionStore, directory: Path) -> None:
    """A cycle in files that readfresh did not write neither hangs nor repeats."""
    write_json(directory, "a", {"session_id": "a", "parent_id": "b", "children_ids": ["b", "b"]})
    write_json(directory, "b", {"session_id": "b", "parent_id": "a", "children_ids": ["a"]})
    node = tree.get_session_tree("a")
    assert node["children"][0]["session_id"] == "b"
    assert node["children"][0]["children"] == []


def test_tree_may_be_deep(tree: HierarchicalSessionStore, directory: Path) -> None:
    """A tree deeper than Python's own recursion is walked."""
    depth = 1100
    for number in range(depth):
        write_json(
            directory,
            f"n{number}",
            {"session_id": f"n{number}", "parent_id": f"n{number - 1}", "children_ids": [f"n{number + 1}"]},
        )
    node, levels = tree.get_session_tree("n0"), 1
    while node["children"]:
        (node,) = node["children"]
        levels += 1
    assert levels == depth


def test_plain_store_wipes_nothing_of_the_hierarchical(directory: Path) -> None:
    """A plain store on the same directory keeps tree, snapshots and title through each of its writes."""
    tree = filled(HierarchicalSessionStore, directory)
    tree.set_title("trip", "Porto")  # type: ignore[attr-defined]
    before = tree.get_session("trip")
    plain = DefaultSessionStore(directory)
    plain.add_user_message("trip", "more")
    plain.update_session_metadata("trip", cost=1)
    plain.set_chat_history("trip", [])
    plain.clear_session("trip")
    after = tree.get_session("trip")
    assert (
        dataclasses.replace(after, messages=before.messages, metadata=before.metadata, updated_at=before.updated_at)
        == before
    )


def test_verify_reports_what_a_person_wants_to_know(tree: HierarchicalSessionStore, directory: Path) -> None:
    """`verify` names damaged, too new and foreign files, and children that their parent does not list."""
    tree.create_session("top")
    tree.create_session("child", parent_id="top")
    assert verify(tree) == ()
    write_json(directory, "lost", {"session_id": "lost", "parent_id": "top", "created_at": "2999-01-01T00:00:00+00:00"})
    # Older than its parent: it is the child of a session that had this id before, and was deleted.
    write_json(
        directory, "older", {"session_id": "older", "parent_id": "top", "created_at": "1999-01-01T00:00:00+00:00"}
    )
    write_json(directory, "orphan", {"session_id": "orphan", "parent_id": "deleted"})
    write_json(directory, "a_b", {"session_id": "a/b"})
    write_json(directory, "new", {"session_id": "new", "schema_version": 9})
    (directory / "bad.json").touch()
    found = [(one.session_id, one.kind) for one in verify(tree)]
    expected = [("a/b", "foreign"), ("bad", "damaged"), ("lost", "unlisted-child"), ("new", "too-new")]
    assert found == expected
    write_json(directory, "odd", {"session_id": "odd", "children_ids": 5, "parent_id": 5})
    assert [(one.session_id, one.kind) for one in verify(DefaultSessionStore(directory))] == expected


def test_a_snapshot_id_that_is_taken_is_refused(directory: Path) -> None:
    """Two snapshots of one id would make reverting a matter of luck."""
    store = HierarchicalSessionStore(directory, new_id=lambda: "same")
    store.add_message("trip", "user", "Where to?")
    store.create_snapshot("trip")
    with pytest.raises(SessionExists, match="'same'"):
        store.create_snapshot("trip")
    assert len(store.get_snapshots("trip")) == 1


@pytest.mark.parametrize("data", [{}, {"foo": 1}, {"messages": None}])
def test_an_import_of_nothing_is_refused(directory: Path, data: dict[str, Any]) -> None:
    """A dict without messages is no session: an empty backup does not pass for a restore."""
    with pytest.raises(ValueError, match="no list of messages"):
        HierarchicalSessionStore(directory).import_session(data, "trip")
    assert not directory.exists()


def test_ids_of_a_file_that_no_session_can_have_are_nobody(directory: Path) -> None:
    """An empty id in another program's file is no parent and no child."""
    store = HierarchicalSessionStore(directory)
    directory.mkdir()
    write_json(directory, "trip", {"session_id": "trip", "parent_id": "", "children_ids": ["", "a\0b"]})
    assert store.get_parent("trip") is None
    assert store.get_children("trip") == []
    assert store.get_session_tree("trip")["children"] == []


def test_a_child_that_is_refused_shows_in_the_tree(directory: Path) -> None:
    """A descendant that the system refuses to read is unreadable in the tree, and hides no other."""

    class Refusing(Disk):
        def read(self, path: str, max_bytes: int) -> bytes | None:
            if path.endswith("refused.json"):
                raise PermissionError(13, "Permission denied")
            return super().read(path, max_bytes)

    store = HierarchicalSessionStore(directory, disk=Refusing())
    plain = HierarchicalSessionStore(directory)
    plain.create_session("trip")
    for child in ("refused", "kept"):
        plain.create_session(child, parent_id="trip")
    shown = {child["session_id"]: child["status"] for child in store.get_session_tree("trip")["children"]}
    assert shown == {"refused": "unreadable", "kept": "ok"}
    assert store.get_children("trip") == ["refused", "kept"]


def test_the_one_store_of_a_process_survives_a_fork_while_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that was forked while another thread made the store makes its own, and waits for nobody."""
    monkeypatch.setattr(default, "_stores", {})
    making, done = threading.Event(), threading.Event()

    class Slow(DefaultSessionStore):
        def __init__(self) -> None:
            if not making.is_set():
                making.set()
                done.wait(60)
            super().__init__("sessions")

    thread = threading.Thread(target=default.one_store, args=(Slow,), daemon=True)
    thread.start()
    assert making.wait(60)
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        default.one_store(Slow)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join(60)
    assert os.waitstatus_to_exitcode(status) == 0
    assert default.one_store(Slow) is default.one_store(Slow)
