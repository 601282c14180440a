"""The workers of a run, as the process that runs them sees them: started, heard, killed, buried."""

from __future__ import annotations

import fcntl
import json
import os
import random
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.proofs.processes.log import History, Log
from tests.proofs.processes.worker import Plan, as_json
from tests.store.support import ROOT

PIPE_BYTES = 1 << 20  # as much as a worker writes while the judge is busy
LONGEST_DELAY_SECONDS = 0.003


@dataclass(frozen=True)
class Worker:
    """A worker: its place in the crew, its process, and what it has written down."""

    name: str
    number: int
    process: int
    pipe: int
    log: Log


class Crew:
    """Workers that can be killed.

    Args:
        folder: where their pipes are.
        plan: what they do.
        history: gives the history of a session.
    """

    def __init__(self, folder: Path, plan: Plan, history: Callable[[str], History]) -> None:
        self._folder = folder
        self._plan = plan
        self._history = history
        self._names = 0
        self._workers: dict[int, Worker] = {}

    def __enter__(self) -> Self:
        self._forks = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.processes.worker", as_json(self._plan)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._forks.stdin
        assert self._forks.stdout
        self._forks.stdin.close()  # the end of all that are left
        self._forks.wait()
        self._forks.stdout.close()
        for worker in self._workers.values():
            os.close(worker.pipe)

    @property
    def alive(self) -> list[Worker]:
        """The workers that have not been buried."""
        return list(self._workers.values())

    def start(self, number: int) -> None:
        """Start the worker that is to have this place in the crew."""
        self._names += 1
        name = f"w{number}.{self._names}"
        path = self._folder / f"{name}.pipe"
        os.mkfifo(path)
        pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        process = self._order(verb="start", pipe=str(path), name=name, number=number)
        path.unlink()
        self._workers[pipe] = Worker(name, number, process, pipe, Log(name, self._history))

    def hear(self, seconds: float) -> Iterator[tuple[Worker, bytes]]:
        """Yield what the workers have written since, waiting until one has; nothing from one that has ended."""
        ready, _, _ = select.select(list(self._workers), [], [], seconds)
        for pipe in ready:
            yield self._workers[pipe], os.read(pipe, PIPE_BYTES)

    def kill(self, worker: Worker, choose: random.Random) -> tuple[bytes, int]:
        """Kill a worker at any moment of what it does; return what it had written until then, and when it was dead."""
        # What was heard of it last has just happened: without a delay it would always be the same moment.
        select.select([], [], [], choose.random() * LONGEST_DELAY_SECONDS)
        died = self._order(verb="kill", process=worker.process)
        os.set_blocking(worker.pipe, True)
        written = b""
        while data := os.read(worker.pipe, PIPE_BYTES):
            written += data
        self._bury(worker)
        return written, died

    def reap(self, worker: Worker) -> int:
        """Bury a worker that has ended by itself, and return when it was dead."""
        died: int = self._order(verb="reap", process=worker.process)
        self._bury(worker)
        return died

    def _bury(self, worker: Worker) -> None:
        del self._workers[worker.pipe]
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
