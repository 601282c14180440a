"""A change alters what it names and nothing else: fields that a store has never heard of survive it, at every level of
the file.

The tests write a file as another program would, let one verb change it, and compare the whole file with what it was,
edited by hand: what no test names cannot have moved either.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.guarantees.conftest import StoreType
from tests.guarantees.content import (
    KINDS,
    NOW,
    NOW_AS_TEXT,
    Json,
    exactly,
    foreign_session,
    json_values,
    listing,
    make,
    read_file,
    unknown_fields,
    write_file,
)

Call = Callable[[Any], object]
Edit = Callable[[Json], object]

PLAIN: dict[str, tuple[Call, Edit]] = {
    "add_message": (
        lambda store: store.add_message("trip", "tool", "12 °C", {"by": "meteo"}, tool_call_id="c1"),
        lambda file: file["messages"].append(
            {
                "role": "tool",
                "content": "12 °C",
                "timestamp": NOW,
                "metadata": {"by": "meteo"},
                "tool_call_id": "c1",
            }
        ),
    ),
    "add_user_message": (
        lambda store: store.add_user_message("trip", "And then?"),
        lambda file: file["messages"].append(
            {"role": "user", "content": "And then?", "timestamp": NOW, "metadata": {}}
        ),
    ),
    "add_assistant_message": (
        lambda store: store.add_assistant_message("trip", "Braga."),
        lambda file: file["messages"].append(
            {"role": "assistant", "content": "Braga.", "timestamp": NOW, "metadata": {}}
        ),
    ),
    "set_chat_history": (
        lambda store: store.set_chat_history("trip", [{"role": "user", "content": "Anew.", "x_kept": [1]}]),
        lambda file: file.update(
            messages=[{"role": "user", "content": "Anew.", "timestamp": NOW, "metadata": {}, "x_kept": [1]}]
        ),
    ),
    "update_session_metadata": (
        lambda store: store.update_session_metadata("trip", mood="calm", cost=0.5),
        lambda file: file["metadata"].update(mood="calm", cost=0.5),
    ),
    "set_agent_info": (
        lambda store: store.set_agent_info("trip", agent_name="scout"),
        lambda file: file.update(agent_name="scout"),
    ),
    "set_gateway_info": (
        lambda store: store.set_gateway_info("trip", agent_id=None),
        lambda file: file.update(agent_id=None),
    ),
    "clear_session": (
        lambda store: store.clear_session("trip"),
        lambda file: file.update(messages=[]),
    ),
    "update": (
        lambda store: store.update("trip", lambda session: dataclasses.replace(session, user_id="eve")),
        lambda file: file.update(user_id="eve"),
    ),
}

HIERARCHICAL: dict[str, tuple[Call, Edit]] = {
    "create_session": (
        lambda store: store.create_session("day-1", parent_id="trip"),
        lambda file: file["children_ids"].append("day-1"),
    ),
    "fork_session": (
        lambda store: store.fork_session("trip", 0),
        lambda file: file["children_ids"].append("new-1"),
    ),
    "create_snapshot": (
        lambda store: store.create_snapshot("trip", "before"),
        lambda file: file["snapshots"].append(
            {
                "id": "new-1",
                "session_id": "trip",
                "message_index": 1,
                "created_at": NOW,
                "label": "before",
                "metadata": {},
                "transcript": {"messages": list(file["messages"])},
            }
        ),
    ),
    "revert_to_snapshot": (
        lambda store: store.revert_to_snapshot("trip", "first"),
        lambda file: file.update(messages=file["snapshots"][0]["transcript"]["messages"]),
    ),
    "revert_to_message": (
        lambda store: store.revert_to_message("trip", 0),
        lambda file: file["messages"].pop(),
    ),
    "share_session": (
        lambda store: store.unshare_session("trip") and store.share_session("trip"),
        lambda file: file.update(is_shared=True),
    ),
    "unshare_session": (
        lambda store: store.unshare_session("trip"),
        lambda file: file.update(is_shared=False),
    ),
    "set_title": (
        lambda store: store.set_title("trip", None),
        lambda file: file.update(title=None),
    ),
    "auto_title": (
        lambda store: store.set_title("trip", None) and asyncio.run(store.auto_title("trip")),
        lambda file: file.update(title="Where to?"),
    ),
}

# These change no session that exists: they read, or they create and delete whole files.
OTHERS = {
    "delete_session", "export_session", "get_agent_chat_history", "get_by_gateway_session", "get_chat_history",
    "get_children", "get_extended_session", "get_parent", "get_session", "get_session_tree", "get_sessions_by_agent",
    "get_snapshots", "import_session", "invalidate_cache", "is_shared", "list_sessions", "list_sessions_by_agent",
    "list_sessions_by_gateway_agent", "session_exists",
}  # fmt: skip

CASES = [
    *(pytest.param(kind, *PLAIN[verb], id=f"{verb}-{kind.__name__}") for verb in PLAIN for kind in KINDS),
    *(pytest.param(HierarchicalSessionStore, *case, id=verb) for verb, case in HIERARCHICAL.items()),
]


@pytest.mark.parametrize(("kind", "call", "edit"), CASES)
def test_a_verb_leaves_the_rest_of_the_file(kind: StoreType, call: Call, edit: Edit, folder: Path) -> None:
    """The file is what it was, with the one edit that the verb names, and the time of the change.

    Kills: unknown fields dropped when a session is read, those of messages, of snapshots; a plain store that reads
    a hierarchical file as its own class; metadata replaced where it was to be updated.
    """
    expected = foreign_session()
    path = write_file(folder, foreign_session())
    assert call(make(kind, folder))
    edit(expected)
    assert exactly(read_file(path)) == exactly({**expected, "updated_at": NOW_AS_TEXT})


def test_the_table_has_every_verb() -> None:
    """Kills: a new verb that nobody holds against this guarantee."""
    public = {name for name, _ in inspect.getmembers(HierarchicalSessionStore, callable) if not name.startswith("_")}
    assert {*PLAIN, *HIERARCHICAL, *OTHERS} == public - {"session_type"}


def test_other_files_stay_byte_for_byte(store_type: StoreType, folder: Path) -> None:
    """Another session, a damaged one, a newer one and files that are no sessions are not touched.

    Kills: a store that tidies up its directory while it writes.
    """
    write_file(folder, foreign_session("other"))
    write_file(folder, {"session_id": "newer", "schema_version": 99})
    (folder / "damaged.json").write_bytes(b'{"session_id": "damaged", "mess')
    (folder / "notes.txt").write_text("mine\n")
    (folder / "other.json.bak").write_text("{}")
    before = listing(folder)
    store = make(store_type, folder)
    store.add_user_message("trip", "Hello")
    store.list_sessions()
    store.delete_session("trip")
    assert listing(folder) == before


NOTHING: list[Call] = [
    lambda store: store.update("trip", lambda session: session),
    lambda store: store.update_session_metadata("trip"),
    lambda store: store.set_agent_info("trip"),
    lambda store: store.set_gateway_info("trip"),
]
NOTHING_HIERARCHICAL: list[Call] = [
    lambda store: store.revert_to_message("trip", 2),
    lambda store: store.revert_to_message("trip", -1),
    lambda store: store.revert_to_snapshot("trip", "unknown"),
    lambda store: asyncio.run(store.auto_title("trip")),
]


@pytest.mark.parametrize("call", NOTHING + NOTHING_HIERARCHICAL)
def test_a_verb_with_nothing_to_change_leaves_every_byte(call: Call, folder: Path) -> None:
    """The verb returns False, and the file keeps its bytes, layout included.

    Kills: a store that writes a session back because it has read it.
    """
    path = write_file(folder, foreign_session())
    before = path.read_bytes(), path.stat().st_ino
    for kind in KINDS if call in NOTHING else (HierarchicalSessionStore,):
        assert call(make(kind, folder)) is False
    assert (path.read_bytes(), path.stat().st_ino) == before


READS: list[Call] = [
    lambda store: store.get_session("trip"),
    lambda store: store.get_chat_history("trip", 1),
    lambda store: store.session_exists("trip"),
    lambda store: store.list_sessions(),
    lambda store: store.get_sessions_by_agent("guide"),
    lambda store: store.get_by_gateway_session("gate-7"),
    lambda store: store.invalidate_cache(),
]
READS_HIERARCHICAL: list[Call] = [
    lambda store: store.get_session_tree("trip"),
    lambda store: store.get_snapshots("trip"),
    lambda store: store.export_session("trip"),
]


@pytest.mark.parametrize("call", READS + READS_HIERARCHICAL)
def test_reading_alters_nothing(call: Call, folder: Path) -> None:
    """Kills: a read that mends, migrates or rewrites the file it has read."""
    write_file(folder, foreign_session())
    before = listing(folder)
    for kind in KINDS if call in READS else (HierarchicalSessionStore,):
        call(make(kind, folder))
    assert listing(folder) == before


def test_two_stores_write_by_turns(folder: Path) -> None:
    """A plain and a hierarchical store take turns on one file, and neither wipes what the other one keeps there.

    Kills: #1745's lost fields (`parent_id`, `children_ids` and `snapshots` wiped by inherited verbs).
    """
    tree, plain = make(HierarchicalSessionStore, folder), make(DefaultSessionStore, folder)
    tree.create_session("trip", title="Porto")
    child = tree.fork_session("trip")
    for number in range(3):
        tree.create_snapshot("trip", label=str(number))
        plain.update_session_metadata("trip", turn=number)
        plain.add_user_message("trip", f"message {number}")
        plain.set_agent_info(child, agent_name="scout")
    assert plain.clear_session("trip")
    session = tree.get_session("trip")
    assert (session.title, session.children_ids) == ("Porto", (child,))
    assert [len(snapshot.messages or ()) for snapshot in session.snapshots] == [0, 1, 2]
    assert tree.get_parent(child) == "trip"


def test_a_fork_takes_the_unknown_fields_of_its_messages_along(folder: Path) -> None:
    """Kills: a fork that copies role and content alone."""
    write_file(folder, foreign_session())
    tree = make(HierarchicalSessionStore, folder)
    child = tree.fork_session("trip")
    assert read_file(folder / f"{child}.json")["messages"] == foreign_session()["messages"]


def test_export_and_import_keep_unknown_fields(folder: Path) -> None:
    """Everything but the place in the tree is in the copy, at every level.

    Kills: an export of the fields that the store knows.
    """
    write_file(folder, foreign_session())
    tree = make(HierarchicalSessionStore, folder)
    copy = tree.import_session(json.loads(json.dumps(tree.export_session("trip"))))
    expected = foreign_session(copy)
    expected |= {"parent_id": None, "children_ids": [], "forked_from_message_id": None, "updated_at": NOW_AS_TEXT}
    assert read_file(folder / f"{copy}.json") == expected


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_json_survives_any_verb(data: st.DataObject) -> None:
    """Whatever JSON stands in fields that no store knows is there after any verb of either store, exactly.

    Kills: numbers rounded to 64 bits, text normalised, nested values flattened, keys sorted into another meaning.
    """
    file = foreign_session()
    parts = [file, *file["messages"], *file["snapshots"], file["snapshots"][0]["transcript"], file["snapshot_storage"]]
    data.draw(st.sampled_from(parts)).update(data.draw(unknown_fields()))
    file["metadata"].update(data.draw(st.dictionaries(st.text(), json_values())))
    kind, verbs = data.draw(
        st.sampled_from([(DefaultSessionStore, PLAIN), (HierarchicalSessionStore, {**PLAIN, **HIERARCHICAL})])
    )
    call, edit = verbs[data.draw(st.sampled_from(sorted(verbs)))]
    with tempfile.TemporaryDirectory() as name:
        path = write_file(Path(name), file)
        assert call(make(kind, Path(name)))
        edit(file)
        assert exactly(read_file(path)) == exactly({**file, "updated_at": NOW_AS_TEXT})
