"""A read or a write waits for a lock at most its timeout, then says so and has changed nothing; a dead holder blocks
nobody.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from readfresh import DefaultSessionStore, HierarchicalSessionStore, LockTimeout
from tests.guarantees.conftest import Store, StoreType
from tests.guarantees.disks import UNDER_LOCK, Interruption, WatchedDisk
from tests.guarantees.rivals import KINDS
from tests.guarantees.worker import Worker

TIMEOUT_SECONDS = 0.05
# A wait that is not bounded ends only here, when the holder lets go. A bounded one is over long before.
PATIENCE_SECONDS = 3.0

Use = Callable[[Any], Any]
USES: dict[str, Use] = {
    "get_chat_history": lambda store: store.get_chat_history("trip"),
    "get_session": lambda store: store.get_session("trip"),
    "get_sessions_by_agent": lambda store: store.get_sessions_by_agent("guide"),
    "get_agent_chat_history": lambda store: store.get_agent_chat_history("guide"),
    "get_by_gateway_session": lambda store: store.get_by_gateway_session("gate"),
    "add_message": lambda store: store.add_message("trip", "user", "x"),
    "add_user_message": lambda store: store.add_user_message("trip", "x"),
    "add_assistant_message": lambda store: store.add_assistant_message("trip", "x"),
    "set_chat_history": lambda store: store.set_chat_history("trip", []),
    "update": lambda store: store.update("trip", lambda session: session.with_metadata({"x": 1})),
    "update_session_metadata": lambda store: store.update_session_metadata("trip", x=1),
    "set_agent_info": lambda store: store.set_agent_info("trip", agent_name="x"),
    "set_gateway_info": lambda store: store.set_gateway_info("trip", agent_id="x"),
    "clear_session": lambda store: store.clear_session("trip"),
    "delete_session": lambda store: store.delete_session("trip"),
}
HIERARCHICAL_USES: dict[str, Use] = {
    "create_session": lambda store: store.create_session(parent_id="trip"),
    "fork_session": lambda store: store.fork_session("trip"),
    "get_children": lambda store: store.get_children("trip"),
    "get_parent": lambda store: store.get_parent("trip"),
    "get_session_tree": lambda store: store.get_session_tree("trip"),
    "create_snapshot": lambda store: store.create_snapshot("trip"),
    "get_snapshots": lambda store: store.get_snapshots("trip"),
    "revert_to_snapshot": lambda store: store.revert_to_snapshot("trip", "x"),
    "revert_to_message": lambda store: store.revert_to_message("trip", 0),
    "share_session": lambda store: store.share_session("trip"),
    "set_title": lambda store: store.set_title("trip", "x"),
    "export_session": lambda store: store.export_session("trip"),
}
EVERY_USE = [
    *(pytest.param(DefaultSessionStore, use, id=f"default-{name}") for name, use in USES.items()),
    *(
        pytest.param(HierarchicalSessionStore, use, id=f"hierarchical-{name}")
        for name, use in (USES | HIERARCHICAL_USES).items()
    ),
]


def begin(store: Store) -> None:
    """Write a session that every use finds."""
    store.set_agent_info("trip", agent_name="guide")
    store.set_gateway_info("trip", gateway_session_id="gate")
    store.add_message("trip", "user", "first")


@contextmanager
def held(kind: str, worker: Worker, store_type: StoreType, folder: Path) -> Iterator[Callable[[], None]]:
    """Let somebody else hold the lock of `trip` without changing anything; give the function that lets go."""
    if kind == "another process":
        worker.start(store_type, folder, "get_session", "trip", stop="read")
        worker.stopped()

        def let_go() -> None:
            worker.proceed()
            worker.result()

    else:
        holding, enough = threading.Event(), threading.Event()

        def hold() -> None:
            holding.set()
            enough.wait()

        store = store_type(folder, disk=WatchedDisk(Interruption("read", hold)))
        thread = threading.Thread(target=store.get_session, args=("trip",), daemon=True)
        thread.start()
        holding.wait()

        def let_go() -> None:
            enough.set()
            thread.join()

    done = False

    def once() -> None:
        nonlocal done
        if not done:
            done = True
            let_go()

    try:
        yield once
    finally:
        once()


def ends_by_itself(call: Callable[[], Any], let_go: Callable[[], None]) -> Any:
    """Return what the call raises; fail when it goes on waiting until the holder lets go."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    waits = thread.is_alive()
    let_go()
    thread.join()
    assert not waits, f"still waiting after {PATIENCE_SECONDS} s, with a timeout of {TIMEOUT_SECONDS} s"
    return raised[0] if raised else None


