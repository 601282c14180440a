"""The kit's hold on the other processes: give an order, hear the answer, and never wait for ever."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import time
import warnings
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from readfresh.conformance.factory import FactoryError, name_of
from readfresh.conformance.worker import serve_forks

__all__ = ["Crew", "Lane", "Outcome", "WorkerFailed"]

IMPORT_SECONDS = 120.0
END_SECONDS = 5.0


class WorkerFailed(Exception):
    """A worker process ended, or was silent for too long, where a store's call does neither."""


@dataclass
class Outcome:
    """How a call ended.

    Args:
        kind: ``returned``, ``raised``, ``died`` or ``hung``.
        value: what it returned.
        error: the name of the error, and the first line of what it says.
        where: file and line where it was raised.
        points: the points that it went through, each with whether something had been let go before it.
        seconds: how long it took.
    """

    kind: str
    value: Any = None
    error: str = ""
    where: str = ""
    points: list[tuple[str, bool]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether the call returned without saying no: False and an error both say that it did nothing."""
        return self.kind == "returned" and self.value is not False

    @property
    def waited(self) -> bool:
        """Whether it ended because somebody else was in its way, as far as its error tells."""
        said = r"time.?out|timed out|locked|busy|waited"
        return self.kind == "hung" or (self.kind == "raised" and bool(re.search(said, self.error, re.IGNORECASE)))

    def __str__(self) -> str:
        if self.kind == "returned":
            return repr(self.value)
        return {"raised": self.error, "died": "killed", "hung": "no answer"}[self.kind]


class Lane:
    """A thread of a worker, with a store object of its own."""

    def __init__(self, process: _Process, number: int) -> None:
        self._process = process
        self._number = number
        self.thread: tuple[int, int] | None = None  # the ids of the process and of the thread, when they are known

    def tell(self, do: str, **order: object) -> None:
        """Give an order and do not wait."""
        self._process.tell({"lane": self._number, "do": do, **order})

    def hear(self, seconds: float) -> dict[str, Any]:
        """Return the next answer; ``{"died": True}`` or ``{"hung": True}`` where there is none."""
        return self._process.hear(self._number, seconds)

    def sleeps(self) -> bool:
        """Return whether its thread waits for something, as Linux tells; False where nothing is told."""
        if self.thread is None:
            return False
        try:
            told = Path(f"/proc/{self.thread[0]}/task/{self.thread[1]}/stat").read_text(
                encoding="ascii", errors="replace"
            )
        except OSError:
            return False
        return told.rpartition(") ")[2].startswith("S")

    def put_back(self, answer: dict[str, Any]) -> None:
        """Let the next `hear` return this answer."""
        self._process.put_back(self._number, answer)

    def beside(self) -> Lane:
        """Return another lane of the same worker."""
        return Lane(self._process, self._number + 1)

    def outcome(self, seconds: float) -> Outcome:
        """Wait until the call has ended."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.hear(max(0.0, deadline - time.monotonic()))
            if "returned" in answer:
                returned = answer["returned"]
                if isinstance(returned, dict) and "value" in returned:
                    points = [(where, released) for where, released in returned.get("points", [])]
                    return Outcome("returned", returned["value"], points=points, seconds=returned["seconds"])
                return Outcome("returned", returned)
            if "raised" in answer:
                return Outcome("raised", error=answer["raised"], where=answer["where"], seconds=answer["seconds"])
            if "died" in answer:
                return Outcome("died")
            if "hung" in answer:
                return Outcome("hung")

    def end(self) -> None:
        """End the process of this lane."""
        self._process.end()


class _Process:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._unread = b""
        self._heard: dict[int, deque[dict[str, Any]]] = {}
        self._ended = False

    def tell(self, order: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(order).encode() + b"\n")
        except OSError:
            self._ended = True

    def hear(self, lane: int, seconds: float) -> dict[str, Any]:
        heard = self._heard.setdefault(lane, deque())
        deadline = time.monotonic() + seconds
        while not heard:
            if self._ended:
                return {"died": True}
            if not select.select([self._socket], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return {"hung": True}
            try:
                some = self._socket.recv(1 << 16)
            except OSError:
                some = b""
            if not some:
                self._ended = True
                continue
            *lines, self._unread = (self._unread + some).split(b"\n")
            for line in lines:
                answer = json.loads(line)
                self._heard.setdefault(answer.pop("lane"), deque()).append(answer)
        return heard.popleft()

    def put_back(self, lane: int, answer: dict[str, Any]) -> None:
        self._heard[lane].appendleft(answer)

    def end(self) -> None:
        self._socket.close()
        self._ended = True


class Crew:
    """All processes of one run. The first one imports the factory; the workers are forks of it.

    Args:
        factory: the name of the factory, or the factory; one without a name is handed over by a fork of this process.
        log: a file that takes what the processes print.

    Raises:
        FactoryError: the factory cannot be imported there, or this system cannot fork.
    """

    def __init__(self, factory: Any, log: Path) -> None:
        self.forks = 0
        self._first: subprocess.Popen[bytes] | None = None
        self._child: int | None = None
        self._processes: list[_Process] = []
        if not hasattr(os, "fork"):
            raise FactoryError(
                "the conformance kit forks its workers, and this system cannot fork; run it on Linux or macOS"
            )
        self._control, theirs = socket.socketpair()
        name = factory if isinstance(factory, str) else name_of(factory)
        with theirs:
            if name is None:
                self._fork(factory, theirs, log)
            else:
                self._start(name, theirs, log)

    def _start(self, name: str, theirs: socket.socket, log: Path) -> None:
        with log.open("wb") as printed:
            self._first = subprocess.Popen(
                [sys.executable, "-c", "from readfresh.conformance import worker; worker.main()", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            )
        theirs.close()  # so that the end of that process is the end of the socket
        self._control.sendall(json.dumps({"factory": name}).encode())
        self._control.settimeout(IMPORT_SECONDS)
        try:
            answer = self._control.recv(1 << 16)
        except TimeoutError:
            self.end()
            raise FactoryError(f"{name!r} has not been imported after {IMPORT_SECONDS:g} s") from None
        if not answer or "raised" in (told := json.loads(answer)):
            self.end()
        if not answer:
            last = log.read_text(errors="replace").strip().splitlines()[-1:]
            status = self._first.returncode
            raise FactoryError(": ".join([f"the process that imports {name!r} ended with status {status}", *last]))
        if "raised" in told:
            raise FactoryError(told["raised"])

    def _fork(self, factory: Any, theirs: socket.socket, log: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: the child starts anew
            child = os.fork()
        if child == 0:
            try:
                printed = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
                os.dup2(printed, 1)
                os.dup2(printed, 2)
                self._control.close()
                serve_forks(theirs, factory)
            finally:
                os._exit(0)
        self._child = child

    def fork(self) -> Lane:
        """Return the first lane of a new worker."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
        self.forks += 1
        self._processes.append(_Process(ours))
        return Lane(self._processes[-1], 0)

    def end(self) -> None:
        """End every process."""
        for process in self._processes:
            process.end()
        self._control.close()  # which ends the first process
        if self._child is not None:
            os.waitpid(self._child, 0)
        if self._first is not None:
            try:
                self._first.wait(END_SECONDS)
            except subprocess.TimeoutExpired:  # a thread that an import has started keeps it
                self._first.kill()
                self._first.wait()
