"""Every order of clients at the seam is one that the specification allows, and the means to say so are sound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from readfresh import WriteFailed
from readfresh.disk import Disk
from tests.full_grid import FULL_GRID
from tests.pageproof import diagram
from tests.pageproof.scan import Block
from tests.proofs.figures import prove
from tests.proofs.orders.clients import Client, Inodes, open_store, seamed
from tests.proofs.orders.explorer import Explored, explore
from tests.proofs.orders.judge import sessions_in
from tests.proofs.orders.parts import LONG_ONES, MIXTURES, PARTS
from tests.proofs.orders.programs import (
    CLASSES,
    PLAIN_VERBS,
    VERBS,
    Place,
    Program,
    calls_of,
    check,
    traces,
    worlds,
)
from tests.proofs.rung import Part
from tests.sabotage.faults import all_faults
from tests.store.support import LONG
from tests.store.support import VERBS as EVERY_VERB

LONGER = r"orders-(pairs-twice-1|(triples|pairs-twice|killed)-[2-5])"
QUICK = tuple(part for part in PARTS if not re.fullmatch(LONGER, part.key))
"""A share of the longer programs stands for all in the run for people; `FULL_GRID=1`, as in .ci/run, takes all."""

EVERY = (*(PARTS if FULL_GRID or LONG else QUICK), *((*MIXTURES, *LONG_ONES) if LONG else ()))


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.key)
def test_every_order_is_allowed(part: Part, memory_path: Path, pytestconfig: pytest.Config) -> None:
    """Each order ends as some order of the calls' atomic sections does, with nothing held, open or left behind."""
    prove(part, memory_path, pytestconfig)


def test_every_verb_takes_part() -> None:
    """No public verb of the stores is left out."""
    assert list(VERBS) == [verb.name for verb in EVERY_VERB]
    assert list(PLAIN_VERBS) == [verb.name for verb in EVERY_VERB if not verb.hierarchical]


def test_verbs_of_a_class_have_the_same_trace(memory_path: Path) -> None:
    """What stands for a class does at the seam what each of the class does, in each world and store."""
    found: dict[tuple[str, ...], set[str]] = {}
    for verb in VERBS:
        for extended in (False, True) if verb in PLAIN_VERBS else (True,):
            trace = tuple(" ".join(_shape(traces(verb, extended, world, memory_path))) for world in worlds())
            found.setdefault(trace, set()).add(verb)
    classes = [{name, *others} for name, others in CLASSES.items()]
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, [*classes, {"invalidate_cache"}]))


def _shape(steps: Sequence[tuple[str, str]]) -> list[str]:
    """Return a trace with its sessions numbered in the order in which they come.

    The look at a file that has been read, to keep it, is left out: it touches what the read has touched, under the
    same lock, and is not made where there was no file.
    """
    numbers: dict[str, int] = {}
    shape = []
    before = ("", "")
    for name, path in steps:
        session, dot, kind = Path(path).name.partition(".")
        looked, before = before == ("read", path) and name == "version", (name, path)
        if name not in ("call", "return") and not looked:
            shape.append(f"{name} {numbers.setdefault(session, len(numbers))}.{kind}" if dot else name)
    return shape


SMALL: tuple[Program, ...] = (
    ((False, ("session_exists",)),) * 3,
    ((True, ("session_exists", "session_exists")),) * 2,
    ((True, ("get_session",)), (False, ("get_session",))),
    ((True, ("get_session",)), (False, ("session_exists", "session_exists"))),
    ((False, ("session_exists",)), (True, ("add_message",))),
    ((False, ("session_exists",)), (True, ("delete_session",))),
    ((False, ("session_exists",)), (True, ("get_children",))),
)


@pytest.mark.parametrize("world", worlds())
@pytest.mark.parametrize("program", SMALL, ids=lambda program: " beside ".join("+".join(verbs) for _, verbs in program))
def test_reduction_leaves_nothing_out(program: Program, world: str, memory_path: Path) -> None:
    """Of a small program, the orders that are run show all that plain enumeration shows, each once.

    Two orders show the same when each step has happened after the same steps of the others.
    """
    reduced, orders = _shown(program, world, memory_path, reduce=True)
    plain, every = _shown(program, world, memory_path, reduce=False)
    assert reduced == plain
    assert orders == len(plain) <= every


