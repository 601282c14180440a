"""A run: workers over one place, a nemesis that kills them, and a judge who follows what they write down.

Sessions come in generations, so that none grows without end and histories are judged while the run goes on.
When nobody works on a generation any more, its sessions are written and read once more, judged, looked over for
litter, and deleted.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from readfresh import SessionStoreError, verify
from tests.proofs.processes.crew import Crew, Worker
from tests.proofs.processes.judge import judge
from tests.proofs.processes.linearizable import FOREVER
from tests.proofs.processes.log import History, Log, Refused, generation_of
from tests.proofs.processes.worker import MIXED_SESSIONS, SORTED_SESSIONS, Client, Clock, Plan, close
from tests.proofs.rung import Finding

QUIET_SECONDS = 30.0
"""When nobody has written anything for so long, the run hangs; it is more than a store's `lock_timeout`."""
SAMPLE = 50
"""Of so many waits one is kept, for the median."""


@dataclass(frozen=True)
class Aims:
    """What a run has to reach, all of it.

    Args:
        operations: so many calls.
        kills: so many workers killed, spread over the operations at random distances.
        crashes: so many kills of the server that the sessions are in, likewise.
        seconds: so long.
    """

    operations: int
    kills: int
    crashes: int = 0
    seconds: float = 0.0


@dataclass
class Figures:
    """What a run has counted.

    Args:
        operations: calls that were answered.
        kills: workers that were killed.
        crashes: kills of the server.
        in_doubt: calls that were cut off by a kill.
        refused: calls that ended with an error while the server was away.
        sessions: sessions whose histories were judged.
        longest_wait_ns: the longest time between a call and its answer.
        waits: some of those times, in nanoseconds.
    """

    operations: int = 0
    kills: int = 0
    crashes: int = 0
    in_doubt: int = 0
    refused: int = 0
    sessions: int = 0
    longest_wait_ns: int = 0
    waits: list[int] = field(default_factory=list)


