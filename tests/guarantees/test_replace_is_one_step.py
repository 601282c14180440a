"""Replacing a history is one change: nobody ever sees it half replaced, and timestamps and metadata that were given are
kept.

The tests stop a replacement before every verb of the disk, look at the session from outside, and go on.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import HierarchicalSessionStore, LockTimeout, OutcomeUnknown, SessionMessage, SessionStoreError
from tests.guarantees.conftest import StoreType
from tests.guarantees.content import KINDS, NOW, Kind, json_values, listing, make, mixed, read_file, unknown_fields
from tests.guarantees.disks import Interruption, Recorder, WatchedDisk

OLD = [{"role": "user", "content": f"old {number}", "timestamp": float(number), "metadata": {}} for number in range(3)]
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
NEW: list[dict[str, Any]] = [
    {"role": "system", "content": "A summary.", "timestamp": 978307200.25, "metadata": {"by": "summariser"}},
    {"role": "assistant", "content": None, "timestamp": 7, "metadata": {}, "tool_calls": [CALL]},
    {"role": "tool", "content": "12", "timestamp": 8.5, "metadata": {"ms": 3}, "tool_call_id": "c1", "x_cached": True},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}], "timestamp": 0.0, "metadata": {"deep": [None]}},
]


def as_written(session: Any) -> list[dict[str, Any]]:
    """Return the messages as JSON."""
    return [json.loads(json.dumps(message.to_dict())) for message in session.messages]


@mixed
def test_nobody_sees_it_half_replaced(one: Kind, other: Kind, folder: Path) -> None:
    """Before every verb of the disk the file holds the old history or the new one, and a reader sees it or waits.

    Kills: a replacement in many steps (#1768: `clear_session`, then a loop of `add_message`); one that clears first.
    """
    make(one, folder).set_chat_history("trip", OLD)
    reader = make(other, folder, lock_timeout=0.0)
    seen: list[tuple[str, list[dict[str, Any]]]] = []

    def look(verb: str, _file: str) -> None:
        seen.append((verb, read_file(folder / "trip.json")["messages"]))
        if "read" in dict(seen):  # the lock is held from before the first read on
            with pytest.raises(LockTimeout):
                reader.get_session("trip")

    writer = make(one, folder, disk=WatchedDisk(look), durability="power")
    assert writer.set_chat_history("trip", NEW) is True
    at = [verb for verb, _ in seen].index("replace")
    assert [messages for _, messages in seen] == [OLD] * (at + 1) + [NEW] * (len(seen) - at - 1)
    assert as_written(reader.get_session("trip")) == NEW


def test_it_takes_the_lock_once_and_renames_once(store_type: StoreType, folder: Path) -> None:
    """Kills: a replacement that is correct alone and lets a rival in between two changes."""
    recorder = Recorder()
    make(store_type, folder, disk=WatchedDisk(recorder)).set_chat_history("trip", NEW)
    assert [recorder.steps.count(verb) for verb in ("lock", "read", "create", "replace", "unlock")] == [1] * 5


@mixed
def test_what_was_given_is_kept(one: Kind, other: Kind, folder: Path) -> None:
    """Times, metadata, tool fields and fields that readfresh does not know are in the file and read back as given.

    Kills: #1768's first version, which dropped the timestamps and metadata it was given.
    """
    make(one, folder).set_chat_history("trip", NEW)
    assert as_written(make(other, folder).get_session("trip")) == NEW
    assert json.dumps(read_file(folder / "trip.json")["messages"]) == json.dumps(NEW)


def test_a_history_that_was_read_can_be_given_back(store_type: StoreType, folder: Path) -> None:
    """Giving back the messages of a session changes none of them; so does giving back their dicts.

    Kills: a replacement that gives messages a new time.
    """
    store = make(store_type, folder)
    store.set_chat_history("trip", NEW)
    messages = store.get_session("trip").messages
    later = make(store_type, folder, now=lambda: NOW + 60)
    later.set_chat_history("trip", messages)
    assert store.get_session("trip").messages == messages
    later.set_chat_history("trip", [message.to_dict() for message in messages])
    assert store.get_session("trip").messages == messages


def test_a_message_without_a_time_gets_that_of_the_change(store_type: StoreType, folder: Path) -> None:
    """Kills: a time of its own for each message, which makes one change look like many; a time of 0 taken for none."""
    ticks = iter(range(10))
    store = make(store_type, folder, now=lambda: float(next(ticks)))
    given = [{"role": "user", "content": "a"}, {"role": "user", "content": "b", "timestamp": None}, NEW[3]]
    store.set_chat_history("trip", given)
    first, second, third = store.get_session("trip").messages
    assert first.timestamp == second.timestamp == 0.0
    assert third.timestamp == 0.0 == NEW[3]["timestamp"]
    store.set_chat_history("trip", given)
    first, second, third = store.get_session("trip").messages
    assert first.timestamp == second.timestamp != 0.0
    assert third.timestamp == 0.0


def test_an_empty_history_is_a_history(store_type: StoreType, folder: Path) -> None:
    """Kills: nothing given taken for nothing to do."""
    store = make(store_type, folder)
    store.set_chat_history("trip", OLD)
    assert store.set_chat_history("trip", []) is True
    assert store.get_chat_history("trip") == []
    assert store.set_chat_history("new", iter(())) is True
    assert store.session_exists("new")


BAD: list[tuple[Any, type[Exception], str]] = [
    ([*NEW, {"role": "user"}], ValueError, r"messages\[4\]: content"),
    ([*NEW, {"content": "Hi"}], ValueError, r"messages\[4\]: a message has no 'role'"),
    ([*NEW, {"role": "user", "content": 7}], TypeError, r"messages\[4\]: content"),
    ([*NEW, {"role": "user", "content": "Hi", "timestamp": float("nan")}], ValueError, r"messages\[4\]: timestamp"),
    ([*NEW, {"role": "user", "content": "Hi", "metadata": {"a": b"b"}}], TypeError, r"messages\[4\]: metadata\['a'\]"),
    ([*NEW, "Hi"], TypeError, r"messages\[4\]: a message must be a dict"),
    ("Hi", TypeError, "messages must be a list"),
    ({"role": "user", "content": "Hi"}, TypeError, "messages must be a list"),
    (None, TypeError, "messages must be a list"),
    (7, TypeError, "messages must be a list"),
]


@pytest.mark.parametrize(("messages", "error", "said"), BAD, ids=[said for _, _, said in BAD])
def test_one_bad_message_leaves_the_old_history(
    messages: Any, error: type[Exception], said: str, store_type: StoreType, folder: Path
) -> None:
    """The error names the message by its index, no lock was taken, and every byte is as it was.

    Kills: messages written until the first bad one; bad ones skipped.
    """
    make(store_type, folder).set_chat_history("trip", OLD)
    before = listing(folder)
    recorder = Recorder()
    with pytest.raises(error, match=said):
        make(store_type, folder, disk=WatchedDisk(recorder)).set_chat_history("trip", messages)
    assert recorder.steps == []
    assert listing(folder) == before


def test_messages_are_taken_before_the_lock(store_type: StoreType, folder: Path) -> None:
    """A generator may read the store it is given to: it is consumed before the lock is taken.

    Kills: the caller's code run under the lock; a generator that fails half-way, after half was written.
    """
    store = make(store_type, folder)
    store.set_chat_history("trip", OLD)
    store.set_chat_history("trip", (message for message in store.get_session("trip").messages[1:]))
    assert as_written(store.get_session("trip")) == OLD[1:]

    def failing() -> Iterator[dict[str, Any]]:
        yield NEW[0]
        raise RuntimeError("the model went away")

    with pytest.raises(RuntimeError, match="went away"):
        store.set_chat_history("trip", failing())
    assert as_written(store.get_session("trip")) == OLD[1:]


def test_the_caller_may_change_what_was_given(store_type: StoreType, folder: Path) -> None:
    """Kills: a list or dict of the caller's kept until the lock is free, and changed by then."""
    metadata = {"tags": ["a"]}
    given: list[dict[str, Any]] = [{"role": "user", "content": "Hi", "metadata": metadata}]

    def meddle() -> None:
        metadata["tags"].append("b")
        given.append({"role": "user", "content": "late"})

    make(store_type, folder, disk=WatchedDisk(Interruption("lock", meddle))).set_chat_history("trip", given)
    (message,) = make(store_type, folder).get_session("trip").messages
    assert message.metadata == {"tags": ["a"]}


STEPS = ("lock", "read", "create", "write", "half-written", "fsync", "close", "replace")


@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_fails_leaves_the_old_history(step: str, store_type: StoreType, folder: Path) -> None:
    """Whatever verb fails before the rename, the error says that nothing was written, and the old history stands.

    Kills: a history that has been cleared when writing the new one fails.
    """
    make(store_type, folder).set_chat_history("trip", OLD)
    before = listing(folder)

    def fail() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = make(store_type, folder, disk=WatchedDisk(Interruption(step, fail)), durability="power")
    with pytest.raises(SessionStoreError) as raised:
        store.set_chat_history("trip", NEW)
    assert raised.value.written == "nothing"
    assert not isinstance(raised.value, OutcomeUnknown)
    assert listing(folder) == before


@mixed
def test_a_rival_is_before_it_or_after_it(one: Kind, other: Kind, folder: Path) -> None:
    """A message that a rival adds is taken out by a replacement that comes after it, and kept by one that came before.

    Kills: a replacement that leaves a part of what it replaces.
    """
    rival = make(other, folder)
    rival.set_chat_history("trip", OLD)
    interruption = Interruption("lock", lambda: rival.add_user_message("trip", "early"))
    make(one, folder, disk=WatchedDisk(interruption)).set_chat_history("trip", NEW)
    assert interruption.happened
    assert as_written(rival.get_session("trip")) == NEW
    rival.add_user_message("trip", "late")
    assert as_written(make(one, folder).get_session("trip"))[:-1] == NEW


def test_everything_beside_the_messages_stays(folder: Path) -> None:
    """Kills: a replacement that makes a new session."""
    tree = make(HierarchicalSessionStore, folder)
    tree.create_session("trip", title="Porto", metadata={"mood": "calm"}, agent_name="guide")
    tree.set_chat_history("trip", OLD)
    tree.create_snapshot("trip")
    child = tree.fork_session("trip")
    before = tree.get_session("trip")
    tree.set_chat_history("trip", NEW)
    after = tree.get_session("trip")
    assert after == dataclasses.replace(before, messages=after.messages)
    assert after.children_ids == (child,)


messages = st.builds(
    SessionMessage,
    role=st.sampled_from(["user", "assistant", "system", "tool", "narrator"]),
    content=st.text() | st.lists(st.dictionaries(st.text(), json_values(3)), max_size=2),
    timestamp=st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    metadata=st.dictionaries(st.text(), json_values(3), max_size=2),
    tool_calls=st.none() | st.lists(st.dictionaries(st.text(), json_values(3), max_size=2), max_size=2),
    tool_call_id=st.none() | st.text(),
    extra=unknown_fields(),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(messages, max_size=3), st.lists(messages, max_size=3), st.sampled_from(KINDS))
def test_any_history_replaces_any_other(old: list[SessionMessage], new: list[SessionMessage], kind: Kind) -> None:
    """After a replacement the session has the messages that were given, and nothing of the old ones.

    Kills: a merge; an order that is made of timestamps; a field of a message that is made anew.
    """
    with tempfile.TemporaryDirectory() as name:
        store = make(kind, Path(name))
        store.set_chat_history("trip", old)
        store.set_chat_history("trip", new)
        assert make(kind, Path(name)).get_session("trip").messages == tuple(new)