def _shown(program: Program, world: str, folder: Path, *, reduce: bool) -> tuple[set[object], int]:
    start = worlds()[world]
    place = Place(folder / world, start)
    calls = calls_of(program)

    def begin(hub: object) -> list[Client]:
        place.reset()
        clients = [Client("ABC"[number], each) for number, each in enumerate(calls)]
        inodes = Inodes(clients)
        for client in clients:
            client.start(lambda one: open_store(one, place.directory, inodes), hub)
        return clients

    shown: set[object] = set()
    done = Explored()
    with seamed():
        for order in explore(begin, done, reduce=reduce):
            answers = tuple(tuple(client.answers) for client in order.clients)
            after = tuple(sorted((event.client, event.position, event.clock) for event in order.events))
            shown.add((after, answers, sessions_in(place.directory).key()))
    return shown, done.orders


APPENDS: Program = ((True, ("add_message",)), (True, ("add_message",)))


def test_two_appends_have_four_orders(memory_path: Path) -> None:
    """One after the other, the other way round, and at once with either first at the lock; twice each, 44."""
    done, longer = Explored(), Explored()
    assert check(APPENDS, "there", memory_path, done).wrong == ""
    assert check(tuple((kind, verbs * 2) for kind, verbs in APPENDS), "there", memory_path, longer).wrong == ""
    assert (done.orders, longer.orders) == (4, 44)


def test_a_lost_update_is_found_and_drawn(memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its lock a store loses one of two appends; the finding names the verbs and its diagram can be drawn."""
    _apply("no-lock", monkeypatch)
    ran = PARTS[0].run(memory_path)
    assert ran.finding is not None
    assert "no order of the calls" in ran.finding.what
    assert "calls add_message" in "\n".join(ran.finding.history)
    diagram.check(Block("finding", 1, "mermaid", {}, ran.finding.mermaid + "\n", "finding", 1, 0))


def test_a_deadlock_is_found(memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes a second lock while it holds one is stuck in some order."""
    from readfresh.files import SessionFiles

    original = SessionFiles.update

    def update(self: SessionFiles[Any], session_id: str, change: Any, **how: bool) -> bool:
        other = {"trip": "child", "child": "trip"}[session_id]
        with self._locked(other, WriteFailed):
            return original(self, session_id, change, **how)

    monkeypatch.setattr(SessionFiles, "update", update)
    monkeypatch.setitem(VERBS, "set_title", ["child", "Porto"])
    program: Program = ((True, ("add_message",)), (True, ("set_title",)))
    assert check(program, "there", memory_path, Explored()).wrong.startswith("deadlock: A and B")


def test_what_a_client_leaves_is_found(memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A descriptor that stays open, a lock that stays held, a temporary file that nobody sweeps."""
    one: Program = ((False, ("add_message",)),)
    with monkeypatch.context() as patched:
        patched.setattr(Disk, "close", lambda _self, _descriptor: None)
        patched.setattr("tests.proofs.orders.clients.ScheduledDisk.close", lambda _self, _descriptor: None)
        assert check(one, "there", memory_path, Explored()).wrong == "A has returned, and still has a file open"
    with monkeypatch.context() as patched:
        patched.setattr("tests.proofs.orders.clients._BareLock.release", lambda _self: None)
        assert check(one, "there", memory_path, Explored()).wrong == "A has returned, and still holds a lock"
    with monkeypatch.context() as patched:
        patched.setattr("readfresh.files.SessionFiles._remove_litter", lambda _self, _path: None)
        found = [check(one, "there", memory_path, Explored(), killed=(0, step)).wrong for step in range(15)]
        assert "the next writer of 'trip' is held up" in "".join(found)


def test_a_program_is_told_once(memory_path: Path) -> None:
    """What a run counts is the same when it is run again."""
    first, second = PARTS[0].run(memory_path / "1"), PARTS[0].run(memory_path / "2")
    assert first == second


def _apply(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a fault of the disk in, for this test."""
    monkeypatch.setattr(Disk, "lock", Disk.lock)
    all_faults()[fault].apply()
