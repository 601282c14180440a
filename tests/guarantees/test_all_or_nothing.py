"""A reader, and a process that starts after a crash, finds a session as it was before a change or as it is after it,
never in between.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.guarantees.conftest import Store, StoreType
from tests.guarantees.disks import STEPS, WatchedDisk
from tests.guarantees.rivals import KINDS, rival
from tests.guarantees.worker import Worker
from tests.proofs.power.simulated import ROOT, SimulatedDisk

SESSIONS = f"{ROOT}/ada/sessions"
LONG = [{"role": "user", "content": f"{number}: " + "a long way " * 40} for number in range(40)]
SHORT = [{"role": "user", "content": "home"}]

# A change that makes the file longer, one that makes it shorter, and one that creates it.
Case = tuple[list[dict[str, str]], str, tuple[Any, ...]]
CASES: dict[str, Case] = {
    "longer": (SHORT, "set_chat_history", ("trip", LONG)),
    "shorter": (LONG, "set_chat_history", ("trip", SHORT)),
    "one message more": (LONG, "add_message", ("trip", "user", "mine")),
    "cleared": (LONG, "clear_session", ("trip",)),
    "created": ([], "add_message", ("trip", "user", "mine")),
}
EVERY_CASE = pytest.mark.parametrize(
    ("start", "verb", "args"), [pytest.param(*case, id=name) for name, case in CASES.items()]
)


def begin(store: Store, start: list[dict[str, str]]) -> None:
    """Write the session as it is before the change; with no messages, leave it out."""
    if start:
        store.set_chat_history("trip", start)


@EVERY_CASE
@pytest.mark.parametrize("kind", KINDS)
def test_reader_without_a_lock_finds_a_whole_state_at_every_moment(
    store_type: StoreType,
    start: list[dict[str, str]],
    verb: str,
    args: tuple[Any, ...],
    kind: str,
    folder: Path,
    worker: Worker,
) -> None:
    """What stands in the file at each step of a change is the state before it or the state after it, byte for byte.

    Kills: writing in place; a change that is written in two steps; a file that is deleted before it is replaced.
    """
    other = rival(kind, worker, store_type, folder)
    begin(store_type(folder), start)
    file = folder / "trip.json"
    bytes_seen: list[bytes | None] = []
    listed: list[Any] = []

    def look(_verb: str, _file: str) -> None:
        bytes_seen.append(file.read_bytes() if file.exists() else None)
        # The query takes no lock, so it answers in the middle of a change.
        listed.append([(entry["status"], entry["message_count"]) for entry in other("list_sessions")])

    before = file.read_bytes() if file.exists() else None
    before_listed = [("ok", len(start))] if start else []
    getattr(store_type(folder, disk=WatchedDisk(look)), verb)(*args)
    after = file.read_bytes()
    after_listed = [("ok", len(store_type(folder).get_chat_history("trip")))]
    assert len(bytes_seen) >= 8
    switch = bytes_seen.index(after)
    assert bytes_seen == [before] * switch + [after] * (len(bytes_seen) - switch)
    assert listed == [before_listed] * switch + [after_listed] * (len(listed) - switch)


@EVERY_CASE
@pytest.mark.parametrize("step", STEPS)
def test_process_that_starts_after_a_kill_finds_a_whole_state(
    store_type: StoreType,
    start: list[dict[str, str]],
    verb: str,
    args: tuple[Any, ...],
    step: str,
    folder: Path,
    worker: Worker,
) -> None:
    """A writer that is killed at a step leaves the state before its change, or after it, and the next writer goes on.

    Kills: writing in place; a temporary file of a killed writer that stands in the way of the next one.
    """
    store = store_type(folder)
    begin(store, start)
    before = store.get_session("trip")
    if step == "version" and not start:
        step = "create"  # there was nothing to read, and so there is nothing to look at
    worker.die(store_type, folder, verb, *args, at=step)
    found = store_type(folder).get_session("trip")
    if STEPS.index(step) <= STEPS.index("replace"):
        assert found == before
    else:
        assert found != before
        reference = store_type(folder.parent / "reference")
        begin(reference, start)
        getattr(reference, verb)(*args)
        assert found.get_chat_history() == reference.get_chat_history("trip")
    count = len(found.messages)
    assert store.add_message("trip", "user", "next")
    assert len(store.get_chat_history("trip")) == count + 1
    assert sorted(os.listdir(folder)) == ["trip.json", "trip.json.lock"]  # no litter


@EVERY_CASE
def test_loss_of_power_leaves_a_whole_state_at_every_moment(
    store_type: StoreType, start: list[dict[str, str]], verb: str, args: tuple[Any, ...]
) -> None:
    """Whatever a loss of power leaves, at each step of a change: the state before it, or the state after it.

    Kills: no fsync before the rename, which leaves an empty or half file under the new name; writing in place.
    """
    found: list[Any] = []

    def cut(_verb: str) -> None:
        found.extend(store_type(SESSIONS, disk=after).get_session("trip") for after in disk.after_a_cut())

    disk = SimulatedDisk()
    store = store_type(SESSIONS, disk=disk)
    begin(store, start)
    before = store.get_session("trip")
    disk.moment = cut
    getattr(store, verb)(*args)
    disk.moment = lambda _verb: None
    cut("returned")
    after = store.get_session("trip")
    assert all(each in (before, after) for each in found)
    assert before in found
    assert found[-1] == after


@pytest.mark.parametrize("step", ["lock", "create", "write", "half-written", "fsync", "replace", "sync_directory"])
def test_a_tree_has_no_state_in_between(step: str, folder: Path, worker: Worker) -> None:
    """A fork that is killed at a step has happened for its parent, or has not; the parent is whole.

    Kills: writing in place.
    """
    store = HierarchicalSessionStore(folder)
    store.set_chat_history("trip", SHORT)
    worker.die(HierarchicalSessionStore, folder, "fork_session", "trip", at=step)
    assert len(store.get_chat_history("trip")) == 1
    assert store.get_children("trip") == []
    assert {entry["status"] for entry in DefaultSessionStore(folder).list_sessions()} == {"ok"}
