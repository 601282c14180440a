"""Values are frozen, and what can be built can be written and reads back equal."""

import copy
import enum
import json
import math
import pickle
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import ExtendedSessionData, HierarchicalSessionStore, SessionData, SessionMessage, SessionSnapshot
from readfresh.codec import decode, encode
from readfresh.values import MAX_INT_BITS, FrozenDict, FrozenList, freeze
from tests.store.support import Store, contents, files_of, scaled

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**4000), 10**4000),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
metadata = st.dictionaries(texts, values, max_size=3)
times = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def extras(kind: type) -> st.SearchStrategy[dict[str, Any]]:
    """Fields that the class has never heard of."""
    own = {*kind.__match_args__, "transcript_refs", "schema_version", "transcript"}  # type: ignore[attr-defined]
    return st.dictionaries(texts.filter(lambda name: name not in own), values, max_size=2)


messages = st.builds(
    SessionMessage,
    role=texts.filter(bool),
    content=st.none() | texts | st.lists(values, max_size=3),
    timestamp=times,
    metadata=metadata,
    tool_calls=st.none() | st.lists(metadata, max_size=2),
    tool_call_id=st.none() | texts,
    extra=extras(SessionMessage),
)
snapshots = st.builds(
    SessionSnapshot,
    id=texts,
    session_id=texts,
    message_index=st.integers(),
    created_at=times,
    label=st.none() | texts,
    metadata=metadata,
    messages=st.none() | st.lists(messages, max_size=2).map(tuple),
    extra=extras(SessionSnapshot),
)
plain_fields: dict[str, Any] = {
    "session_id": texts,
    "messages": st.lists(messages, max_size=3).map(tuple),
    **dict.fromkeys(
        ["created_at", "updated_at", "agent_name", "user_id", "gateway_session_id", "agent_id"], st.none() | texts
    ),
    "metadata": metadata,
}
plain = st.builds(SessionData, **plain_fields, extra=extras(ExtendedSessionData))
extended = st.builds(
    ExtendedSessionData,
    **plain_fields,
    title=st.none() | texts,
    parent_id=st.none() | texts,
    forked_from_message_id=st.none() | texts,
    children_ids=st.lists(texts, max_size=3).map(tuple),
    snapshots=st.lists(snapshots, max_size=2).map(tuple),
    is_shared=st.booleans(),
    extra=extras(ExtendedSessionData),
)


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal, and of equal types: 1, 1.0 and True are three."""
    if type(one) is not type(other) and not (isinstance(one, dict | list) and isinstance(other, dict | list)):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


@settings(max_examples=scaled(150, 20_000))
@given(st.one_of(plain, extended))
def test_what_can_be_built_reads_back_equal(session: SessionData) -> None:
    """A session of any values survives the file, to the type of each number; and a plain store keeps the rich one."""
    raw = encode(session.to_dict())
    data = decode(raw)
    assert same(data, json.loads(json.dumps(session.to_dict())))
    assert type(session).from_dict(data) == session
    assert SessionData.from_dict(data).to_dict() == session.to_dict()
    assert encode(type(session).from_dict(data).to_dict()) == raw
    assert encode(SessionData.from_dict(data).to_dict()) == raw


@settings(max_examples=scaled(40, 5_000))
@given(st.one_of(plain, extended))
def test_values_survive_pickle_and_copies(session: SessionData) -> None:
    """A session can be sent to another process and copied; it stays equal, hashable and frozen."""
    sent = pickle.loads(pickle.dumps(session))
    assert sent == session
    assert hash(sent) == hash(session)
    assert type(sent.metadata) is FrozenDict
    assert copy.deepcopy(session) == copy.copy(session) == session


@settings(max_examples=scaled(40, 5_000))
@given(session=extended)
def test_sessions_are_laid_out_by_lines(session: ExtendedSessionData) -> None:
    """One field a line, one message a line, for `cat` and `git diff`; the schema's version first, messages late."""
    lines = encode(session.to_dict()).decode().split("\n")
    assert lines[0] == "{"
    assert lines[1].startswith('  "schema_version": 1,')
    assert lines[-2:] == ["}", ""]
    inside = [line for line in lines if line.startswith("    {")]
    assert len(inside) >= len(session.messages) + len(session.snapshots)