class _Found(Exception):
    """The run has found something."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class Run:
    """A run; `go` is called once.

    Args:
        folder: an empty folder for what it needs.
        plan: what the workers do.
        aims: when it ends.
        workers: how many processes.
        generation: how many operations a generation of sessions has.
        crash: kills the server that the sessions are in, and starts it again; None for a place without one.
        told: is called with the figures after each generation that has been judged.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        aims: Aims,
        *,
        workers: int,
        generation: int = 800,
        crash: Callable[[], None] | None = None,
        told: Callable[[Figures], object] = lambda _: None,
    ) -> None:
        self.figures = Figures()
        self.histories: dict[str, History] = {}
        self._folder = folder
        self._plan = plan
        self._aims = aims
        self._count = workers
        self._size = generation
        self._crash = crash
        self._told = told
        self._random = random.Random(plan.seed)
        self._generation = 1
        self._judged = 0

    def go(self) -> Finding | None:
        """Run until the aims are reached, and return what was found first."""
        self._clock = Clock(self._plan.clock, create=True)
        try:
            with Crew(self._folder, self._plan, self._history) as self._crew:
                self._work()
        except _Found as found:
            return found.finding
        except SessionStoreError as error:  # met by the judge, whom nobody disturbs
            return Finding(f"a session that nobody uses any more cannot be looked over: {error}")
        finally:
            close(self._plan)
        return None

    def _history(self, session: str) -> History:
        return self.histories.setdefault(session, History(session))

    # The workers and the nemesis

    def _work(self) -> None:
        figures, aims = self.figures, self._aims
        ends = time.monotonic() + aims.seconds
        kill_at = self._next(aims.kills)
        crash_at = self._next(aims.crashes)
        generation_at = self._size
        self._clock.set(self._generation)
        for number in range(self._count):
            self._crew.start(number)
        while (
            figures.operations < aims.operations
            or figures.kills < aims.kills
            or figures.crashes < aims.crashes
            or time.monotonic() < ends
        ):
            self._hear()
            if figures.operations >= kill_at:
                self._kill(self._random.choice(self._crew.alive))
                kill_at = figures.operations + self._next(aims.kills)
            if self._crash and figures.operations >= crash_at:
                self._crash()
                figures.crashes += 1
                crash_at = figures.operations + self._next(aims.crashes)
            if figures.operations >= generation_at:
                self._generation += 1
                self._clock.set(self._generation)
                generation_at = figures.operations + self._size
            while self._judged + 1 < min(map(self._reached, self._crew.alive), default=0):
                self._settle(self._judged + 1)
        self._clock.set(0)
        while self._crew.alive:
            self._hear()
        while self._judged < self._generation:
            self._settle(self._judged + 1)

    def _next(self, times: int) -> int:
        """Return after how many operations something is to happen that happens so many times in a run."""
        return 1 + int(self._random.random() * 1.8 * self._aims.operations / (times + 1))

    def _reached(self, worker: Worker) -> int:
        """Return the generation before which the worker is through with all."""
        threads = self._plan.threads if worker.number == 0 else 1
        return min(worker.log.reached.get(thread, 0) for thread in range(threads))

    def _hear(self) -> None:
        heard = False
        for worker, data in self._crew.hear(QUIET_SECONDS):
            heard = True
            self._take(worker.log, data)
            if not data:
                self._end(worker.log, self._crew.reap(worker))
                if self._clock.read():
                    raise _Found(Finding(f"the worker {worker.name} has ended, and nobody had told it to"))
        if not heard:
            raise _Found(Finding(f"waiting-is-bounded: no call has been answered for {QUIET_SECONDS:.0f} s"))

    def _take(self, log: Log, data: bytes) -> None:
        for each in log.feed(data):
            if isinstance(each, Refused):
                if self._crash is None or not each.written:
                    raise _Found(Finding(f"{each.verb} of {each.session} by {each.client} raised {each.text}"))
                self.figures.refused += 1
                continue
            self.figures.operations += 1
            wait = each.returned - each.called
            self.figures.longest_wait_ns = max(self.figures.longest_wait_ns, wait)
            if self.figures.operations % SAMPLE == 0:
                self.figures.waits.append(wait)

    def _kill(self, worker: Worker) -> None:
        data, died = self._crew.kill(worker, self._random)
        self._take(worker.log, data)
        self._end(worker.log, died)
        self.figures.kills += 1
        self._crew.start(worker.number)

    def _end(self, log: Log, died: int) -> None:
        # A server may still be about to commit what a client had asked for that is dead.
        self.figures.in_doubt += log.end(FOREVER if self._crash else died)

    # The judge

    def _settle(self, generation: int) -> None:
        names = [f"g{generation}-{name}" for name in (*SORTED_SESSIONS, *MIXED_SESSIONS)]
        store = self._plan.store(True, generation)
        self._close(generation, names)
        for name in names:
            finding = judge(self.histories[name])
            if finding is not None:
                raise _Found(finding)
        self._look_over(store, generation, [self.histories[name] for name in names])
        self._delete(store, generation, [self.histories.pop(name) for name in names])
        self._judged = generation
        self.figures.sessions += len(names)
        self._told(self.figures)

    def _close(self, generation: int, names: list[str]) -> None:
        """Write and read each session with both stores, as one more client."""
        hears, out = os.pipe()
        with open(hears, "rb", buffering=0) as pipe, open(out, "wb", buffering=0):
            log = Log("judge", self._history)
            for hierarchical in (False, True):
                name = f"judge{generation}-{hierarchical}"
                client = Client(self._plan, name, int(hierarchical), out, hierarchical)
                client.use(self._plan.store(hierarchical, generation), generation)
                for session in names:
                    for verb in ("add", "read") if session[-1] in SORTED_SESSIONS else ("add", "look", "count"):
                        client.call(verb, session)
                        for each in log.feed(pipe.read(1 << 16)):
                            if isinstance(each, Refused):
                                raise _Found(
                                    Finding(f"{verb} of {session}, which nobody else uses, raised {each.text}")
                                )

    def _look_over(self, store: Any, generation: int, histories: list[History]) -> None:
        """Look for what a dead worker has left, other than the child that it was making."""
        allowed = {child for history in histories for child in history.doubtful}
        # The child of a session that was deleted is not listed by one that has its id since.
        allowed |= {child for history in histories if history.deleted for child in history.children}
        for found in verify(store):
            if generation_of(found.session_id) != generation:
                continue  # of a database, whose other sessions are in use
            if not (found.kind in ("litter", "unlisted-child") and found.session_id in allowed):
                raise _Found(Finding(f"verify finds {found.kind}: {found.what}"))
        if not self._plan.in_database:
            for path in Path(store.session_dir).glob("*.tmp"):
                if path.name.removesuffix(".json.tmp") not in allowed:
                    raise _Found(Finding(f"{path.name} is left, and the next writer has not removed it"))

    def _delete(self, store: Any, generation: int, histories: list[History]) -> None:
        if not self._plan.in_database:
            shutil.rmtree(self._plan.directory(generation))
            return
        for history in histories:
            for session in (history.session, *history.children, *history.doubtful):
                store.delete_session(session)
