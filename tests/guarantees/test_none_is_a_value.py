"""A field that is set to None is None for every later reader.

Every later reader: the same store object, another one of either kind, another process, and whoever opens the file.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionMessage
from tests.guarantees.conftest import StoreType
from tests.guarantees.content import KINDS, Kind, json_values, make, mixed, read_file
from tests.guarantees.worker import Worker

FIELDS = ("agent_name", "user_id", "gateway_session_id", "agent_id")


def filled(store: Any) -> None:
    """Give every field of the session ``trip`` a value."""
    store.set_agent_info("trip", agent_name="guide", user_id="ada")
    store.set_gateway_info("trip", gateway_session_id="gate-7", agent_id="agent-7")
    store.update_session_metadata("trip", instance="i-42", provider="local", turns=3)


@mixed
def test_metadata_set_to_none_is_none(one: Kind, other: Kind, folder: Path) -> None:
    """The key is there and its value is None, for the other store and in the file; the other keys stay.

    Kills: None skipped (#1727: a freed compute instance came back when the session was resumed); None that deletes
    the key, so that a reader with a default of its own sees that instead.
    """
    writer = make(one, folder)
    filled(writer)
    assert writer.update_session_metadata("trip", instance=None, provider=None) is True
    expected = {"instance": None, "provider": None, "turns": 3}
    assert writer.get_session("trip").metadata == expected
    assert make(other, folder).get_session("trip").metadata == expected
    assert read_file(folder / "trip.json")["metadata"] == expected


SETTERS: dict[str, Callable[[Any], object]] = {
    "agent_name": lambda store: store.set_agent_info("trip", agent_name=None),
    "user_id": lambda store: store.set_agent_info("trip", user_id=None),
    "gateway_session_id": lambda store: store.set_gateway_info("trip", gateway_session_id=None),
    "agent_id": lambda store: store.set_gateway_info("trip", agent_id=None),
    "agent_name by metadata": lambda store: store.update_session_metadata("trip", agent_name=None),
    "user_id by metadata": lambda store: store.update_session_metadata("trip", user_id=None),
    "agent_id by metadata": lambda store: store.update_session_metadata("trip", agent_id=None),
    "user_id by update": lambda store: store.update("trip", lambda one: dataclasses.replace(one, user_id=None)),
}


@mixed
@pytest.mark.parametrize("setter", SETTERS)
def test_a_field_set_to_none_is_none(setter: str, one: Kind, other: Kind, folder: Path) -> None:
    """The field is None for the other store and in the file, and the three fields beside it keep their values.

    Kills: None taken for "leave it as it is".
    """
    writer = make(one, folder)
    filled(writer)
    before = {name: getattr(writer.get_session("trip"), name) for name in FIELDS}
    assert SETTERS[setter](writer) is True
    expected = {**before, setter.split()[0]: None}
    assert {name: getattr(make(other, folder).get_session("trip"), name) for name in FIELDS} == expected
    assert {name: read_file(folder / "trip.json")[name] for name in FIELDS} == expected


def test_what_is_left_out_stays(store_type: StoreType, folder: Path) -> None:
    """An argument that is not given is not None.

    Kills: a default of None that clears.
    """
    store = make(store_type, folder)
    filled(store)
    assert store.set_agent_info("trip") is False
    assert store.set_gateway_info("trip") is False
    session = store.get_session("trip")
    assert [getattr(session, name) for name in FIELDS] == ["guide", "ada", "gate-7", "agent-7"]


def test_a_cleared_field_is_no_longer_found(store_type: StoreType, folder: Path) -> None:
    """Queries by agent and gateway do not find a session by a value that has been cleared.

    Kills: an index that is kept beside the session.
    """
    store = make(store_type, folder)
    filled(store)
    assert store.list_sessions_by_agent("guide") == ["trip"]
    store.set_agent_info("trip", agent_name=None)
    store.set_gateway_info("trip", gateway_session_id=None, agent_id=None)
    assert store.list_sessions_by_agent("guide") == []
    assert store.get_by_gateway_session("gate-7") is None
    assert store.list_sessions_by_gateway_agent("agent-7") == []
    assert store.list_sessions()[0]["agent_name"] is None


def test_a_title_set_to_none_is_none(folder: Path) -> None:
    """Kills: a title that can be changed and not taken away."""
    store = make(HierarchicalSessionStore, folder)
    store.create_session("trip", title="Porto")
    assert store.set_title("trip", None)
    assert make(HierarchicalSessionStore, folder).get_session("trip").title is None
    assert store.get_session_tree("trip")["title"] is None


def test_none_within_values_stays(store_type: StoreType, folder: Path) -> None:
    """None in message metadata, in content parts, in tool calls and in nested metadata reads back as None.

    Kills: a writer that leaves out what is None, at any level.
    """
    store = make(store_type, folder)
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": None}}
    store.add_message("trip", "assistant", None, {"cost": None, "deep": [{"a": None}]}, tool_calls=[call])
    store.add_message("trip", "user", [{"type": "text", "text": "Hi", "cache": None}])
    store.set_chat_history("trip", store.get_session("trip").messages)
    first, second = make(store_type, folder).get_session("trip").messages
    assert (first.content, first.metadata, first.tool_calls) == (None, {"cost": None, "deep": [{"a": None}]}, [call])
    assert second.content == [{"type": "text", "text": "Hi", "cache": None}]


def test_none_that_no_message_can_hold_is_refused(store_type: StoreType, folder: Path) -> None:
    """Content is None beside tool calls alone; elsewhere it raises, and nothing is written.

    Kills: a message whose content a model refuses.
    """
    store = make(store_type, folder)
    with pytest.raises(ValueError, match="content"):
        store.add_message("trip", "user", None)
    with pytest.raises(ValueError, match=r"messages\[0\]: content"):
        store.set_chat_history("trip", [{"role": "user", "content": None}])
    with pytest.raises(TypeError, match="role"):
        store.add_message("trip", None, "Hello")
    assert not folder.exists()


def test_none_is_none_in_another_process(store_type: StoreType, folder: Path, worker: Worker) -> None:
    """A process that has seen the values, and whose store object lives on, sees None too.

    Kills: a cleared field that lives on in a process that has read it.
    """
    store = make(store_type, folder)
    filled(store)
    seen = worker.call(HierarchicalSessionStore, folder, "export_session", "trip")
    assert (seen["metadata"]["instance"], seen["user_id"]) == ("i-42", "ada")
    store.update_session_metadata("trip", instance=None)
    store.set_agent_info("trip", user_id=None)
    seen = worker.call(HierarchicalSessionStore, folder, "export_session", "trip")
    assert (seen["metadata"]["instance"], seen["user_id"]) == (None, None)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from("abcdef"), st.none() | json_values(4), min_size=1), min_size=1, max_size=5
    ),
    st.sampled_from(KINDS),
)
def test_updates_merge_like_a_dict(updates: list[dict[str, Any]], kind: Kind) -> None:
    """After any updates the metadata is what `dict.update` makes of them: None is a value like any other.

    Kills: a rule of its own for None, empty text, 0 or False.
    """
    with tempfile.TemporaryDirectory() as name:
        store = make(kind, Path(name))
        expected: dict[str, Any] = {}
        for fields in updates:
            store.update_session_metadata("trip", **fields)
            expected.update(fields)
            found = make(DefaultSessionStore, Path(name)).get_session("trip").metadata
            assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)


def test_a_message_has_none_where_nothing_is_known() -> None:
    """Kills: a time or an id that is made up for a message that has none."""
    message = SessionMessage.from_dict({"role": "user", "content": "Hi", "timestamp": None, "tool_call_id": None})
    assert (message.timestamp, message.tool_calls, message.tool_call_id) == (None, None, None)