def test_file_is_pleasant_to_read(store: Store) -> None:
    """The whole file of a small session, byte for byte."""
    store._now = lambda: 0.0
    store.add_user_message("trip", "Où? 日本 🎈", {"k": [1, None]})
    store.add_message("trip", "assistant", None, tool_calls=[{"id": "c1"}])
    with open(files_of(store).path("trip"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    start = lines.index('  "messages": [')
    assert lines[start : start + 4] == [
        '  "messages": [',
        '    {"role": "user", "content": "Où? 日本 🎈", "timestamp": 0.0, "metadata": {"k": [1, null]}},',
        '    {"role": "assistant", "content": null, "timestamp": 0.0, "metadata": {}, "tool_calls": [{"id": "c1"}]}',
        "  ]," if isinstance(store, HierarchicalSessionStore) else "  ]",
    ]
    assert lines[:3] == ["{", '  "schema_version": 1,', '  "session_id": "trip",']


# Frozen


@pytest.fixture
def session() -> ExtendedSessionData:
    """A session with something in each place."""
    message = SessionMessage("user", [{"text": "x"}], 1.0, {"a": {"b": [1]}}, [{"id": "c"}], extra={"u": [1]})
    return ExtendedSessionData(
        "trip",
        (message,),
        metadata={"a": {"b": [1]}},
        snapshots=(SessionSnapshot("s", "trip", 0, messages=(message,)),),
    )


DICT_CHANGES = {
    "set": lambda value: value.__setitem__("k", 1),
    "delete": lambda value: value.__delitem__("a"),
    "update": lambda value: value.update(k=1),
    "clear": lambda value: value.clear(),
    "pop": lambda value: value.pop("a"),
    "popitem": lambda value: value.popitem(),
    "setdefault": lambda value: value.setdefault("k", 1),
    "or": lambda value: value.__ior__({"k": 1}),
}
LIST_CHANGES = {
    "set": lambda value: value.__setitem__(0, 1),
    "delete": lambda value: value.__delitem__(0),
    "append": lambda value: value.append(1),
    "extend": lambda value: value.extend([1]),
    "insert": lambda value: value.insert(0, 1),
    "pop": lambda value: value.pop(),
    "remove": lambda value: value.remove(1),
    "reverse": lambda value: value.reverse(),
    "sort": lambda value: value.sort(),
    "clear": lambda value: value.clear(),
    "add": lambda value: value.__iadd__([1]),
    "times": lambda value: value.__imul__(2),
}


@pytest.mark.parametrize("change", DICT_CHANGES.values(), ids=DICT_CHANGES)
def test_dicts_of_a_session_refuse_to_change(session: ExtendedSessionData, change: Any) -> None:
    """No method that changes a dict works on one that belongs to a session, at any depth."""
    for value in (session.metadata, session.metadata["a"], session.messages[0].metadata, session.messages[0].extra):
        with pytest.raises(TypeError, match="belongs to a session"):
            change(value)


@pytest.mark.parametrize("change", LIST_CHANGES.values(), ids=LIST_CHANGES)
def test_lists_of_a_session_refuse_to_change(session: ExtendedSessionData, change: Any) -> None:
    """No method that changes a list works on one that belongs to a session, at any depth."""
    message = session.messages[0]
    for value in (session.metadata["a"]["b"], message.content, message.tool_calls, message.extra["u"]):
        with pytest.raises(TypeError, match="belongs to a session"):
            change(value)


def test_every_changing_method_of_dict_and_list_is_refused() -> None:
    """What dict and list have and a tuple or a mapping view has not is refused, in later versions of Python too."""
    reading = {"__init__", "__setstate__", "copy", "fromkeys", "__reversed__", "__class_getitem__", "__or__", "__ror__"}
    for frozen, base, still in ((FrozenDict, dict, MappingProxyType), (FrozenList, list, tuple)):
        changing = set(dir(base)) - set(dir(still)) - reading
        assert changing
        for name in changing:
            assert getattr(frozen, name) is not getattr(base, name), name


def test_fields_cannot_be_set(session: ExtendedSessionData) -> None:
    """Sessions, messages and snapshots are frozen dataclasses."""
    for value, name in ((session, "title"), (session.messages[0], "role"), (session.snapshots[0], "label")):
        with pytest.raises((AttributeError, TypeError)):
            setattr(value, name, "x")


def test_a_copy_of_a_value_is_as_frozen_as_the_value(session: ExtendedSessionData, store: Store) -> None:
    """A deep copy is no way around the checks: keys 1 and "1" would make a file that no read accepts."""
    for value in (session, session.messages[0], session.snapshots[0]):
        assert copy.deepcopy(value) == value
        with pytest.raises(TypeError, match="belongs to a session"):
            copy.deepcopy(value).metadata["k"] = 1  # type: ignore[index]
    store.add_message("trip", "user", "x", {"1": 1})
    before = contents(Path(store.session_dir))

    def poison(seen: Any) -> Any:
        copied = copy.deepcopy(seen)
        copied.messages[0].metadata[1] = 2
        return copied

    with pytest.raises(TypeError):
        store.update("trip", poison)
    assert contents(Path(store.session_dir)) == before


def test_a_copy_of_metadata_can_be_changed(session: ExtendedSessionData) -> None:
    """`copy.deepcopy` of a frozen dict or list gives one that can be changed all through."""
    copied = copy.deepcopy(session.metadata)
    copied["a"]["b"].append(2)
    assert copied == {"a": {"b": [1, 2]}}
    assert session.metadata == {"a": {"b": [1]}}
    assert type(copied) is dict
    assert type(copied["a"]["b"]) is list
    assert type(copy.copy(session.metadata)) is dict


def test_values_are_taken_as_they_are_at_that_moment() -> None:
    """What the caller does to its dict afterwards does not reach the session."""
    inner = [1]
    given = {"a": inner}
    message = SessionMessage("user", "x", metadata=given)
    inner.append(2)
    given["b"] = inner
    assert message.metadata == {"a": [1]}


class Colour(enum.StrEnum):
    """Text that is more than text."""

    RED = "red"


class Count(enum.IntEnum):
    """A number that is more than a number."""

    TWO = 2


def test_subclasses_become_what_json_would_make_of_them() -> None:
    """Enums of text and numbers, and other mappings, are kept as plain values: they would read back so."""
    frozen = freeze(
        {Colour.RED: Colour.RED, "n": Count.TWO, "m": OrderedDict(a=1), "p": MappingProxyType({"a": 1})}, "m"
    )
    assert frozen == {"red": "red", "n": 2, "m": {"a": 1}, "p": {"a": 1}}
    assert [type(key) for key in frozen] == [str] * 4
    assert (type(frozen["red"]), type(frozen["n"]), type(frozen["m"])) == (str, int, FrozenDict)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ({"a": [1, {"b": float("nan")}]}, r"metadata\['a'\]\[1\]\['b'\]"),
        ({"a": {"b": (1,)}}, r"metadata\['a'\]\['b'\]"),
        ({"a": {2: 1}}, r"metadata\['a'\] has the key 2"),
        ({"a": 2 ** (MAX_INT_BITS + 1)}, r"metadata\['a'\]"),
    ],
)
def test_the_part_that_cannot_be_kept_is_named(value: Any, part: str) -> None:
    """The error names the part, however deep."""
    with pytest.raises((TypeError, ValueError), match=part):
        SessionMessage("user", "x", metadata=value)


def test_largest_number_is_read_back() -> None:
    """The largest whole number that is accepted is one that Python reads again."""
    data = SessionData("a", metadata={"n": 2**MAX_INT_BITS - 1}).to_dict()
    assert decode(encode(data)) == data


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"messages": ({"role": "user"},)}, "messages"),
        ({"created_at": 5}, "created_at"),
        ({"metadata": None}, "metadata"),
        ({"extra": {"session_id": 1}}, "extra"),
        ({"extra": {"schema_version": 1}}, "extra"),
        ({"children_ids": (5,)}, "child"),
        ({"snapshots": ({"id": "s"},)}, "snapshots"),
        ({"is_shared": 1}, "is_shared"),
        ({"title": b"x"}, "title"),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], name: str) -> None:
    """A session cannot be built of what could not be written."""
    with pytest.raises((TypeError, ValueError), match=name):
        ExtendedSessionData("trip", **fields)
