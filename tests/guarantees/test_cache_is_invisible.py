"""`invalidate_cache` changes what a read costs, never what it returns."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, HierarchicalSessionStore, LockTimeout, SessionDamaged
from tests.guarantees.conftest import Store, StoreType
from tests.guarantees.rivals import KINDS, rival
from tests.guarantees.worker import Worker

Read = Callable[[Any], Any]
READS: dict[str, Read] = {
    "get_chat_history": lambda store: store.get_chat_history("trip"),
    "get_session": lambda store: store.get_session("trip"),
    "get_sessions_by_agent": lambda store: store.get_sessions_by_agent("guide"),
    "get_agent_chat_history": lambda store: store.get_agent_chat_history("guide"),
    "get_by_gateway_session": lambda store: store.get_by_gateway_session("gate"),
    "list_sessions_by_gateway_agent": lambda store: store.list_sessions_by_gateway_agent("agent"),
    "list_sessions_by_agent": lambda store: store.list_sessions_by_agent("guide"),
    "list_sessions": lambda store: store.list_sessions(),
    "session_exists": lambda store: store.session_exists("trip"),
}
HIERARCHICAL_READS: dict[str, Read] = {
    "get_extended_session": lambda store: store.get_extended_session("trip"),
    "force_reload": lambda store: store.get_extended_session("trip", force_reload=True),
    "export_session": lambda store: store.export_session("trip"),
    "get_children": lambda store: store.get_children("trip"),
    "get_parent": lambda store: store.get_parent("trip"),
    "get_session_tree": lambda store: store.get_session_tree("trip"),
    "get_snapshots": lambda store: store.get_snapshots("trip"),
    "is_shared": lambda store: store.is_shared("trip"),
}
EVERY_READ = [
    *(pytest.param(DefaultSessionStore, read, id=f"default-{name}") for name, read in READS.items()),
    *(
        pytest.param(HierarchicalSessionStore, read, id=f"hierarchical-{name}")
        for name, read in (READS | HIERARCHICAL_READS).items()
    ),
]

# What a program does: which of two store objects, and which verb of it.
VERBS: dict[str, Callable[[Any, str], Any]] = {
    "read": lambda store, session_id: store.get_session(session_id),
    "history": lambda store, session_id: store.get_chat_history(session_id),
    "list": lambda store, _session_id: store.list_sessions(),
    "exists": lambda store, session_id: store.session_exists(session_id),
    "children": lambda store, session_id: store.get_children(session_id),
    "add": lambda store, session_id: store.add_message(session_id, "user", "x"),
    "replace": lambda store, session_id: store.set_chat_history(session_id, [{"role": "user", "content": "y"}]),
    "fields": lambda store, session_id: store.update_session_metadata(session_id, place="Porto"),
    "clear": lambda store, session_id: store.clear_session(session_id),
    "delete": lambda store, session_id: store.delete_session(session_id),
    "share": lambda store, session_id: store.share_session(session_id),
    "snapshot": lambda store, session_id: store.create_snapshot(session_id),
    "fork": lambda store, session_id: store.fork_session(session_id),
}
# Half of the steps read: what was read and is kept is what a cache gets wrong.
STEP = st.tuples(
    st.one_of(st.sampled_from(["read", "history", "list", "exists", "children"]), st.sampled_from(sorted(VERBS))),
    st.integers(0, 1),
    st.sampled_from(["trip", "trip", "day-1"]),
)
# Between two steps: which store objects forget, and of which session.
FORGET = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([None, "trip", "day-1"])), max_size=2)


def play(program: list[tuple[tuple[str, int, str], list[tuple[int, str | None]]]], forgetful: bool) -> list[Any]:
    """Return what each step answers, and the files at the end."""
    time, ids = itertools.count(), itertools.count()
    with tempfile.TemporaryDirectory() as folder:
        stores = [
            HierarchicalSessionStore(
                folder,
                durability="process",  # flushing costs time and changes no answer
                now=lambda: float(next(time)),
                new_id=lambda: f"id-{next(ids)}",
            )
            for _ in range(2)
        ]
        answers: list[Any] = []
        for (verb, which, session_id), forget in program:
            try:
                answers.append(VERBS[verb](stores[which], session_id))
            except Exception as error:
                answers.append(type(error))
            for whose, what in forget if forgetful else []:
                stores[whose].invalidate_cache(what)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return [*answers, files]


def test_it_touches_no_file(store_type: StoreType, folder: Path, worker: Worker) -> None:
    """It takes no lock, writes nothing, creates nothing, and minds neither a missing session nor a damaged one.

    Kills: an `invalidate_cache` that writes back what was read.
    """
    store = store_type(folder)
    store.invalidate_cache()
    store.invalidate_cache("trip")
    assert not folder.exists()
    begin(store)
    store.get_session("trip")
    assert worker.call(store_type, folder, "add_message", "trip", "user", "theirs")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    # Somebody holds the lock: it does not wait for it.
    worker.start(store_type, folder, "get_session", "trip", stop="read")
    worker.stopped()
    hasty = store_type(folder, lock_timeout=0)
    with pytest.raises(LockTimeout):
        hasty.get_session("trip")
    for each in (store, hasty):
        each.invalidate_cache("trip")
        each.invalidate_cache()
    worker.proceed()
    worker.result()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    (folder / "trip.json").write_bytes(b"{")
    store.invalidate_cache("trip")
    with pytest.raises(SessionDamaged):
        store.get_session("trip")


@pytest.mark.parametrize("what", [None, "trip", "other"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("store_type", "read"), EVERY_READ)
def test_read_is_as_fresh_without_it(
    store_type: StoreType, read: Read, kind: str, what: str | None, folder: Path, worker: Worker
) -> None:
    """Read, write elsewhere: reading gives the same before `invalidate_cache`, after it, and to a new store object.

    Kills: a cache whose reads are stale until it is invalidated (what PraisonAI's pages promised, #494).
    """
    store = store_type(folder)
    begin(store)
    read(store)
    other = rival(kind, worker, store_type, folder)
    assert other("add_message", "trip", "user", "theirs") is True
    without = read(store)
    store.invalidate_cache(what)
    assert read(store) == without == read(store_type(folder))


def begin(store: Store) -> None:
    """Write a session that every read finds."""
    store.set_agent_info("trip", agent_name="guide")
    store.set_gateway_info("trip", gateway_session_id="gate", agent_id="agent")
    store.add_message("trip", "user", "first")


@settings(max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(STEP, FORGET), min_size=10, max_size=20))
def test_program_answers_the_same_with_and_without_it(
    program: list[tuple[tuple[str, int, str], list[tuple[int, str | None]]]],
) -> None:
    """A program of two store objects gives the same answers and files wherever `invalidate_cache` is called.

    Kills: a cache whose reads are stale until it is invalidated; an `invalidate_cache` that writes.
    """
    assert play(program, forgetful=False) == play(program, forgetful=True)
