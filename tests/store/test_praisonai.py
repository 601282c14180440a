"""PraisonAI's files: read with every field, kept through our writes, and ours in a shape that it reads.

The files in ``praisonai/`` were written by the stores of praisonaiagents 1.7.17; ``praisonai/make.py`` makes them.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionMessage
from tests.store.support import Kind, Store, Verb, each_verb, filled, write_json

FILES = Path(__file__).parent / "praisonai"
NAMES = ("plain", "compacted", "tree", "child", "fork")
FORK = "00000000-0000-4000-8000-000000000000"
SNAPSHOTS = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
CALL = [{"id": "call_1", "type": "function", "function": {"name": "tide", "arguments": '{"town": "Porto"}'}}]


@pytest.fixture
def given(directory: Path) -> Path:
    """A session directory as PraisonAI leaves it, without its lock files."""
    directory.mkdir()
    for path in FILES.glob("*.json"):
        data = json.loads(path.read_bytes())
        name = data["session_id"].replace("/", "_")
        shutil.copy(path, directory / f"{name}.json")
    return directory


def stored(directory: Path, session_id: str) -> dict[str, Any]:
    """Return the JSON object that stands in the session's file."""
    data: dict[str, Any] = json.loads((directory / f"{session_id}.json").read_bytes())
    return data


def test_its_sessions_are_listed(kind: Kind, given: Path) -> None:
    """All its sessions are listed; the one whose name folds two ids is foreign."""
    listed = {one["session_id"]: one["status"] for one in kind(given).list_sessions()}
    assert listed == {
        **{"plain": "ok", "compacted": "ok", "tree": "ok", "child": "ok", FORK: "ok"},
        "a/b": "foreign",
    }


def test_its_messages_are_read(kind: Kind, given: Path) -> None:
    """Text, metadata, time and tool fields are those that it wrote."""
    session = kind(given).get_session("plain")
    assert session.messages[0] == SessionMessage(
        "user", "Question 1: où? 日本 🎈", 1790000000.25, {"number": 1, "tags": ["a", None]}
    )
    assert session.messages[2].tool_calls == CALL
    assert session.messages[3].tool_call_id == "call_1"
    assert [message.role for message in session.messages] == [
        "user",
        "assistant",
        "assistant",
        "tool",
        "user",
        "assistant",
    ]
    assert (session.agent_name, session.user_id) == ("Ann", "u1")
    assert (session.gateway_session_id, session.agent_id) == ("g1", "a1")
    assert session.metadata["compute"] == {"id": "c1"}
    assert kind(given).get_chat_history("plain")[2] == {"role": "assistant", "content": "", "tool_calls": CALL}
    assert session.created_at == "2026-11-01T12:00:00.000001+00:00"


def test_its_other_fields_are_kept_in_extra(kind: Kind, given: Path) -> None:
    """What readfresh has never heard of is in `extra`: runtime state, archive, compaction, mirrored metadata."""
    session = kind(given).get_session("plain")
    assert session.extra["runtime_state"] == {"runtime": {"turn": {"step": 3, "notes": ["x"]}}}
    assert session.extra["last_compaction"]["summary"] == "They talked about tides."
    assert (session.extra["model"], session.extra["cost"]) == ("some-model", 0.5)
    archived = kind(given).get_session("compacted").extra["archived_messages"]
    assert archived[0]["content"].startswith("Question 0")


def test_its_tree_is_read(given: Path) -> None:
    """Parents, children, titles, sharing, and the pooled messages of its snapshots."""
    store = HierarchicalSessionStore(given)
    tree = store.get_session("tree")
    assert (tree.title, tree.is_shared, tree.children_ids) == ("A trip", True, ("child", FORK))
    assert store.get_children("tree") == ["child", FORK]
    assert store.get_parent("child") == "tree"
    fork = store.get_session(FORK)
    assert (fork.title, fork.parent_id, fork.forked_from_message_id) == ("Fork", "tree", "1")
    assert [one.label for one in tree.snapshots] == ["before", "after"]
    assert [len(one.messages or ()) for one in tree.snapshots] == [2, 4]
    assert len(tree.messages) == 1
    assert store.revert_to_snapshot("tree", SNAPSHOTS[1])
    messages = store.get_session("tree").messages
    assert [message.role for message in messages] == ["user", "assistant", "assistant", "tool"]
    assert messages[2].tool_calls == CALL
    assert store.revert_to_snapshot("tree", SNAPSHOTS[0])
    assert len(store.get_session("tree").messages) == 2


