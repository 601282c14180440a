"""A change that has returned outlives the death of its process and the loss of power (`durability="process"` gives up
the second, and with it `all-or-nothing` across a loss of power, for speed).

A kill cannot test fsync: what a killed process has written stays in the system's memory and reaches the disk all the
same. So the flushes are looked at in three other ways: the order of the verbs at the seam, the system calls of the
real disk, and a simulated disk whose power is cut.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any, Literal

import pytest

from readfresh import DefaultSessionStore, HierarchicalSessionStore, OutcomeUnknown, SessionDamaged, WriteFailed
from readfresh.disk import Disk
from tests.guarantees.conftest import Store, StoreType
from tests.guarantees.disks import Recorder, WatchedDisk
from tests.guarantees.worker import Worker
from tests.proofs.power.simulated import ROOT, SimulatedDisk

SESSIONS = f"{ROOT}/ada/sessions"
TEN = [{"role": "user", "content": str(number)} for number in range(10)]

# What a change does at the seam, in this order; reading first.
WRITE = ["create", "write", "half-written", "fsync", "close", "pin-temporary", "replace", "sync_directory"]

UNFLUSHED = [step for step in WRITE if step not in ("fsync", "sync_directory")]

Durability = Literal["power", "process"]
Call = tuple[str, tuple[Any, ...]]
CALLS: dict[str, Call] = {
    "add_message": ("add_message", ("trip", "user", "mine")),
    "add_user_message": ("add_user_message", ("trip", "mine")),
    "add_assistant_message": ("add_assistant_message", ("trip", "mine")),
    "set_chat_history": ("set_chat_history", ("trip", TEN)),
    "set_agent_info": ("set_agent_info", ("trip", "mine")),
    "set_gateway_info": ("set_gateway_info", ("trip", "mine")),
    "clear_session": ("clear_session", ("trip",)),
    "delete_session": ("delete_session", ("trip",)),
}
HIERARCHICAL_CALLS: dict[str, Call] = {
    "create_session": ("create_session", ("day-1", "Day 1", "trip")),
    "fork_session": ("fork_session", ("trip",)),
    "create_snapshot": ("create_snapshot", ("trip",)),
    "revert_to_message": ("revert_to_message", ("trip", 0)),
    "share_session": ("share_session", ("trip",)),
    "set_title": ("set_title", ("trip", "mine")),
}
EVERY_CALL = [
    *(pytest.param(DefaultSessionStore, *call, id=f"default-{name}") for name, call in CALLS.items()),
    *(
        pytest.param(HierarchicalSessionStore, *call, id=f"hierarchical-{name}")
        for name, call in (CALLS | HIERARCHICAL_CALLS).items()
    ),
]


def begin(store: Store) -> None:
    """Write a session with two messages."""
    store.set_chat_history("trip", TEN[:2])


def state(store: Store) -> Any:
    """Return all that a store knows: each session, by id; what is wrong with one that cannot be read."""
    found: dict[str, Any] = {}
    for entry in store.list_sessions(None):
        try:
            found[entry["session_id"]] = store.get_session(entry["session_id"])
        except SessionDamaged:
            found[entry["session_id"]] = "damaged"
    return found


@pytest.mark.parametrize(("durability", "steps"), [("power", WRITE), ("process", UNFLUSHED)])
def test_file_is_flushed_before_the_rename_and_the_directory_after_it(
    store_type: StoreType, durability: Durability, steps: list[str], folder: Path
) -> None:
    """The order of the verbs is: write, fsync, replace, fsync of the directory; "process" leaves both flushes out.

    Kills: no fsync; an fsync after the rename; no fsync of the directory.
    """
    recorder = Recorder()
    store = store_type(folder, durability=durability, disk=WatchedDisk(recorder))
    begin(store)
    recorder.files.clear()
    store.add_message("trip", "user", "mine")
    assert [verb for verb, _ in recorder.files] == ["make_directory", "lock", "version", *steps, "unlock"]
    temporary, session = "trip.json.tmp", "trip.json"
    flushed = [(verb, file) for verb, file in recorder.files if verb in ("fsync", "replace", "sync_directory")]
    power = [("fsync", temporary), ("replace", session), ("sync_directory", folder.name)]
    assert flushed == (power if durability == "power" else [("replace", session)])


def test_deletion_is_flushed(store_type: StoreType, folder: Path) -> None:
    """The name that a deletion takes away is flushed before the call returns.

    Kills: no fsync of the directory after a deletion.
    """
    recorder = Recorder()
    store = store_type(folder, disk=WatchedDisk(recorder))
    begin(store)
    recorder.steps.clear()
    store.delete_session("trip")
    assert recorder.steps == ["lock", "read", "unlink", "sync_directory", "unlock"]


def test_flushes_reach_the_system(store_type: StoreType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two flushes of a change are fsync(2) on the file that takes the place of the session, and on the directory.

    Kills: a verb of the disk that does nothing.
    """
    flushed: list[tuple[str, int]] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        status = os.fstat(descriptor)
        flushed.append(("directory" if stat.S_ISDIR(status.st_mode) else "file", status.st_ino))
        fsync(descriptor)

    store = store_type(folder)
    begin(store)
    monkeypatch.setattr(os, "fsync", record)
    store.add_message("trip", "user", "mine")
    assert flushed == [("file", (folder / "trip.json").stat().st_ino), ("directory", folder.stat().st_ino)]