def test_both_waits_share_one_timeout(store_type: StoreType, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has waited 3 of 5 seconds for a thread waits at most 2 for a process.

    Kills: a timeout for each of the two waits.
    """
    clock = iter([100.0, 103.0])
    given: list[float] = []

    def wait_for(_path: str, timeout_seconds: float, _opens: object) -> None:
        given.append(timeout_seconds)

    begin(store_type(folder))
    monkeypatch.setattr("readfresh.disk.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr("readfresh.disk.wait_for", wait_for)
    with FileLock(folder / "trip.json.lock"), pytest.raises(LockTimeout):
        store_type(folder, lock_timeout=5).get_session("trip")
    assert given == [2.0]


@pytest.mark.parametrize("step", UNDER_LOCK)
def test_holder_that_is_killed_at_any_step_blocks_nobody(
    store_type: StoreType, step: str, folder: Path, worker: Worker
) -> None:
    """The system takes a dead process's lock back, wherever it died: the next caller does not wait at all.

    Kills: a lock that is a file which exists.
    """
    begin(store_type(folder))
    worker.die(store_type, folder, "add_message", "trip", "user", "theirs", at=step)
    store = store_type(folder, lock_timeout=0)
    assert store.add_message("trip", "user", "mine")
    assert store.get_chat_history("trip")[-1]["content"] == "mine"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("store_type", "use"), EVERY_USE)
def test_every_verb_gives_up_and_says_so(
    store_type: StoreType, use: Use, kind: str, folder: Path, worker: Worker
) -> None:
    """A verb that does not get the lock in time raises `LockTimeout`, and every file is as it was.

    Kills: waiting for ever; False or an empty session for an answer (PraisonAI); writing without the lock.
    """
    begin(store_type(folder))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    store = store_type(folder, lock_timeout=TIMEOUT_SECONDS)
    with held(kind, worker, store_type, folder) as let_go:
        error = ends_by_itself(lambda: use(store), let_go)
    assert isinstance(error, LockTimeout)
    assert (error.session_id, error.written) == ("trip", "nothing")
    assert "Nothing was written. Retry" in str(error)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    # A child that was written and could not be entered in its parent leaves its empty lock file.
    assert {name: data for name, data in after.items() if data} == {name: data for name, data in before.items() if data}


@pytest.mark.parametrize("kind", KINDS)
def test_wait_is_not_shorter_than_the_timeout(store_type: StoreType, kind: str, folder: Path, worker: Worker) -> None:
    """A verb does not give up before its time, and gets the lock when it becomes free within it.

    Kills: a timeout that is taken for zero.
    """
    begin(store_type(folder))
    with held(kind, worker, store_type, folder):
        start = time.monotonic()
        with pytest.raises(LockTimeout):
            store_type(folder, lock_timeout=TIMEOUT_SECONDS).get_session("trip")
        assert time.monotonic() - start >= TIMEOUT_SECONDS
    said: list[bool] = []
    waiting = threading.Event()

    def wait(verb: str, _file: str) -> None:
        if verb == "lock":
            waiting.set()

    store = store_type(folder, lock_timeout=60, disk=WatchedDisk(wait))
    thread = threading.Thread(target=lambda: said.append(store.add_message("trip", "user", "x")), daemon=True)
    with held(kind, worker, store_type, folder):
        thread.start()
        waiting.wait()
    thread.join(PATIENCE_SECONDS)
    assert said == [True]


def test_holder_that_is_stopped_holds_until_it_goes_on(store_type: StoreType, folder: Path, worker: Worker) -> None:
    """A process that is alive and does nothing keeps its lock: others are told, and nothing is taken from it.

    Kills: a lock that is broken by its age.
    """
    begin(store_type(folder))
    worker.start(store_type, folder, "add_message", "trip", "user", "theirs", stop="create")
    worker.stopped()
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        # Last changed long ago, for all that its file says.
        os.utime(folder / "trip.json.lock", (0, 0))
        with pytest.raises(LockTimeout):
            store_type(folder, lock_timeout=TIMEOUT_SECONDS).add_message("trip", "user", "mine")
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    worker.proceed()
    assert worker.result() is True
    assert store_type(folder).add_message("trip", "user", "mine")
    assert [message["content"] for message in store_type(folder).get_chat_history("trip")] == [
        "first",
        "theirs",
        "mine",
    ]


def test_lock_of_one_session_holds_up_no_other(store_type: StoreType, folder: Path, worker: Worker) -> None:
    """While one session is held, every other is read and written, and the list of all is answered.

    Kills: one lock for the whole directory.
    """
    begin(store_type(folder))
    store = store_type(folder, lock_timeout=0)
    with held("another process", worker, store_type, folder):
        assert store.add_message("other", "user", "x")
        assert store.session_exists("trip")
        assert {entry["session_id"] for entry in store.list_sessions()} == {"trip", "other"}
