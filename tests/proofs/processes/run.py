"""A run: workers over one place, a nemesis that kills them, and a judge who follows what they write down.

Sessions come in generations, so that none grows without end and a history can be judged while the run goes on:
when nobody works on a generation any more, its sessions are written once more, read, judged, and deleted.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from readfresh import SessionStoreError, verify
from tests.proofs.processes.judge import judge
from tests.proofs.processes.linearizable import FOREVER, Operation
from tests.proofs.processes.log import History, Log, Refused, generation_of
from tests.proofs.processes.worker import (
    MIXED_SESSIONS,
    SORTED_SESSIONS,
    Client,
    Clock,
    Plan,
    as_json,
    close,
)
from tests.proofs.rung import Finding
from tests.store.support import ROOT

PIPE_BYTES = 1 << 20
QUIET_SECONDS = 30.0
"""When nobody has written anything for so long, the run hangs."""


@dataclass
class Figures:
    """What a run has counted."""

    operations: int = 0
    kills: int = 0
    crashes: int = 0
    in_doubt: int = 0
    refused: int = 0
    sessions: int = 0
    generations: int = 0
    longest_wait_ns: int = 0
    waits: list[int] = field(default_factory=list)  # a sample


class Wrong(Exception):
    """The run has found something."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class Worker:
    """A worker as the run sees it: its process and its log."""

    def __init__(self, name: str, number: int, process: int, pipe: int, log: Log) -> None:
        self.name = name
        self.number = number
        self.process = process
        self.pipe = pipe
        self.log = log


