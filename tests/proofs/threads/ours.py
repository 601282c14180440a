"""Our stores as clients, and what must hold at the end of each schedule.

What the verbs are to do, and which answers and files that allows, is what the rung `orders` says too (its `spec` and
`judge`): it is written without locks, files and threads, so no fault of theirs hides in it.

Three settings: clients as `processes`, each with a disk and with locks among threads of its own, so that flock(2) alone
keeps them apart; as `threads` of one process, with a store object each; and as threads that `share` one store object.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from readfresh import DefaultSessionStore, HierarchicalSessionStore, disk, files
from readfresh.pins import close_all
from tests.proofs.orders.clients import Store, perform
from tests.proofs.orders.judge import is_allowed, litter_in, sessions_in
from tests.proofs.orders.programs import Place, Program, calls_of, worlds
from tests.proofs.orders.spec import Call, World
from tests.proofs.rung import Finding
from tests.proofs.threads.explorer import Client, Schedule, current, explore
from tests.proofs.threads.taps import REAL, Watched, watching
from tests.proofs.threads.told import lines, mermaid

Setting = Literal["processes", "threads", "share"]


@dataclass
class Count:
    """What was tried."""

    programs: int = 0
    schedules: int = 0
    operations: int = 0


@dataclass
class Made:
    """A call that was made: when it began, and its answer and when it returned, once it has."""

    call: Call
    began: int
    answer: str | None = None
    returned: int | None = None


class Run:
    """The world of one schedule: stores on a directory that was put back, and the calls that were made."""

    def __init__(self, program: Program, setting: Setting, place: Place) -> None:
        place.reset()
        self.made: list[Made] = []
        self._moments = itertools.count()
        self._calling: dict[int, Call] = {}
        self._calls = calls_of(program)
        self._stores = self._open(program, setting, str(place.directory))

    def bodies(self) -> list[Callable[[], None]]:
        """Return what the threads do."""
        return [partial(self._call_all, *pair) for pair in zip(self._stores, self._calls, strict=True)]

    def before(self) -> frozenset[tuple[int, int]]:
        """Return the pairs of calls of which one had returned when the other began."""
        return frozenset(
            (one, other)
            for one, first in enumerate(self.made)
            for other, second in enumerate(self.made)
            if first.returned is not None and first.returned < second.began
        )

    def _open(self, program: Program, setting: Setting, directory: str) -> list[Store]:
        def store(extended: bool, own: disk.Disk) -> Store:
            kind: Any = HierarchicalSessionStore if extended else DefaultSessionStore
            files._flushed[own] = {directory}  # as one has it that has written there before
            opened: Store = kind(directory, disk=own, now=lambda: self._now().time, new_id=lambda: self._now().new_id)
            return opened

        one = disk.Disk()
        if setting == "share":
            return [store(program[0][0], one)] * len(program)
        return [store(extended, disk.Disk() if setting == "processes" else one) for extended, _ in program]

    def _now(self) -> Call:
        return self._calling[_this_client()[1].number]

    def _call_all(self, store: Store, calls: Sequence[Call]) -> None:
        schedule, client = _this_client()
        for call in calls:
            schedule.reach(client, f"call {call.verb}")
            self._calling[client.number] = call
            made = Made(call, next(self._moments))
            self.made.append(made)
            answer = perform(store, call)
            schedule.reach(client, f"return {answer}")
            made.answer, made.returned = answer, next(self._moments)


def check(
    program: Program, setting: Setting, world: str, folder: Path, preemptions: int, count: Count
) -> Finding | None:
    """Run every schedule of a program in a world; return the first thing that is wrong."""
    start = worlds()[world]
    place = Place(folder / world, start)
    judge = Judge(start, place.directory)
    runs: list[Run] = []

    def begin() -> list[Callable[[], None]]:
        runs[:] = [Run(program, setting, place)]
        return runs[0].bodies()

    count.programs += 1
    with watching(str(place.directory)) as watched, _thread_locks(setting):
        for schedule in explore(begin, preemptions):
            count.schedules += 1
            count.operations += len(schedule.points)
            wrong = schedule.wrong or judge.wrong(runs[0], watched)
            if wrong:
                return Finding(wrong, tuple(lines(schedule)), mermaid(schedule, wrong))
    return None


class Judge:
    """Judges the schedules of one program, all of which begin in one world."""

    def __init__(self, start: World, directory: Path) -> None:
        self._start = start
        self._directory = directory
        self._allowed: dict[object, bool] = {}

    def wrong(self, run: Run, watched: Watched) -> str:
        """Return what is wrong; an empty text when nothing is."""
        close_all()  # what the stores keep
        if watched.open:
            return f"still open: {', '.join(watched.open.values())}"
        if any(each.lock.locked() for each in list(disk._thread_locks.values())):
            return "a lock among threads is still held"
        if litter := litter_in(self._directory):
            return f"left behind: {', '.join(litter)}"
        try:
            end = sessions_in(self._directory)
        except ValueError as error:
            return f"a session's file is no JSON: {error}"
        calls, answers = [made.call for made in run.made], [made.answer for made in run.made]
        key = (tuple(calls), tuple(answers), run.before(), end.key())
        if key not in self._allowed:
            self._allowed[key] = is_allowed(self._start, calls, answers, run.before(), end)
        return "" if self._allowed[key] else "no order of the calls gives these answers and these files"


@contextmanager
def _thread_locks(setting: Setting) -> Iterator[None]:
    """Give each client locks among threads of its own, where clients stand for processes."""
    if setting != "processes":
        yield
        return
    own: dict[tuple[int, str], disk._ThreadLock] = {}

    def lock_of(path: str) -> disk._ThreadLock:
        key = _this_client()[1].number, path
        if key not in own:
            own[key] = disk._ThreadLock()
            own[key].lock = REAL["threading.Lock"]()  # nobody else can hold it, so it is no point
        return own[key]

    real, disk._thread_lock = disk._thread_lock, lock_of
    try:
        yield
    finally:
        disk._thread_lock = real


def _this_client() -> tuple[Schedule, Client]:
    here = current()
    assert here, "a store is called by a client's thread"
    return here
