"""All schedules of threads with a bounded number of preemptions (Musuvathi and Qadeer, PLDI 2007).

1. One thread runs at a time. Where it comes to a point (see `taps`), it says what it is about to do and whether it can;
   then one of those who can go on does.
2. To take another one than the thread that runs, although that could go on, is a preemption. Where it cannot, since it
   waits or has ended, taking any of the others is free.
3. Every schedule without a preemption comes first, then every one with one, and so on: the first that shows something
   has as few as possible.
4. A schedule is the list of its choices. The same list runs the same schedule again.
"""

from __future__ import annotations

import threading
from _thread import allocate_lock  # `taps` puts another one in the place of `threading.Lock`
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 20.0  # a thread that comes to no point for so long waits for something that nobody sees
MANY_POINTS = 5_000  # a schedule with more of them goes round in circles
MANY_ALARMS = 10  # how often time passes for those who sleep while nobody else can go on

Plan = tuple[int, ...]


class Stopped(BaseException):
    """The schedule has been given up: the thread unwinds."""


@dataclass(frozen=True)
class Choice:
    """A point at which more than one thread could go on.

    Args:
        able: the numbers of those who could.
        taken: who did.
        free: whether the thread that had run could not, so that taking anyone was no preemption.
        preempts: whether it could, and another one was taken.
    """

    able: tuple[int, ...]
    taken: int
    free: bool
    preempts: bool


@dataclass
class Client:
    """A thread of a schedule.

    Args:
        number: its number, from 0.
        what: what it is about to do.
        ready: whether it can do it now; None when nothing keeps it from it.
        arrived: whether it has come to its first point, where it waits for the first choice.
        sleeps: whether it waits for time to pass, and not for something that it can name.
    """

    number: int
    what: str = "begin"
    ready: Callable[[], bool] | None = None
    arrived: bool = False
    sleeps: bool = False
    ended: bool = False
    unwinds: bool = False
    seen: int = 0
    turn: Any = field(default_factory=allocate_lock)

    @property
    def able(self) -> bool:
        """Whether it can go on."""
        return not self.ended and (self.ready is None or self.ready())

    @property
    def waits(self) -> str:
        """What it waits for, for a reader."""
        return f"client {self.number} {'polls in vain' if self.sleeps else f'waits to {self.what}'}"