CHANGED: dict[str, tuple[str, ...]] = {
    "add_message": ("messages",),
    "add_user_message": ("messages",),
    "add_assistant_message": ("messages",),
    "set_chat_history": ("messages",),
    "clear_session": ("messages",),
    "revert_to_message": ("messages",),
    "update_session_metadata": ("metadata",),
    "update": ("metadata",),
    "set_agent_info": ("agent_name",),
    "set_gateway_info": ("agent_id",),
    "create_session": ("children_ids",),
    "fork_session": ("children_ids",),
    "create_snapshot": ("snapshots",),
    "share_session": ("is_shared",),
    "unshare_session": ("is_shared",),
    "set_title": ("title",),
    "auto_title": ("title",),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("kind", "verb"), each_verb(writes=True, per_session=True))
def test_a_write_of_ours_changes_what_it_names(kind: Kind, verb: Verb, name: str, given: Path) -> None:
    """Each of our writes leaves every other field of its file as it was, unknown ones and the snapshot pool too."""
    if verb.name not in CHANGED:
        assert verb.name in ("delete_session", "import_session", "revert_to_snapshot")
        return
    session_id = FORK if name == "fork" else name
    before = stored(given, session_id)
    made = verb.call(kind(given), session_id)
    after = stored(given, session_id)
    if made is False:  # an index out of range, a title that is there already
        assert after == before
        return
    named = {*CHANGED[verb.name], "updated_at"}
    assert after.pop("schema_version") == 1
    new = after.keys() - before.keys() - named
    # The hierarchical store writes its own fields into a file that lacks them.
    assert new <= {"title", "parent_id", "forked_from_message_id", "children_ids", "snapshots", "is_shared"}
    assert all(not after[key] for key in new)
    assert {key: after[key] for key in before if key not in named} == {
        key: before[key] for key in before if key not in named
    }
    if "messages" in named and verb.name.startswith("add"):
        assert after["messages"][: len(before["messages"])] == before["messages"]
    if "snapshots" in named:
        assert after["snapshots"][: len(before.get("snapshots", []))] == before.get("snapshots", [])


# Older shapes


def test_messages_of_four_keys_are_read(kind: Kind, directory: Path) -> None:
    """The files of spring 2026 have messages of role, content, timestamp and metadata."""
    old = {
        "session_id": "old",
        "messages": [{"role": "user", "content": "hi", "timestamp": 1772000000.0, "metadata": {}}],
        **{"created_at": "2026-03-01T10:00:00.000000+00:00", "updated_at": "2026-03-01T10:00:00.000000+00:00"},
        **{"agent_name": None, "user_id": None},
    }
    write_json(directory, "old", old)
    store = kind(directory)
    assert store.get_session("old").messages == (SessionMessage("user", "hi", 1772000000.0),)
    store.add_user_message("old", "more")
    assert stored(directory, "old")["messages"][0] == old["messages"][0]  # type: ignore[index]


def test_snapshots_of_an_index_alone_are_kept_and_not_reverted_to(directory: Path) -> None:
    """A snapshot from before 1.7 holds an index, which trimming and clearing have moved: reverting says so."""
    snapshot = {"id": "s", "session_id": "old", "message_index": 0, "created_at": 1.5, "label": "x", "metadata": {}}
    messages = [{"role": "user", "content": str(number)} for number in range(3)]
    write_json(directory, "old", {"session_id": "old", "messages": messages, "snapshots": [snapshot]})
    store = HierarchicalSessionStore(directory)
    assert store.get_snapshots("old")[0].messages is None
    with pytest.raises(ValueError, match="holds no messages, only the index 0"):
        store.revert_to_snapshot("old", "s")
    store.add_user_message("old", "3")
    assert stored(directory, "old")["snapshots"] == [snapshot]
    assert store.revert_to_message("old", 0)
    assert [one["content"] for one in store.get_chat_history("old")] == ["0"]


