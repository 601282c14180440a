"""A read that starts after a write has returned sees that write, in any thread, process or store object."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, HierarchicalSessionStore, LockTimeout
from tests.guarantees.conftest import Store, StoreType
from tests.guarantees.disks import UNDER_LOCK, Interruption, WatchedDisk
from tests.guarantees.rivals import KINDS, in_thread, rival
from tests.guarantees.worker import Worker

Read = Callable[[Any], Any]

# Each reads something that the write below changes, without changing the size of the file.
READS: dict[str, Read] = {
    "get_chat_history": lambda store: store.get_chat_history("trip")[0]["content"],
    "get_session": lambda store: store.get_session("trip").messages[0].content,
    "get_sessions_by_agent": lambda store: store.get_sessions_by_agent("guide")[0].messages[0].content,
    "get_agent_chat_history": lambda store: store.get_agent_chat_history("guide")[0]["content"],
    "get_by_gateway_session": lambda store: store.get_by_gateway_session("gate").messages[0].content,
}
HIERARCHICAL_READS: dict[str, Read] = {
    "get_extended_session": lambda store: store.get_extended_session("trip").messages[0].content,
    "export_session": lambda store: store.export_session("trip")["messages"][0]["content"],
}
EVERY_READ = [
    *(pytest.param(DefaultSessionStore, read, id=f"default-{name}") for name, read in READS.items()),
    *(
        pytest.param(HierarchicalSessionStore, read, id=f"hierarchical-{name}")
        for name, read in (READS | HIERARCHICAL_READS).items()
    ),
]

# Each reads something that its own write changes: the write, and what is read before and after it.
Case = tuple[str, tuple[Any, ...], Read, Any, Any]
QUERIES: dict[str, Case] = {
    "session_exists": ("add_user_message", ("new", "x"), lambda store: store.session_exists("new"), False, True),
    "deleted": ("delete_session", ("trip",), lambda store: store.session_exists("trip"), True, False),
    "list_sessions": ("add_user_message", ("new", "x"), lambda store: len(store.list_sessions()), 1, 2),
    "message_count": (
        "add_user_message",
        ("trip", "x"),
        lambda store: store.list_sessions()[0]["message_count"],
        1,
        2,
    ),
    "list_sessions_by_agent": (
        "set_agent_info",
        ("trip", "other"),
        lambda store: store.list_sessions_by_agent("guide"),
        ["trip"],
        [],
    ),
    "list_sessions_by_gateway_agent": (
        "set_gateway_info",
        ("trip", "gate", "other"),
        lambda store: store.list_sessions_by_gateway_agent("agent"),
        ["trip"],
        [],
    ),
}
HIERARCHICAL_QUERIES: dict[str, Case] = {
    "get_children": (
        "create_session",
        ("day-1", None, "trip"),
        lambda store: store.get_children("trip"),
        [],
        ["day-1"],
    ),
    "get_parent": ("create_session", ("day-1", None, "trip"), lambda store: store.get_parent("day-1"), None, "trip"),
    "get_session_tree": (
        "create_session",
        ("day-1", None, "trip"),
        lambda store: len(store.get_session_tree("trip")["children"]),
        0,
        1,
    ),
    "get_snapshots": ("create_snapshot", ("trip",), lambda store: len(store.get_snapshots("trip")), 0, 1),
    "is_shared": ("share_session", ("trip",), lambda store: store.is_shared("trip"), False, True),
}
EVERY_QUERY = [
    *(pytest.param(DefaultSessionStore, *case, id=f"default-{name}") for name, case in QUERIES.items()),
    *(
        pytest.param(HierarchicalSessionStore, *case, id=f"hierarchical-{name}")
        for name, case in (QUERIES | HIERARCHICAL_QUERIES).items()
    ),
]


def begin(store: Store) -> None:
    """Write a session that every query finds."""
    store.set_agent_info("trip", agent_name="guide")
    store.set_gateway_info("trip", gateway_session_id="gate", agent_id="agent")
    store.set_chat_history("trip", [{"role": "user", "content": "Lisbon", "timestamp": 1.0}])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("store_type", "read"), EVERY_READ)
def test_read_sees_what_was_written_elsewhere(
    store_type: StoreType, read: Read, kind: str, folder: Path, worker: Worker
) -> None:
    """Read, write elsewhere, read again: the second read sees the write, whatever the file's time and size say.

    Kills: a cache of what was read first (PraisonAI #1759, #1764); a cache that only its own writes refresh; a cache
    that is held to be valid by modification time and size; a cache in the subclass (#1745).
    """
    reader = store_type(folder)
    begin(reader)
    other = rival(kind, worker, store_type, folder)
    file = folder / "trip.json"
    assert read(reader) == "Lisbon"
    for city in ("Madrid", "Berlin", "Lisbon", "Madrid"):
        before = file.stat()
        assert other("set_chat_history", "trip", [{"role": "user", "content": city, "timestamp": 1.0}]) is True
        assert file.stat().st_size == before.st_size
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert read(reader) == city


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("store_type", "verb", "args", "read", "before", "after"), EVERY_QUERY)
def test_query_sees_what_was_written_elsewhere(
    store_type: StoreType,
    verb: str,
    args: tuple[Any, ...],
    read: Read,
    before: Any,
    after: Any,
    kind: str,
    folder: Path,
    worker: Worker,
) -> None:
    """Sessions that appear and vanish, and what belongs to them, are seen by the next query.

    Kills: a list of sessions, an index, or a tree that is kept.
    """
    reader = store_type(folder)
    begin(reader)
    other = rival(kind, worker, store_type, folder)
    assert read(reader) == before
    other(verb, *args)
    assert read(reader) == after


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_store_wrote_itself_does_not_hide_what_others_write(
    store_type: StoreType, kind: str, folder: Path, worker: Worker
) -> None:
    """Write, write elsewhere, read: a store sees the other's write on top of its own.

    Kills: a cache that is filled by writing.
    """
    mine = store_type(folder)
    other = rival(kind, worker, store_type, folder)
    for number in range(3):
        mine.add_message("trip", "user", f"mine {number}")
        other("add_message", "trip", "user", f"theirs {number}")
        said = [message["content"] for message in mine.get_chat_history("trip")]
        assert said == [f"{whose} {each}" for each in range(number + 1) for whose in ("mine", "theirs")]


def test_two_threads_of_one_store_object_see_each_other(store_type: StoreType, folder: Path) -> None:
    """A thread sees what another thread wrote through the same store object.

    Kills: a cache for each thread.
    """
    store = store_type(folder)
    for number in range(3):
        in_thread(partial(store.add_message, "trip", "user", str(number)))
        assert len(store.get_chat_history("trip")) == number + 1
        assert in_thread(lambda: len(store.get_chat_history("trip"))) == number + 1


@pytest.mark.parametrize("step", UNDER_LOCK)
def test_read_during_a_write_waits_or_sees_all_of_it(store_type: StoreType, step: str, folder: Path) -> None:
    """A read that starts while a write is under way waits for it, and then sees it.

    Kills: a read that takes no lock, and so can see a state that a loss of power takes back.
    """
    store = store_type(folder)
    store.add_message("trip", "user", "first")
    reader = store_type(folder, lock_timeout=0)
    seen: list[object] = []

    def look() -> None:
        try:
            seen.append(in_thread(lambda: len(reader.get_chat_history("trip"))))
        except LockTimeout:
            seen.append(LockTimeout)

    store_type(folder, disk=WatchedDisk(Interruption(step, look))).add_message("trip", "user", "second")
    assert seen == [LockTimeout]
    assert len(reader.get_chat_history("trip")) == 2


def test_reading_a_session_that_does_not_exist_creates_nothing(store_type: StoreType, folder: Path) -> None:
    """A session that is not there reads as empty, leaves no file behind, and is seen as soon as it is there.

    Kills: a cache of what does not exist.
    """
    reader = store_type(folder)
    assert reader.get_chat_history("trip") == []
    assert reader.get_session("trip").created_at is None
    assert not folder.exists()
    store_type(folder).add_message("trip", "user", "Lisbon")
    assert len(reader.get_chat_history("trip")) == 1