class Schedule:
    """One schedule.

    Args:
        bodies: what the threads do.
        plan: the first choices; after them whoever runs goes on for as long as it can.
    """

    def __init__(self, bodies: Sequence[Callable[[], object]], plan: Plan = ()) -> None:
        self.choices: list[Choice] = []
        self.points: list[tuple[int, str]] = []
        self.wrong = ""
        self.over = False
        self._bodies = bodies
        self._plan = plan
        self._let_go = 0
        self._alarms = 0
        self._arrival, self._finished = allocate_lock(), allocate_lock()
        self._clients = [Client(number) for number in range(len(bodies))]
        for lock in self._locks():
            lock.acquire()

    def run(self) -> None:
        """Run the threads to their end, and leave in `wrong` what kept them from it."""
        threads = [
            threading.Thread(target=self._live, args=pair, daemon=True)
            for pair in zip(self._clients, self._bodies, strict=True)
        ]
        for thread in threads:
            thread.start()
            self._await(self._arrival)
            if self.over:
                break
        else:
            self._take_next(None)
            self._await(self._finished)
        for thread in threads:
            if thread.ident:
                thread.join(PATIENCE_SECONDS)

    def reach(
        self, client: Client, what: str, ready: Callable[[], bool] | None = None, *, sleeps: bool = False
    ) -> None:
        """Stop at a point, and return when its thread, which calls this, is chosen.

        Raises:
            Stopped: the schedule is given up; once, so that the thread can close what it has open.
        """
        if client.unwinds:
            return
        client.what, client.ready, client.sleeps = what, ready, sleeps
        if not self.over:
            arrives, client.arrived = not client.arrived, True
            if arrives:
                self._arrival.release()
            if arrives or self._take_next(client) is not client:
                client.turn.acquire()
        if self.over:
            client.unwinds = True
            raise Stopped
        self.points.append((client.number, what))
        if len(self.points) > MANY_POINTS:
            self._give_up(f"it has not ended after {MANY_POINTS} operations")

    def poll(self, client: Client) -> None:
        """Return when somebody else has let something go since the client woke up last, or when nobody can go on."""
        self.reach(client, "poll", lambda: self._let_go > client.seen, sleeps=True)
        client.seen = self._let_go

    def lets_go(self, client: Client) -> None:
        """Tell those who sleep that they may try again, when the operation has been made."""
        self._let_go += 1
        client.seen += 1

    def _live(self, client: Client, body: Callable[[], object]) -> None:
        _here.at = self, client
        try:
            body()
        except Stopped:
            pass
        except BaseException as error:
            self._give_up(f"raises {type(error).__name__}: {error}")
        client.ended = True
        if not self.over:
            if client.arrived:
                self._take_next(client)
            else:
                self._arrival.release()

    def _await(self, lock: Any) -> None:
        if not lock.acquire(timeout=PATIENCE_SECONDS):
            self._give_up("a client waits for something that is no point")

    def _take_next(self, running: Client | None) -> Client | None:
        """Choose who goes on, and let it if that is another one."""
        able = [client for client in self._clients if client.able] or self._woken()
        if not able:
            waiting = [client.waits for client in self._clients if not client.ended]
            if waiting:
                self._give_up(f"deadlock: {', '.join(waiting)}")
            else:
                self._finished.release()
            return None
        stays = running in able
        chosen = running if running is not None and stays else able[0]
        if len(able) > 1:
            depth = len(self.choices)
            if depth < len(self._plan):
                chosen = self._clients[self._plan[depth]]
                if chosen not in able:
                    self._give_up("it is not the same when it is run again")
                    return None
            preempts = stays and chosen is not running
            self.choices.append(Choice(tuple(client.number for client in able), chosen.number, not stays, preempts))
        if chosen is not running:
            chosen.turn.release()
        return chosen

    def _woken(self) -> list[Client]:
        """Let time pass; not for ever, since those who poll may never get what they want."""
        sleepers = [client for client in self._clients if client.sleeps and not client.ended]
        self._alarms += 1
        if self._alarms > MANY_ALARMS:
            return []
        for client in sleepers:
            client.ready = None
        return sleepers

    def _give_up(self, wrong: str) -> None:
        self.wrong = self.wrong or wrong
        self.over = True
        for lock in self._locks():
            if lock.locked():
                lock.release()

    def _locks(self) -> list[Any]:
        return [self._arrival, self._finished, *(client.turn for client in self._clients)]


_here = threading.local()  # .at: the schedule and the client that a thread is


def current() -> tuple[Schedule, Client] | None:
    """Return the schedule that this thread is a client of, and the client; None for any other thread."""
    return getattr(_here, "at", None)


def explore(begin: Callable[[], Sequence[Callable[[], object]]], preemptions: int) -> Iterator[Schedule]:
    """Yield every schedule with at most so many preemptions, each run to its end, those with fewer first.

    Args:
        begin: makes the world anew, and returns what the threads do.
        preemptions: the bound.
    """
    waiting: list[list[Plan]] = [[()], *([] for _ in range(preemptions))]
    for spent, plans in enumerate(waiting):
        while plans:
            plan = plans.pop()
            schedule = Schedule(begin(), plan)
            schedule.run()
            yield schedule
            taken = tuple(choice.taken for choice in schedule.choices)
            for depth in range(len(plan), len(taken)):
                choice = schedule.choices[depth]
                cost = spent + (0 if choice.free else 1)
                if cost <= preemptions:
                    waiting[cost].extend((*taken[:depth], other) for other in choice.able if other != choice.taken)
