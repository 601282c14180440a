"""Every change that has returned is in every later state of the session until another change takes it out, however
many threads, processes and store objects write at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, HierarchicalSessionStore, LockTimeout, SessionMessage, WriteFailed
from tests.guarantees.conftest import Store, StoreType
from tests.guarantees.disks import UNDER_LOCK, Interruption, WatchedDisk
from tests.guarantees.rivals import KINDS, rival
from tests.guarantees.worker import Worker

Change = Callable[[Any], Any]

CHANGES: dict[str, Change] = {
    "add_message": lambda store: store.add_message("trip", "user", "mine"),
    "add_user_message": lambda store: store.add_user_message("trip", "mine"),
    "add_assistant_message": lambda store: store.add_assistant_message("trip", "mine"),
    "update_session_metadata": lambda store: store.update_session_metadata("trip", mine=1),
    "set_agent_info": lambda store: store.set_agent_info("trip", agent_name="mine"),
    "set_gateway_info": lambda store: store.set_gateway_info("trip", agent_id="mine"),
}
HIERARCHICAL_CHANGES: dict[str, Change] = {
    "share_session": lambda store: store.share_session("trip"),
    "unshare_session": lambda store: store.unshare_session("trip"),
    "set_title": lambda store: store.set_title("trip", "mine"),
    "create_snapshot": lambda store: store.create_snapshot("trip"),
    "fork_session": lambda store: store.fork_session("trip"),
    "create_session under it": lambda store: store.create_session(parent_id="trip"),
}
EVERY_CHANGE = [
    *(pytest.param(DefaultSessionStore, change, id=f"default-{name}") for name, change in CHANGES.items()),
    *(
        pytest.param(HierarchicalSessionStore, change, id=f"hierarchical-{name}")
        for name, change in (CHANGES | HIERARCHICAL_CHANGES).items()
    ),
]


def contents(store: Store) -> list[str]:
    """Return what the messages say."""
    return [message["content"] for message in store.get_chat_history("trip")]


def test_failed_change_leaves_the_lock_to_others(store_type: StoreType, folder: Path) -> None:
    """A change that raises has changed nothing, and the next writer does not wait for it.

    Kills: a lock that is released only when all goes well.
    """
    store = store_type(folder)
    store.add_message("trip", "user", "first")

    def fail(_session: Any) -> Any:
        raise KeyError("changed my mind")

    with pytest.raises(KeyError):
        store.update("trip", fail)
    assert store_type(folder, lock_timeout=0).add_message("trip", "user", "second")
    assert contents(store) == ["first", "second"]


def test_lock_file_that_is_deleted_under_its_holder_costs_no_message(
    store_type: StoreType, folder: Path, worker: Worker
) -> None:
    """A change whose lock file was deleted meanwhile says that nothing was written, and takes nothing away.

    Kills: a store that trusts a lock which is no longer the one that others take.
    """
    store = store_type(folder)
    store.add_message("trip", "user", "first")

    def change(session: Any) -> Any:
        (folder / "trip.json.lock").unlink()
        assert worker.call(store_type, folder, "add_message", "trip", "user", "theirs") is True
        return session.with_message(SessionMessage("user", "mine"))

    with pytest.raises(WriteFailed, match="its lock file was deleted"):
        store.update("trip", change)
    assert contents(store) == ["first", "theirs"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", UNDER_LOCK)
def test_rival_in_the_middle_of_a_change_is_not_lost(
    store_type: StoreType, kind: str, step: str, folder: Path, worker: Worker
) -> None:
    """A rival that writes while a change is under way is told to wait, or is in every later state.

    Kills: no lock, a lock that excludes threads only, a lock released between read and write.
    """
    other = rival(kind, worker, store_type, folder)
    answers: list[Any] = []

    def interrupt() -> None:
        answers.append(other("add_message", "trip", "user", "theirs"))

    store = store_type(folder)
    store.add_message("trip", "user", "first")
    interruption = Interruption(step, interrupt)
    store_type(folder, disk=WatchedDisk(interruption)).add_message("trip", "user", "mine")
    assert interruption.happened
    theirs = ["theirs"] if answers == [True] else []
    assert sorted(contents(store)) == sorted(["first", "mine", *theirs])
    assert answers == [LockTimeout]
    assert other("add_message", "trip", "user", "theirs") is True
    assert contents(store) == ["first", "mine", "theirs"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("store_type", "change"), EVERY_CHANGE)
def test_every_verb_changes_the_newest_state(
    store_type: StoreType, change: Change, kind: str, folder: Path, worker: Worker
) -> None:
    """A store that has read a session, and then changes it, keeps what others have added in between.

    Kills: a change that is made to a value read earlier, and saved over the file (PraisonAI #1709, #1724).
    """
    other = rival(kind, worker, DefaultSessionStore, folder)
    store = store_type(folder)
    store.add_message("trip", "user", "first")
    assert contents(store) == ["first"]
    assert other("add_message", "trip", "user", "theirs") is True
    change(store)
    assert other("add_message", "trip", "user", "theirs again") is True
    change(store)
    kept = [content for content in contents(store) if content != "mine"]
    assert kept == ["first", "theirs", "theirs again"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("store_type", "change"), EVERY_CHANGE)
def test_rival_that_tries_at_every_moment_of_every_verb_loses_nothing(
    store_type: StoreType, change: Change, kind: str, folder: Path, worker: Worker
) -> None:
    """Whatever a rival was told is written stays, at whichever moment of a verb it came.

    Kills: a lock taken twice, to read and to write; a verb of one store that locks for itself (PraisonAI #1745).
    """
    other = rival(kind, worker, store_type, folder)
    store_type(folder).add_message("trip", "user", "first")
    told: list[str] = []

    def interrupt(verb: str, _file: str) -> None:
        if other("add_message", "trip", "user", f"theirs before {verb} {len(told)}") is True:
            told.append(f"theirs before {verb} {len(told)}")

    change(store_type(folder, disk=WatchedDisk(interrupt)))
    kept = [content for content in contents(store_type(folder)) if content != "mine"]
    assert kept == ["first", *told]
    assert told  # before the lock, at least


def test_many_threads_and_processes_at_once(folder: Path, start_worker: Callable[[], Worker]) -> None:
    """Of many writers that start together, each message is there once, and each writer's own order is kept.

    Kills: no lock. It needs luck for that, and a lot of writing makes the luck; the tests above need none.
    """
    per_writer = 12
    workers = [start_worker() for _ in range(2)]
    stores: list[Store] = [
        DefaultSessionStore(folder, lock_timeout=60),
        HierarchicalSessionStore(folder, lock_timeout=60),
    ]
    together = threading.Barrier(5)

    def write(name: str, add: Callable[[str], Any]) -> None:
        together.wait()
        for number in range(per_writer):
            assert add(f"{name} {number}")

    def through_worker(worker: Worker) -> Callable[[str], Any]:
        kind = HierarchicalSessionStore if worker is workers[0] else DefaultSessionStore
        return lambda content: worker.call(kind, folder, "add_message", "trip", "user", content, lock_timeout=60.0)

    def through_store(store: Store) -> Callable[[str], Any]:
        return lambda content: store.add_message("trip", "user", content)

    writers = {
        "process 0": through_worker(workers[0]),
        "process 1": through_worker(workers[1]),
        "thread 0": through_store(stores[0]),
        "thread 1": through_store(stores[1]),
        "thread 2": through_store(stores[1]),  # one store object, two threads
    }
    threads = [threading.Thread(target=write, args=item, daemon=True) for item in writers.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    said = contents(stores[0])
    assert sorted(said) == sorted(f"{name} {number}" for name in writers for number in range(per_writer))
    for name in writers:
        mine = [int(content.rpartition(" ")[2]) for content in said if content.startswith(f"{name} ")]
        assert mine == list(range(per_writer))
