"""A place with workers around it, and the two explorations: stop a call at each point, kill a call at each point."""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from readfresh.conformance.crew import Crew, Lane, Outcome, WorkerFailed
from readfresh.conformance.history import History
from readfresh.conformance.operations import EMPTY, Operation, State, contents

__all__ = [
    "RIVALS",
    "Arena",
    "Broken",
    "NotApplicable",
    "Race",
    "Run",
    "kills",
    "next_point",
    "races",
    "setting_of",
    "thinned",
]

# How long a call may take before the kit says that it waits for ever. The longest default that we met is 10 s.
PATIENCE_SECONDS = 15.0
# A rival that is not through by then is blocked by the worker that is stopped.
BLOCKED_SECONDS = 0.3
# A rival that has not come back from a call that may wait, such as the acquisition of a lock, is blocked by then.
WAITING_SECONDS = 0.02
# One whose thread the system has found asleep so many times in a row is blocked too; a slow one is awake.
LOOK_SECONDS = 0.008
LOOKS_ASLEEP = 7
POINTS = 100
# Of so many points in a row that are the same call at the same line, those in the midst are left out.
ALIKE = 5
RIVALS = {"thread": "two threads of one process", "process": "two processes"}


READ = Operation("get_chat_history", (), lambda state: state)
Making = Callable[["Arena", str, History], Operation]


class Broken(Exception):
    """A guarantee is broken, and this history shows it."""

    def __init__(self, verdict: str, history: History) -> None:
        super().__init__(verdict)
        history.verdict = verdict
        self.history = history


class NotApplicable(Exception):
    """A guarantee says nothing about this store; the text says why."""


@dataclass
class Run:
    """What the checks of one run share.

    Args:
        crew: the processes.
        folder: a directory of the run's own.
        methods: the methods that the store has.
        extras: what else the factory can do.
        patience: how long a call may take, in seconds.
        appends: how many messages each of two processes adds at once.
        memory: what one check has found and another one uses.
    """

    crew: Crew
    folder: Path
    methods: frozenset[str] = frozenset()
    extras: frozenset[str] = frozenset()
    patience: float = PATIENCE_SECONDS
    appends: int = 200
    memory: dict[str, Any] = field(default_factory=dict)
    schedules: int = 0
    kills: int = 0
    _lanes: tuple[Lane, Lane, Lane, Lane] | None = None

    def arena(self) -> Arena:
        """Return a fresh place, with the workers' stores opened on it."""
        if self._lanes is None:
            first = self.crew.fork()
            self._lanes = (first, first.beside(), self.crew.fork(), self.crew.fork())
        return Arena(self, *self._lanes)

    def forget_workers(self) -> None:
        """End the workers: the next arena gets new ones."""
        for lane in self._lanes or ():
            lane.end()
        self._lanes = None