class Run:
    """A run; `go` is called once.

    Args:
        folder: an empty folder for what it needs.
        plan: what the workers do.
        workers: how many processes.
        operations: at least so many; a run ends when all its aims are reached.
        kills: at least so many processes are killed.
        seconds: at least so long.
        generation: how many operations until the sessions are changed.
        crash: kills the server that the sessions are in, and starts it again; None for a place without one.
        crashes: at least so many times.
        told: is called with the figures after each generation that has been judged.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        *,
        workers: int = 6,
        operations: int,
        kills: int,
        seconds: float = 0,
        generation: int = 800,
        crash: Callable[[], None] | None = None,
        crashes: int = 0,
        told: Callable[[Figures], object] = lambda _: None,
    ) -> None:
        self.figures = Figures()
        self._folder = folder
        self._plan = plan
        self._workers_wanted = workers
        self._operations = operations
        self._kills = kills
        self._seconds = seconds
        self._generation_size = generation
        self._crash = crash
        self._crashes = crashes
        self._told = told
        self._random = random.Random(plan.seed)
        self.histories: dict[str, History] = {}
        self._workers: dict[int, Worker] = {}
        self._names = 0
        self._generation = 1
        self._operations_before = 0
        self._judged = 0
        # Kills are spread over the operations, at random distances.
        self._gap = max(1, operations // (kills + 1)) if kills else 0
        self._crash_gap = max(1, operations // (crashes + 1)) if crashes else 0

    def go(self) -> Finding | None:
        """Run until the aims are reached, and return what was found first."""
        self._clock = Clock(self._plan.clock, create=True)
        self._clock.set(1)
        try:
            with self._forking() as self._forks:
                self._loop()
        except Wrong as wrong:
            return wrong.finding
        except SessionStoreError as error:  # what the judge met, who had the sessions to himself
            return Finding(f"a session that nobody else uses cannot be judged: {error}")
        finally:
            close(self._plan)
        return None

    @contextlib.contextmanager
    def _forking(self) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.processes.worker", as_json(self._plan)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            yield process
        finally:
            assert process.stdin
            assert process.stdout
            process.stdin.close()
            process.wait()
            process.stdout.close()
            for worker in self._workers.values():
                os.close(worker.pipe)

    def _order(self, **order: Any) -> Any:
        assert self._forks.stdin
        assert self._forks.stdout
        self._forks.stdin.write(json.dumps(order).encode() + b"\n")
        self._forks.stdin.flush()
        line = self._forks.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that forks the workers ended with {self._forks.wait()}")
        return json.loads(line)

    def _start(self, number: int) -> None:
        self._names += 1
        name = f"w{number}.{self._names}"
        path = self._folder / f"{name}.pipe"
        os.mkfifo(path)
        pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        process = self._order(verb="start", pipe=str(path), name=name, number=number)
        path.unlink()
        self._workers[pipe] = Worker(name, number, process, pipe, Log(name, self._history))

    def _history(self, session: str) -> History:
        if session not in self.histories:
            self.histories[session] = History(session)
        return self.histories[session]

    # The run

    def _loop(self) -> None:
        began = time.monotonic()
        for number in range(self._workers_wanted):
            self._start(number)
        next_kill = self._next(self._gap)
        next_crash = self._next(self._crash_gap)
        figures = self.figures
        while True:
            self._hear()
            if self._gap and figures.operations >= next_kill:
                self._kill(self._random.choice(list(self._workers.values())))
                next_kill = figures.operations + self._next(self._gap)
            if self._crash_gap and figures.operations >= next_crash:
                assert self._crash
                self._crash()
                figures.crashes += 1
                next_crash = figures.operations + self._next(self._crash_gap)
            if figures.operations - self._operations_before >= self._generation_size:
                self._operations_before = figures.operations
                self._generation += 1
                self._clock.set(self._generation)
            self._judge_what_is_over()
            if (
                figures.operations >= self._operations
                and figures.kills >= self._kills
                and figures.crashes >= self._crashes
                and time.monotonic() - began >= self._seconds
            ):
                break
        self._clock.set(0)
        while self._workers:
            self._hear()
        while self._judged < self._generation:
            self._judge(self._judged + 1)

    def _next(self, gap: int) -> int:
        return 1 + int(self._random.random() * 1.8 * gap)

    def _hear(self) -> None:
        """Take in what the workers have written since."""
        ready, _, _ = select.select(list(self._workers), [], [], QUIET_SECONDS)
        if not ready:
            raise Wrong(Finding(f"waiting-is-bounded: nobody has done anything for {QUIET_SECONDS:.0f} s"))
        for pipe in ready:
            worker = self._workers[pipe]
            data = os.read(pipe, PIPE_BYTES)
            self._take(worker.log.feed(data))
            if not data:
                self._bury(worker, self._order(verb="reap", process=worker.process))
                if self._clock.read():
                    raise Wrong(Finding(f"the worker {worker.name} has ended by itself"))

    def _take(self, found: Iterator[Operation | Refused]) -> None:
        for each in found:
            self.figures.operations += 1
            if isinstance(each, Refused):
                self._refused(each)
                continue
            wait = each.returned - each.called
            self.figures.longest_wait_ns = max(self.figures.longest_wait_ns, wait)
            if self.figures.operations % 50 == 0:
                self.figures.waits.append(wait)

    def _refused(self, refused: Refused) -> None:
        if self._crash is None or not refused.written:
            raise Wrong(Finding(f"{refused.verb} of {refused.session} by {refused.client} raised {refused.text}"))
        self.figures.refused += 1

    def _kill(self, worker: Worker) -> None:
        # At any moment of a call, and not right after what was heard of last.
        select.select([], [], [], self._random.random() * 0.003)
        died = self._order(verb="kill", process=worker.process)
        os.set_blocking(worker.pipe, True)
        while data := os.read(worker.pipe, PIPE_BYTES):
            self._take(worker.log.feed(data))
        self._bury(worker, died)
        self.figures.kills += 1
        self._start(worker.number)

    def _bury(self, worker: Worker, died: int) -> None:
        # A server may still be about to commit what a client had asked for that is dead.
        until = FOREVER if self._crash else died
        self.figures.in_doubt += sum(1 for _ in worker.log.end(until))
        del self._workers[worker.pipe]
        os.close(worker.pipe)

    # The judgement

    def _judge_what_is_over(self) -> None:
        while self._judged + 1 < self._generation:
            generation = self._judged + 1
            for worker in self._workers.values():
                threads = self._plan.threads if worker.number == 0 else 1
                reached = [worker.log.reached.get(thread, 0) for thread in range(threads)]
                if min(reached) <= generation:
                    return
            self._judge(generation)

    def _judge(self, generation: int) -> None:
        """Write and read the sessions of a generation once more, judge their histories, and delete them."""
        names = [f"g{generation}-{name}" for name in (*SORTED_SESSIONS, *MIXED_SESSIONS)]
        self._close(generation, names)
        for name in names:
            verdict = judge(self.histories[name])
            if verdict is not None:
                raise Wrong(verdict)
            del self.histories[name]
            self.figures.sessions += 1
        self._judged = generation
        self.figures.generations += 1
        self._told(self.figures)

    def _close(self, generation: int, names: list[str]) -> None:
        hears, out = os.pipe()
        fcntl.fcntl(hears, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        with open(hears, "rb", buffering=0) as pipe, open(out, "wb", buffering=0):
            log = Log("judge", self._history)
            for hierarchical in (False, True):
                store = self._plan.store(hierarchical, generation)
                client = Client(self._plan, f"judge-{generation}-{hierarchical}", int(hierarchical), out, hierarchical)
                client.use(store, generation)
                for name in names:
                    for verb in ("add", "read") if name[-1] in SORTED_SESSIONS else ("add", "look", "count"):
                        client.call(verb, name)
                        for each in log.feed(pipe.read(PIPE_BYTES)):
                            if isinstance(each, Refused):
                                raise Wrong(Finding(f"{each.verb} of {each.session}, which nobody else uses, "
                                                    f"raised {each.text}"))  # fmt: skip
        self._look_for_litter(store, names)
        self._delete(store, generation, names)

    def _look_for_litter(self, store: Any, names: list[str]) -> None:
        allowed: set[str] = set()
        for name in names:
            history = self.histories[name]
            allowed |= history.doubtful | (history.children if history.deleted else set())
        for found in verify(store):
            if generation_of(found.session_id) != generation_of(names[0]):
                continue  # of a database, whose other sessions are in use
            if not (found.kind in ("litter", "unlisted-child") and found.session_id in allowed):
                raise Wrong(Finding(f"verify finds {found.kind} in {found.session_id}: {found.what}"))
        if "://" not in self._plan.place:
            for path in Path(store.session_dir).iterdir():
                if path.name.endswith(".tmp") and path.name.removesuffix(".json.tmp") not in allowed:
                    raise Wrong(Finding(f"all-or-nothing: {path.name} is left after the next writer"))

    def _delete(self, store: Any, generation: int, names: list[str]) -> None:
        if "://" not in self._plan.place:
            shutil.rmtree(Path(self._plan.place) / f"g{generation}")
            return
        for name in names:
            for each in (name, *self.histories[name].children, *self.histories[name].doubtful):
                store.delete_session(each)
