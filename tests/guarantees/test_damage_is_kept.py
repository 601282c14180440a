"""A damaged session is never overwritten, moved or passed off as an empty one: reading it and writing to it raise an
error that names it, and its bytes stay.

The tests put each kind of damage in the place of a session, call every verb, and compare the directory with what it
was, byte for byte and name for name.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from readfresh import (
    HierarchicalSessionStore,
    SessionDamaged,
    SessionExists,
    SessionMismatch,
    SessionStoreError,
    SessionTooNew,
    rescue,
    verify,
)
from tests.guarantees.conftest import StoreType
from tests.guarantees.content import KINDS, foreign_session, listing, make, write_file

WHOLE = json.dumps(foreign_session(), ensure_ascii=False).encode()
HEAD = b'{"session_id": "trip", '

DAMAGES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n",
    "zeros": bytes(4096),
    "truncated": WHOLE[:-40],
    "no end": WHOLE[:-1],
    "twice": WHOLE + WHOLE,
    "binary": b"\x89PNG\r\n\x1a\n\xff\xfe",
    "UTF-16": WHOLE.decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + WHOLE,
    "latin-1": HEAD + '"title": "Olá"}'.encode("latin-1"),
    "list": b'[{"role": "user", "content": "Hi"}]',
    "text": b'"trip"',
    "null": b"null",
    "NaN": HEAD + b'"metadata": {"cost": NaN}}',
    "infinity": HEAD + b'"metadata": {"cost": -Infinity}}',
    "1e999": HEAD + b'"metadata": {"cost": 1e999}}',
    "5000 digits": HEAD + b'"metadata": {"cost": ' + b"9" * 5000 + b"}}",
    "100,000 brackets": HEAD + b'"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "200 brackets": HEAD + b'"metadata": {"deep": ' + b"[" * 200 + b"]" * 200 + b"}}",
    "a key twice": HEAD + b'"messages": [], "messages": [{"role": "user", "content": "Hi"}]}',
    "a key twice, deep": HEAD + b'"metadata": {"a": [{"b": 1, "b": 2}]}}',
    "a lone surrogate": HEAD + b'"metadata": {"name": "\\ud83d"}}',
    "no id": b'{"messages": []}',
    "an empty id": b'{"session_id": "", "messages": []}',
    "an id that is a number": b'{"session_id": 7, "messages": []}',
    "messages that are a dict": HEAD + b'"messages": {}}',
    "a message that is text": HEAD + b'"messages": ["Hi"]}',
    "a message without a role": HEAD + b'"messages": [{"role": "user", "content": "Hi"}, {"content": "Hi"}]}',
    "a role that is null": HEAD + b'"messages": [{"role": null, "content": "Hi"}]}',
    "content that is a number": HEAD + b'"messages": [{"role": "user", "content": 7}]}',
    "a time that is text": HEAD + b'"messages": [{"role": "user", "content": "Hi", "timestamp": "now"}]}',
    "metadata that is a list": HEAD + b'"metadata": []}',
    "a name that is a number": HEAD + b'"agent_name": 7}',
    "a version that is text": HEAD + b'"schema_version": "1"}',
    "a version below zero": HEAD + b'"schema_version": -1}',
}
HIERARCHICAL_DAMAGES: dict[str, bytes] = {
    "children that are text": HEAD + b'"children_ids": "abc"}',
    "a snapshot without an id": HEAD + b'"snapshots": [{"message_index": 0}]}',
    "a snapshot of messages that are gone": HEAD
    + b'"snapshots": [{"id": "s", "session_id": "trip", "transcript_refs": {"messages": {"items": ["r9"]}}}]}',
    "sharing that is text": HEAD + b'"is_shared": "no"}',
}

VERBS: dict[str, Callable[[Any], object]] = {
    "get_session": lambda store: store.get_session("trip"),
    "get_chat_history": lambda store: store.get_chat_history("trip"),
    "add_message": lambda store: store.add_message("trip", "user", "Hello"),
    "add_user_message": lambda store: store.add_user_message("trip", "Hello"),
    "add_assistant_message": lambda store: store.add_assistant_message("trip", "Hello"),
    "set_chat_history": lambda store: store.set_chat_history("trip", []),
    "update_session_metadata": lambda store: store.update_session_metadata("trip", mood="calm"),
    "set_agent_info": lambda store: store.set_agent_info("trip", agent_name="guide"),
    "set_gateway_info": lambda store: store.set_gateway_info("trip", agent_id="a"),
    "clear_session": lambda store: store.clear_session("trip"),
    "update": lambda store: store.update("trip", lambda session: session),
}
HIERARCHICAL_VERBS: dict[str, Callable[[Any], object]] = {
    "create_session": lambda store: store.create_session("trip"),
    "create_session under it": lambda store: store.create_session("day-1", parent_id="trip"),
    "fork_session": lambda store: store.fork_session("trip"),
    "get_children": lambda store: store.get_children("trip"),
    "get_parent": lambda store: store.get_parent("trip"),
    "get_session_tree": lambda store: store.get_session_tree("trip"),
    "create_snapshot": lambda store: store.create_snapshot("trip"),
    "get_snapshots": lambda store: store.get_snapshots("trip"),
    "revert_to_snapshot": lambda store: store.revert_to_snapshot("trip", "first"),
    "revert_to_message": lambda store: store.revert_to_message("trip", 0),
    "share_session": lambda store: store.share_session("trip"),
    "unshare_session": lambda store: store.unshare_session("trip"),
    "is_shared": lambda store: store.is_shared("trip"),
    "set_title": lambda store: store.set_title("trip", "Anew"),
    "get_extended_session": lambda store: store.get_extended_session("trip"),
    "export_session": lambda store: store.export_session("trip"),
    "import_session": lambda store: store.import_session({"messages": []}, "trip"),
}

PAIRS = [
    *(pytest.param(kind, damage, id=f"{name}-{kind.__name__}") for name, damage in DAMAGES.items() for kind in KINDS),
    *(pytest.param(HierarchicalSessionStore, damage, id=name) for name, damage in HIERARCHICAL_DAMAGES.items()),
]


def damaged(folder: Path, data: bytes) -> Path:
    """Put `data` where the session ``trip`` belongs, beside a session that is whole."""
    write_file(folder, foreign_session("whole"))
    path = folder / "trip.json"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("what", ["directory", "pipe", "link", "dangling link", "large file"])
def test_what_is_no_file_is_damaged_too(what: str, store_type: StoreType, folder: Path, tmp_path: Path) -> None:
    """Something else in a session's place is neither followed, waited for, replaced, nor taken for no session.

    Kills: a store that writes through a symbolic link, or replaces it; a read that hangs on a pipe.
    """
    folder.mkdir()
    path, target = folder / "trip.json", tmp_path / "target.json"
    store = make(store_type, folder, max_file_bytes=len(WHOLE))
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "large file":
        path.write_bytes(WHOLE + b" ")
    else:
        path.symlink_to(target)
        if what == "link":
            target.write_bytes(WHOLE)
    before = path.lstat(), listing(tmp_path)
    for call in VERBS.values():
        with pytest.raises(SessionDamaged, match=r"trip\.json"):
            call(store)
    assert store.session_exists("trip")
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_size) == (before[0].st_ino, before[0].st_mode, before[0].st_size)
    assert listing(tmp_path) == before[1]


@pytest.mark.parametrize(("kind", "damage"), PAIRS)
def test_every_verb_raises_and_the_bytes_stay(kind: StoreType, damage: bytes, folder: Path) -> None:
    """Each verb raises `SessionDamaged` with session, path and cause, and the directory is what it was.

    Kills: a damaged file that is reset in silence, moved aside, or read as empty; what JSON readers let pass (NaN,
    duplicate keys); messages that cannot be read skipped without a word.
    """
    path = damaged(folder, damage)
    before, inode = listing(folder), path.stat().st_ino
    verbs = {**VERBS, **HIERARCHICAL_VERBS} if kind is HierarchicalSessionStore else VERBS
    for verb, call in verbs.items():
        told: list[SessionStoreError] = []
        with pytest.raises(SessionDamaged) as raised:
            call(make(kind, folder, on_error=told.append))
        error = raised.value
        assert (error.session_id, error.path, error.written) == ("trip", str(path), "nothing"), verb
        assert error.cause, verb
        assert "rescue" in error.next_step, verb
        assert told == [error], verb
        assert (listing(folder), path.stat().st_ino) == (before, inode), verb


@pytest.mark.parametrize(("kind", "damage"), PAIRS)
def test_it_exists_and_hides_no_other(kind: StoreType, damage: bytes, folder: Path) -> None:
    """The damaged session exists and is listed as damaged; queries answer from the others, and report it.

    Kills: a listing that leaves out what it cannot read; a query that fails, or is silent, because of one file.
    """
    damaged(folder, damage)
    told: list[SessionStoreError] = []
    store = make(kind, folder, on_error=told.append)
    assert store.session_exists("trip")
    assert {entry["session_id"]: entry["status"] for entry in store.list_sessions()} == {
        "trip": "damaged",
        "whole": "ok",
    }
    assert [(type(error), error.session_id) for error in told] == [(SessionDamaged, "trip")]
    for query in (
        lambda: store.list_sessions_by_agent("guide"),
        lambda: [session.session_id for session in store.get_sessions_by_agent("guide")],
        lambda: [store.get_by_gateway_session("gate-7").session_id],
        lambda: store.list_sessions_by_gateway_agent("agent-7"),
    ):
        told.clear()
        assert query() == ["whole"]
        assert [error.session_id for error in told] == ["trip"]
    assert [(finding.session_id, finding.kind) for finding in verify(store)] == [("trip", "damaged")]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_it_ends_when_it_is_asked_for_by_name(damage: bytes, store_type: StoreType, folder: Path) -> None:
    """`rescue` copies what can be read and leaves the bytes; `delete_session` deletes the file.

    Kills: a way out that needs the session to be readable, or that mends the file in place.
    """
    path = damaged(folder, damage)
    store = make(store_type, folder)
    rescued = rescue(store, "trip", "copy")
    assert rescued.left_out
    assert path.read_bytes() == damage
    assert store.get_session("copy").messages == rescued.session.messages
    with pytest.raises(SessionExists):
        rescue(store, "trip", "copy")
    assert store.delete_session("trip") is True
    assert not path.exists()
    assert store.get_chat_history("trip") == []


def test_no_prefix_of_a_file_passes_for_a_session(store_type: StoreType, folder: Path) -> None:
    """A file that is cut after any byte is damaged; none of its prefixes reads as a shorter session.

    Kills: a reader that takes what it gets until the end of the file.
    """
    store = make(store_type, folder)
    store.add_user_message("trip", "Olá ☕")
    store.add_assistant_message("trip", "Porto it is.", {"cost": 1.5})
    path = folder / "trip.json"
    whole = path.read_bytes()
    for length in range(len(whole) - 1):  # without the last line end alone, it is whole
        path.write_bytes(whole[:length])
        with pytest.raises(SessionDamaged):
            store.get_session("trip")
        with pytest.raises(SessionDamaged):
            store.add_user_message("trip", "Hello")
        assert path.read_bytes() == whole[:length]


def test_a_newer_file_is_refused_and_stays(store_type: StoreType, folder: Path) -> None:
    """A file of a newer schema is no damage and is kept likewise: `SessionTooNew`, whatever else is in it.

    Kills: an old store that writes back what it has understood of a newer file.
    """
    path = write_file(folder, {"schema_version": 2, "session_id": ["another", "shape"]}, "trip.json")
    before = path.read_bytes()
    for call in VERBS.values():
        with pytest.raises(SessionTooNew):
            call(make(store_type, folder))
    assert path.read_bytes() == before


def test_damage_in_a_tree_stays_where_it_is(folder: Path) -> None:
    """A damaged child stays listed, and its parent can be changed; a damaged parent gets no child.

    Kills: a tree that forgets a child because it cannot be read; a child that is written although its parent cannot
    list it.
    """
    tree = make(HierarchicalSessionStore, folder)
    tree.create_session("trip")
    tree.create_session("day-1", parent_id="trip")
    child, parent = folder / "day-1.json", folder / "trip.json"
    child.write_bytes(b"{")
    assert tree.get_children("trip") == ["day-1"]
    assert [node["status"] for node in tree.get_session_tree("trip")["children"]] == ["damaged"]
    assert tree.add_user_message("trip", "Go on.")
    parent.write_bytes(b"[]")
    before = listing(folder)
    with pytest.raises(SessionDamaged):
        tree.create_session("day-2", parent_id="trip")
    with pytest.raises(SessionDamaged):
        tree.get_parent("trip")
    assert listing(folder) == before


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60)
    | st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4)).map(
        lambda spot: WHOLE[: spot[0]] + spot[1] + WHOLE[spot[0] + len(spot[1]) :]
    ),
    st.sampled_from(KINDS),
)
@example(WHOLE, KINDS[0])
def test_any_bytes_are_a_session_or_stay(data: bytes, kind: StoreType) -> None:
    """Whatever is in the file, writing either has been preceded by a read that succeeds, or leaves every byte.

    Kills: an error that is neither of ours nor one that names the session; a write that succeeds where a read fails.
    """
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "trip.json")
        path.write_bytes(data)
        store = make(kind, Path(name))
        try:
            count = len(store.get_session("trip").messages)
        except (SessionDamaged, SessionMismatch, SessionTooNew) as error:
            with pytest.raises(type(error), match="Session 'trip'"):
                store.add_user_message("trip", "Hello")
            assert path.read_bytes() == data
        else:
            store.add_user_message("trip", "Hello")
            assert len(store.get_session("trip").messages) == count + 1