class Arena:
    """A place, and the workers: A, a rival in another thread of A's process and one in another process, and a judge.

    The judge opens a new store object for each look, so that no cache of anybody stands between it and the data.
    """

    def __init__(self, run: Run, a: Lane, thread: Lane, process: Lane, judge: Lane) -> None:
        self.run = run
        self.a = a
        self.rivals = {"thread": thread, "process": process}
        self.judge = judge
        self._numbers = itertools.count(1)
        self.move()

    def move(self) -> None:
        """Go to a place that is empty; the store objects of the workers are opened there."""
        self.sandbox = self.run.folder / uuid.uuid4().hex[:12]
        self.place = self.sandbox / f"rf{uuid.uuid4().hex[:12]}"
        self.place.mkdir(parents=True)
        for lane in (self.a, *self.rivals.values()):
            self.open(lane)

    def open(self, lane: Lane) -> None:
        """Open a new store object in a lane.

        Raises:
            WorkerFailed: the factory raised.
        """
        lane.tell("open", place=str(self.place), folder=str(self.sandbox))
        ended = lane.outcome(max(60.0, self.run.patience))
        if ended.kind != "returned":
            raise WorkerFailed(f"the factory: {ended}")
        process, thread = ended.value["thread"]
        lane.thread = process, thread

    def session(self) -> str:
        """Return the id of a session that does not exist yet."""
        return f"s{next(self._numbers)}"

    def call(self, lane: Lane, verb: str, *args: Any, **options: Any) -> Outcome:
        """Call a method of a lane's store, and wait until it has ended."""
        lane.tell("call", verb=verb, args=args, options=options)
        return lane.outcome(self.run.patience)

    def must(self, lane: Lane, verb: str, *args: Any, **options: Any) -> Any:
        """Call a method that has nothing in its way, and return what it returns.

        Raises:
            WorkerFailed: it raised, or said False where it was to change something.
        """
        ended = self.call(lane, verb, *args, **options)
        if ended.kind != "returned":
            raise WorkerFailed(f"{verb} raised with nothing in its way: {ended} ({ended.where})")
        return ended.value

    def apply(self, lane: Lane, session: str, operation: Operation) -> Outcome:
        """Do an operation."""
        return self.call(lane, operation.verb, operation.on or session, *operation.args, **operation.options)

    def begin(self, session: str, operations: tuple[Operation, ...], history: History) -> State:
        """Do operations with nothing in their way, as worker A, and return what the session is then."""
        state = EMPTY
        for operation in operations:
            if self.must(self.a, operation.verb, session, *operation.args, **operation.options) is False:
                raise WorkerFailed(f"{operation} with nothing in its way: False")
            history.calls("A", str(operation))
            history.answers("A", True)
            state = operation.after(state)
        return state

    def look(self, lane: Lane, session: str, *, with_field: bool = False) -> State | Outcome:
        """Return the session as a lane's store gives it; the outcome when it gives none."""
        ended = self.call(lane, "get_chat_history", session)
        if ended.kind != "returned":
            return ended
        mood = None
        if with_field:
            got = self.call(lane, "get_session", session)
            if got.kind != "returned":
                return got
            mood = field_of(got.value, "mood")
        return State(contents(ended.value), mood)

    def truth(self, session: str, *, with_field: bool = False) -> State | Outcome:
        """Return the session as a store object gives it that has been opened this moment in another process."""
        self.open(self.judge)
        return self.look(self.judge, session, with_field=with_field)

    def times(self) -> dict[Path, int]:
        """Return the times of the files below the place."""
        return {path: path.stat().st_mtime_ns for path in self.place.rglob("*")}

    def set_times(self, times: dict[Path, int]) -> bool:
        """Set the times back, as a coarse clock would have left them; return whether any differed."""
        changed = False
        for path, nanoseconds in times.items():
            if path.exists() and path.stat().st_mtime_ns != nanoseconds:
                os.utime(path, ns=(nanoseconds, nanoseconds))
                changed |= path.is_file()
        return changed

    def start(self, lane: Lane, session: str, operation: Operation, **order: Any) -> None:
        """Start an operation, watched, and do not wait."""
        lane.tell(
            "call",
            verb=operation.verb,
            args=[operation.on or session, *operation.args],
            options=dict(operation.options),
            watched=True,
            **order,
        )

    def settle(self, lane: Lane, *, look: bool = True) -> bool:
        """Wait until a rival's call has ended or is blocked; return whether it is blocked. Its end is still to hear.

        Args:
            lane: the rival's.
            look: whether the call is blocked where its thread sleeps; not where it is made in another thread.
        """
        end = time.monotonic() + BLOCKED_SECONDS
        until, asleep = end, 0
        while True:
            left = min(until, end) - time.monotonic()
            answer = lane.hear(max(0.0, min(left, LOOK_SECONDS)))
            if "hung" in answer and left > LOOK_SECONDS:
                asleep = asleep + 1 if look and lane.sleeps() else 0
                if asleep < LOOKS_ASLEEP:
                    continue
            if "hung" in answer or answer.get("waiting") == "sleep":  # whoever sleeps polls for something
                return True
            if "waiting" not in answer:
                lane.put_back(answer)
                return False
            until = time.monotonic() + WAITING_SECONDS if answer["waiting"] else end


@dataclass
class Race:
    """One schedule: A's call was stopped at a point, B's call was made, A went on."""

    session: str
    state: State
    stopped: str
    blocked: bool
    a: Outcome
    b: Outcome
    history: History


def races(
    arena: Arena,
    rival: str,
    before: tuple[Operation, ...],
    one: Operation | Making,
    two: Operation | Making,
    *,
    warm: bool = False,
) -> Iterator[Race]:
    """Stop operation `one` of worker A at each of its points, let worker B do `two`, and let A go on.

    Where B is blocked, A goes on first, and the next point is the first one after something has been let go.

    Args:
        arena: the place and the workers.
        rival: where worker B is, a key of `RIVALS`.
        before: what the session is made of.
        one: what A does; a function makes it, and what it takes, for each session.
        two: what B does; a reading verb too.
        warm: whether B reads the session before.
    """
    b = arena.rivals[rival]
    lines = rival == "thread"
    session = arena.session()
    arena.begin(session, before, History())
    points = thinned(_points(arena, session, _made(one, arena, session, History()), lines=lines))
    at = 0
    while at < len(points):
        number, _ = points[at]
        session, history = arena.session(), History(setting_of(rival))
        state = arena.begin(session, before, history)
        if warm:
            history.calls("B", "get_chat_history()")
            history.answers("B", arena.look(b, session))
        first = _made(one, arena, session, history)
        arena.start(arena.a, session, first, lines=lines, stop=number)
        history.calls("A", str(first))
        answer = arena.a.hear(arena.run.patience)
        if "stopped" not in answer:  # this time it had fewer points
            return
        history.does("A", f"is stopped {answer['stopped']}")
        second = _made(two, arena, session, History())
        arena.start(b, session, second, rival=True)
        history.calls("B", str(second))
        blocked = arena.settle(b)
        if blocked:
            history.does("B", "waits")
        else:
            ended_b = b.outcome(0)
            history.answers("B", _told(second, ended_b))
        arena.a.tell("go")
        ended_a = arena.a.outcome(arena.run.patience)
        history.answers("A", ended_a)
        if blocked:
            ended_b = b.outcome(arena.run.patience)
            history.answers("B", _told(second, ended_b))
        arena.run.schedules += 1
        if "hung" in (ended_a.kind, ended_b.kind):
            arena.run.forget_workers()
            raise Broken(f"a call has not ended after {arena.run.patience:g} s", history)
        yield Race(session, state, answer["stopped"], blocked, ended_a, ended_b, history)
        at = next_point(points, at, blocked=blocked)