def test_flush_of_the_file_that_fails_leaves_the_old_state(store_type: StoreType, folder: Path) -> None:
    """When the file cannot be flushed nothing has changed, the error says so, and the flush is not tried again.

    Kills: a failure of fsync that is passed over.
    """

    class Failing(Disk):
        def fsync(self, descriptor: int) -> None:
            tried.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")

    tried: list[int] = []
    store = store_type(folder)
    begin(store)
    with pytest.raises(WriteFailed, match="Input/output error") as caught:
        store_type(folder, disk=Failing()).add_message("trip", "user", "mine")
    assert caught.value.written == "nothing"
    assert len(tried) == 1
    assert len(store.get_chat_history("trip")) == 2


def test_flush_of_the_directory_that_fails_is_an_outcome_unknown(store_type: StoreType, folder: Path) -> None:
    """When the rename cannot be flushed the call does not return: it raises that the outcome is unknown.

    Kills: a failure of the directory's fsync that is passed over.
    """

    class Failing(Disk):
        def sync_directory(self, directory: str) -> None:
            if directory == str(folder):
                raise OSError(errno.EIO, "Input/output error", directory)

    store = store_type(folder)
    begin(store)
    with pytest.raises(OutcomeUnknown) as caught:
        store_type(folder, disk=Failing()).add_message("trip", "user", "mine")
    assert caught.value.written == "unknown"
    assert len(store.get_chat_history("trip")) == 3


def test_directory_that_another_process_created_and_did_not_flush_is_flushed(store_type: StoreType) -> None:
    """A worker that finds the session directory made by one that died flushes its name before it returns.

    Kills: a directory that is flushed by its creator only.
    """

    class Died(Exception):
        pass

    def die(verb: str) -> None:
        if verb == "sync_directory":
            raise Died

    disk = SimulatedDisk(die)
    with pytest.raises(Died):
        begin(store_type(SESSIONS, disk=disk))
    disk.moment = lambda _verb: None
    store = store_type(SESSIONS, disk=disk)
    begin(store)
    returned = state(store)
    assert all(state(store_type(SESSIONS, disk=after)) == returned for after in disk.after_a_cut())


@pytest.mark.parametrize("durability", ["power", "process"])
@pytest.mark.parametrize(("store_type", "verb", "args"), EVERY_CALL)
def test_change_outlives_the_process_that_is_killed_when_it_has_returned(
    store_type: StoreType, verb: str, args: tuple[Any, ...], durability: str, folder: Path, worker: Worker
) -> None:
    """The process is killed when the call has returned, before it does anything else; another one finds the change.

    Kills: a write that is kept in memory, for later.
    """
    begin(store_type(folder))
    before = state(store_type(folder))
    worker.die(store_type, folder, verb, *args, at="returned", durability=durability)
    assert state(store_type(folder)) != before


@pytest.mark.parametrize(("store_type", "verb", "args"), EVERY_CALL)
def test_loss_of_power_takes_nothing_that_has_returned(store_type: StoreType, verb: str, args: tuple[Any, ...]) -> None:
    """Whatever a loss of power leaves of what was not flushed, a change that has returned is there.

    Kills: no fsync, no fsync of the directory, writing in place.
    """
    disk = SimulatedDisk()
    store = store_type(SESSIONS, disk=disk)
    begin(store)
    getattr(store, verb)(*args)
    returned = state(store)
    found = [state(store_type(SESSIONS, disk=after)) for after in disk.after_a_cut()]
    assert found
    assert all(each == returned for each in found)


@pytest.mark.parametrize(("store_type", "verb", "args"), EVERY_CALL)
def test_loss_of_power_in_the_middle_of_a_change_takes_nothing_from_before(
    store_type: StoreType, verb: str, args: tuple[Any, ...]
) -> None:
    """At every moment of the next change, what has returned before it is there.

    Kills: a directory that is created and not flushed; writing in place.
    """
    lost: list[tuple[str, Any]] = []
    cuts = 0

    def cut(moment: str) -> None:
        nonlocal cuts
        for after in disk.after_a_cut():
            cuts += 1
            found = state(store_type(SESSIONS, disk=after))
            # The change under way may have been made; what it does not name is as it was.
            if "kept" not in found or found["kept"] != kept or ("trip" not in found and verb != "delete_session"):
                lost.append((moment, found))

    disk = SimulatedDisk()
    store = store_type(SESSIONS, disk=disk)
    store.add_message("kept", "user", "kept")
    kept = store.get_session("kept")
    begin(store)
    disk.moment = cut
    getattr(store, verb)(*args)
    assert cuts >= 3
    assert lost == []


@pytest.mark.parametrize("verb", ["add_message", "delete_session"])
def test_process_durability_gives_up_exactly_the_loss_of_power(store_type: StoreType, verb: str) -> None:
    """With `durability="process"` a loss of power may take what has returned, or leave a damaged session.

    This is the test of the model too: a disk on which nothing can be lost shows nothing.
    """
    disk = SimulatedDisk()
    begin(store_type(SESSIONS, disk=disk))
    store = store_type(SESSIONS, durability="process", disk=disk)
    before = store.get_session("trip")
    getattr(store, verb)(*CALLS[verb][1])
    after = store.get_session("trip")
    found = [state(store_type(SESSIONS, disk=cut)).get("trip", "gone") for cut in disk.after_a_cut()]
    kinds = {"old" if each == before else "new" if each == after else each for each in found}
    assert kinds == ({"old", "new", "damaged"} if verb == "add_message" else {"old", "gone"})
    # Without a loss of power it is all there: the page cache outlives the process.
    assert store_type(SESSIONS, disk=disk).get_session("trip") == after
