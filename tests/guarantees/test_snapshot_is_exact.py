"""Reverting to a snapshot brings back exactly the messages it was taken of, whatever happened since: more messages,
trimming, clearing, replacing, other reverts.

Exactly: the messages are compared as frozen values, so times, metadata, tool fields and unknown fields count.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionNotFound
from tests.guarantees.content import KINDS, foreign_session, listing, make, read_file, write_file
from tests.guarantees.disks import Interruption, Recorder, WatchedDisk

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "Where to?", "timestamp": 1.25, "metadata": {"lang": "en"}},
    {"role": "assistant", "content": None, "timestamp": 2, "metadata": {}, "tool_calls": [CALL]},
    {"role": "tool", "content": "12 °C", "timestamp": 3.5, "metadata": {}, "tool_call_id": "c1", "x_cached": True},
    {"role": "assistant", "content": "Porto it is.", "timestamp": 4.0, "metadata": {"cost": None}},
]


@dataclass(frozen=True)
class At:
    """Where something happens."""

    folder: Path
    tree: Any
    snapshot: str

    def plain(self, **arguments: Any) -> Any:
        """Return a plain store on the same directory."""
        return make(DefaultSessionStore, self.folder, **arguments)


Happening = Callable[[At], object]

HAPPENINGS: dict[str, Happening] = {
    "nothing": lambda _at: None,
    "more messages": lambda at: at.tree.add_user_message("trip", "More."),
    "trimming": lambda at: make(HierarchicalSessionStore, at.folder, max_messages=1).add_user_message(
        "trip", "Only this."
    ),
    "trimming by a plain store": lambda at: at.plain(max_messages=2).add_user_message("trip", "And this."),
    "clearing": lambda at: at.tree.clear_session("trip"),
    "clearing by a plain store": lambda at: at.plain().clear_session("trip"),
    "replacing": lambda at: at.tree.set_chat_history(
        "trip", [{"role": "user", "content": f"another {number}"} for number in range(9)]
    ),
    "replacing by a plain store": lambda at: at.plain().set_chat_history("trip", HISTORY[::-1]),
    "a revert to a message": lambda at: at.tree.revert_to_message("trip", 0),
    "a revert to another snapshot": lambda at: (
        at.tree.clear_session("trip") and at.tree.revert_to_snapshot("trip", at.tree.create_snapshot("trip"))
    ),
    "a revert to itself": lambda at: at.tree.revert_to_snapshot("trip", at.snapshot),
    "a fork": lambda at: at.tree.clear_session(at.tree.fork_session("trip")),
    "metadata": lambda at: at.tree.update_session_metadata("trip", mood="calm"),
}


def taken(folder: Path) -> tuple[Any, str, Any]:
    """Return a store, the id of a snapshot in it, and the messages that it was taken of."""
    tree = make(HierarchicalSessionStore, folder)
    tree.set_chat_history("trip", HISTORY)
    messages = tree.get_session("trip").messages
    return tree, tree.create_snapshot("trip", "before"), messages


def test_a_limit_does_not_cut_what_is_brought_back(folder: Path) -> None:
    """A store with `max_messages` reverts to all messages of a snapshot.

    Kills: trimming in the one way to write.
    """
    _, snapshot, messages = taken(folder)
    trimming = make(HierarchicalSessionStore, folder, max_messages=1)
    assert trimming.revert_to_snapshot("trip", snapshot)
    assert trimming.get_session("trip").messages == messages


def test_a_snapshot_of_nothing_brings_back_nothing(folder: Path) -> None:
    """Kills: an index of -1 that is read from the end; no messages taken for no snapshot."""
    tree = make(HierarchicalSessionStore, folder)
    tree.create_session("trip")
    snapshot = tree.create_snapshot("trip")
    tree.add_user_message("trip", "More.")
    assert tree.revert_to_snapshot("trip", snapshot) is True
    assert tree.get_session("trip").messages == ()
    (kept,) = tree.get_snapshots("trip")
    assert (kept.id, kept.message_index, kept.messages) == (snapshot, -1, ())


def test_it_is_taken_of_the_newest_state(folder: Path) -> None:
    """A rival adds a message before each lock that the snapshot takes, and every one of them is in it.

    Kills: a snapshot of messages that were read under another lock than the one it is written under.
    """
    rival = make(DefaultSessionStore, folder)
    rival.add_user_message("trip", "first")

    def before(verb: str, _file: str) -> None:
        if verb == "lock":
            rival.add_user_message("trip", "before the lock")

    snapshot = make(HierarchicalSessionStore, folder, disk=WatchedDisk(before)).create_snapshot("trip")
    tree = make(HierarchicalSessionStore, folder)
    messages = tree.get_session("trip").messages
    assert len(messages) > 1
    tree.clear_session("trip")
    tree.revert_to_snapshot("trip", snapshot)
    assert tree.get_session("trip").messages == messages


def test_reverting_is_one_change(folder: Path) -> None:
    """A revert takes the lock once and renames once; a rival's message is before it, or after it.

    Kills: a revert that clears and adds; one that saves what was read before the lock.
    """
    tree, snapshot, messages = taken(folder)
    recorder = Recorder()
    make(HierarchicalSessionStore, folder, disk=WatchedDisk(recorder)).revert_to_snapshot("trip", snapshot)
    assert [recorder.steps.count(verb) for verb in ("lock", "read", "replace", "unlock")] == [1] * 4
    rival = make(DefaultSessionStore, folder)

    def rivals() -> None:
        rival.add_user_message("trip", "early")
        rival.update_session_metadata("trip", mood="calm")

    make(HierarchicalSessionStore, folder, disk=WatchedDisk(Interruption("lock", rivals))).revert_to_snapshot(
        "trip", snapshot
    )
    session = tree.get_session("trip")
    assert (session.messages, session.metadata) == (messages, {"mood": "calm"})


def test_the_snapshots_stay(folder: Path) -> None:
    """A revert takes no snapshot away, neither older nor newer ones, and alters nothing else.

    Kills: a revert that brings the whole session back; one that drops what was kept later.
    """
    tree, first, _ = taken(folder)
    tree.add_user_message("trip", "More.")
    tree.create_snapshot("trip", "after", {"by": "ada"})
    snapshots = tree.get_snapshots("trip")
    tree.set_title("trip", "Porto")
    tree.update_session_metadata("trip", mood="calm")
    tree.revert_to_snapshot("trip", first)
    assert tree.get_snapshots("trip") == snapshots
    assert [(one.label, one.metadata) for one in snapshots] == [("before", {}), ("after", {"by": "ada"})]
    session = tree.get_session("trip")
    assert (session.title, session.metadata) == ("Porto", {"mood": "calm"})


@pytest.mark.parametrize("unknown", ["", "no-such-id", "first"])
def test_an_unknown_snapshot_changes_nothing(unknown: str, folder: Path) -> None:
    """It is False, and every byte stays; so it is for a session that does not exist, which is not created.

    Kills: a revert to the newest snapshot, or to nothing; a snapshot found by its label.
    """
    tree, _, _ = taken(folder)
    before = listing(folder)
    assert tree.revert_to_snapshot("trip", unknown) is False
    assert tree.revert_to_snapshot("no-such-session", unknown) is False
    assert listing(folder) == before


def test_a_snapshot_belongs_to_its_session(folder: Path) -> None:
    """A fork begins without snapshots, and deleting a session deletes its snapshots.

    Kills: snapshots kept beside the sessions, which outlive or mix them.
    """
    tree, snapshot, _ = taken(folder)
    fork = tree.fork_session("trip")
    assert tree.get_snapshots(fork) == []
    assert tree.revert_to_snapshot(fork, snapshot) is False
    tree.delete_session("trip")
    tree.create_session("trip")
    assert tree.get_snapshots("trip") == []
    with pytest.raises(SessionNotFound):
        tree.create_snapshot("gone")


def test_export_and_import_keep_snapshots_exact(folder: Path) -> None:
    """Kills: an export without the messages of its snapshots."""
    tree, snapshot, messages = taken(folder)
    tree.clear_session("trip")
    copy = tree.import_session(tree.export_session("trip"), "copy")
    assert tree.revert_to_snapshot(copy, snapshot) is True
    assert tree.get_session(copy).messages == messages


def test_praisonais_snapshots(folder: Path) -> None:
    """Those of 1.7 are exact too, inline and pooled; an index alone is refused, since what it pointed at has moved.

    Kills: a pool that is read by position; an index taken for a promise that its file never made.
    """
    data = foreign_session()
    data["snapshots"].append({"id": "old", "session_id": "trip", "message_index": 1, "created_at": 1.0})
    path = write_file(folder, data)
    tree = make(HierarchicalSessionStore, folder)
    for snapshot, expected in (
        ("first", data["snapshots"][0]["transcript"]["messages"]),
        ("pooled", [data["snapshot_storage"]["records"]["r1"]]),
    ):
        assert tree.revert_to_snapshot("trip", snapshot) is True
        assert read_file(path)["messages"] == expected
    before = path.read_bytes()
    with pytest.raises(ValueError, match="'old' is a snapshot that holds no messages, only the index 1"):
        tree.revert_to_snapshot("trip", "old")
    assert path.read_bytes() == before


ACTIONS = ("add", "add-plain", "trim", "clear", "replace", "revert-to-message", "snapshot", "revert")


@pytest.mark.parametrize("first", HAPPENINGS)
@pytest.mark.parametrize("then", ["nothing", "more messages", "clearing", "trimming by a plain store"])
def test_whatever_happened_since(first: str, then: str, folder: Path) -> None:
    """After any two happenings, reverting brings back the messages, and again after two more.

    Kills: a snapshot that is an index; one that shares its messages with the session; one that a revert uses up.
    """
    tree, snapshot, messages = taken(folder)
    for _ in range(2):
        HAPPENINGS[first](At(folder, tree, snapshot))
        HAPPENINGS[then](At(folder, tree, snapshot))
        assert make(HierarchicalSessionStore, folder).revert_to_snapshot("trip", snapshot) is True
        assert tree.get_session("trip").messages == messages
        assert read_file(folder / "trip.json")["messages"] == HISTORY


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 5)), min_size=2, max_size=14))
def test_any_order_of_verbs_against_a_list(actions: list[tuple[str, int]]) -> None:
    """The store does what a list does, of which copies are kept.

    Kills: whatever of the above happens in an order that nobody has thought of.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree, plain = (make(kind, folder) for kind in reversed(KINDS))
        tree.create_session("trip")
        texts: list[str] = []
        copies: list[tuple[str, list[str]]] = []
        for number, (action, size) in enumerate(actions):
            said = f"message {number}"
            if action in ("add", "add-plain"):
                (tree if action == "add" else plain).add_user_message("trip", said)
                texts.append(said)
            elif action == "trim":
                make(KINDS[size % 2], folder, max_messages=size + 1).add_user_message("trip", said)
                texts = [*texts, said][-size - 1 :]
            elif action == "clear":
                plain.clear_session("trip")
                texts = []
            elif action == "replace":
                texts = [f"{said}.{part}" for part in range(size)]
                plain.set_chat_history("trip", [{"role": "user", "content": text} for text in texts])
            elif action == "revert-to-message":
                assert tree.revert_to_message("trip", size) is (size < len(texts))
                texts = texts[: size + 1]
            elif action == "snapshot":
                copies.append((tree.create_snapshot("trip"), list(texts)))
            elif copies:
                snapshot, copy = copies[size % len(copies)]
                assert tree.revert_to_snapshot("trip", snapshot) is True
                texts = list(copy)
            assert [message["content"] for message in plain.get_chat_history("trip")] == texts