def test_snapshots_with_their_messages_inline_are_reverted_to(directory: Path) -> None:
    """An export of 1.7 has each snapshot's messages in place; what else is in its transcript is kept."""
    transcript = {
        "messages": [{"role": "user", "content": "then", "timestamp": 1.0, "metadata": {}}],
        "archived_messages": [{"role": "user", "content": "older", "timestamp": 0.5, "metadata": {}}],
        "last_compaction": None,
    }
    header = {"id": "s", "session_id": "old", "message_index": 0, "created_at": 1.5, "label": None, "metadata": {}}
    write_json(directory, "old", {"session_id": "old", "snapshots": [{**header, "transcript": transcript}]})
    store = HierarchicalSessionStore(directory)
    assert store.revert_to_snapshot("old", "s")
    assert [one["content"] for one in store.get_chat_history("old")] == ["then"]
    assert stored(directory, "old")["snapshots"] == [{**header, "transcript": transcript}]


def test_its_export_is_imported(given: Path, tmp_path: Path) -> None:
    """A session file of PraisonAI's is imported whole, its pooled snapshots too."""
    store = HierarchicalSessionStore(tmp_path / "other")
    store.import_session(stored(given, "tree"), "copy")
    assert store.revert_to_snapshot("copy", SNAPSHOTS[1])
    assert len(store.get_chat_history("copy")) == 4
    assert store.get_session("copy").parent_id is None


# Ours, as PraisonAI reads them

SESSION_FIELDS: dict[str, Callable[[Any], bool]] = {
    "session_id": lambda value: isinstance(value, str),
    "messages": lambda value: isinstance(value, list),
    "created_at": lambda value: isinstance(value, str),
    "updated_at": lambda value: isinstance(value, str),
    "agent_name": lambda value: value is None or isinstance(value, str),
    "user_id": lambda value: value is None or isinstance(value, str),
    "metadata": lambda value: isinstance(value, dict),
    "gateway_session_id": lambda value: value is None or isinstance(value, str),
    "agent_id": lambda value: value is None or isinstance(value, str),
}
TREE_FIELDS: dict[str, Callable[[Any], bool]] = {
    "parent_id": lambda value: value is None or isinstance(value, str),
    "forked_from_message_id": lambda value: value is None or isinstance(value, str),
    "children_ids": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "snapshots": lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
    "is_shared": lambda value: isinstance(value, bool),
    "title": lambda value: value is None or isinstance(value, str),
}
MESSAGE_FIELDS: dict[str, Callable[[Any], bool]] = {
    "role": lambda value: isinstance(value, str),
    "content": lambda value: value is None or isinstance(value, str | list),
    "timestamp": lambda value: isinstance(value, int | float),
    "metadata": lambda value: isinstance(value, dict),
}


def fits(data: dict[str, Any], fields: dict[str, Callable[[Any], bool]]) -> None:
    """Check that each field is there and of the type that PraisonAI's `from_dict` works with."""
    for name, check in fields.items():
        assert name in data, name
        assert check(data[name]), name


def test_our_files_have_the_shape_that_it_reads(kind: Kind, directory: Path) -> None:
    """Every field that its `from_dict` takes is there, of its type, and one file stands for one session."""
    store: Store = filled(kind, directory)
    store.add_message("trip", "assistant", None, tool_calls=CALL)
    store.add_message("trip", "tool", "high", tool_call_id="call_1")
    data = stored(directory, "trip")
    fits(data, SESSION_FIELDS)
    for message in data["messages"]:
        fits(message, MESSAGE_FIELDS)
    assert data["messages"][2]["tool_calls"] == CALL
    assert data["messages"][3]["tool_call_id"] == "call_1"
    assert "tool_calls" not in data["messages"][0]
    if kind is HierarchicalSessionStore:
        fits(data, TREE_FIELDS)
        (snapshot,) = data["snapshots"]
        assert [message["content"] for message in snapshot["transcript"]["messages"]] == ["Where to?", "Porto."]
        for message in snapshot["transcript"]["messages"]:
            fits(message, MESSAGE_FIELDS)
        assert "snapshot_storage" not in data
    assert isinstance(store, DefaultSessionStore)