def kills(
    arena: Arena, before: tuple[Operation, ...], one: Operation | Making
) -> Iterator[tuple[str, State, bool, History]]:
    """Kill a worker with SIGKILL at each point of an operation, and once after it has returned.

    Yields the session, what it was before, whether the operation has returned, and the history.
    """
    session = arena.session()
    arena.begin(session, before, History())
    points = _points(arena, session, _made(one, arena, session, History()))
    for number in [*(number for number, _ in thinned(points)), None]:
        session, history = arena.session(), History("Worker A and worker B are two processes")
        try:
            state = arena.begin(session, before, history)
        except WorkerFailed:  # the last kill has damaged what all sessions of this store share
            arena.move()
            history = History(history.setting)
            state = arena.begin(session, before, history)
        last = _made(one, arena, session, history)
        victim = arena.run.crew.fork()
        arena.open(victim)
        arena.start(victim, session, last, die="returned" if number is None else number)
        history.calls("A", str(last))
        ended = victim.outcome(arena.run.patience)
        victim.end()
        arena.run.kills += 1
        if number is None or ended.kind != "died":  # it had fewer points this time
            history.answers("A", ended)
        history.does("A", "is killed" if number is None else f"is killed {points[number][0]}")
        yield session, state, ended.done, history


def _points(arena: Arena, session: str, one: Operation, *, lines: bool = False) -> list[tuple[str, bool]]:
    """Do an operation with nothing in its way, and return the points that it goes through."""
    arena.start(arena.a, session, one, lines=lines)
    ended = arena.a.outcome(arena.run.patience)
    if not ended.done:
        raise WorkerFailed(f"{one} with nothing in its way: {ended}")
    return ended.points


def _made(one: Operation | Making, arena: Arena, session: str, history: History) -> Operation:
    return one if isinstance(one, Operation) else one(arena, session, history)


def field_of(session: Any, name: str) -> Any:
    """Return a metadata field of a session as any store may give it: an attribute, or in `metadata`."""
    if not isinstance(session, dict):
        return None
    metadata = session.get("metadata")
    if isinstance(metadata, dict) and name in metadata:
        return metadata[name]
    return session.get(name)


def thinned(points: list[tuple[str, bool]]) -> list[tuple[int, bool]]:
    """Return the numbers of the points to try: contacts and first points after a release before lines."""
    numbered = [(number, points[number][1]) for number in _unlike(points)]
    if len(numbered) <= POINTS:
        return numbered
    kept = {n for n, released in numbered if released or " in " in points[n][0]}  # a contact is named with its place
    lines = [n for n, _ in numbered if n not in kept]
    room = max(POINTS - len(kept), 10)
    kept |= set(lines[:: max(1, len(lines) // room)])
    return [each for each in numbered if each[0] in kept]


def next_point(points: list[tuple[int, bool]], at: int, *, blocked: bool) -> int:
    """Return the place of the next point to try: after a rival was blocked, one where something has been let go."""
    after = range(at + 1, len(points))
    return next((later for later in after if points[later][1] or not blocked), len(points))


def _unlike(points: list[tuple[str, bool]]) -> Iterator[int]:
    """Give the numbers of the points; of a long row of the same ones, the first two, the middle and the last."""
    for _, row in itertools.groupby(range(len(points)), key=lambda number: points[number]):
        alike = list(row)
        yield from alike if len(alike) <= ALIKE else (*alike[:2], alike[len(alike) // 2], alike[-1])


def setting_of(rival: str) -> str:
    """Return the first line of a history: who the workers are."""
    return f"Worker A and worker B are {RIVALS[rival]}, each with a store object"


def _told(operation: Operation, ended: Outcome) -> object:
    if operation.verb == "get_chat_history" and ended.kind == "returned":
        return State(contents(ended.value))
    return ended
