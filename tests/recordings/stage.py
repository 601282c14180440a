"""Workers that play a scenario over real stores, one at a time, and the list of all that they do.

1. One worker runs at a time. It hands over where the scenario has told it to stop, where it finds a lock taken,
   and at the end of its call: so a recording is the same in every run, and nobody sleeps.
2. A lock is tried first and, where it is taken, tried again for its whole timeout when the worker goes on.
3. What no worker does within `PATIENCE_SECONDS` it never does: the scenario fails.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from readfresh import DefaultSessionStore, SessionStoreError
from tests.recordings.events import Event

PATIENCE_SECONDS = 20.0

Shows = Callable[[bytes | None], str]
"""Says of a session's bytes, or of their absence, what a reader of the diagram wants to know."""

Act = Callable[..., Any]
T = TypeVar("T")


class Stuck(Exception):
    """A worker neither stops nor ends."""


_acting = threading.local()  # .worker: whose call this thread makes


def acting() -> Worker | None:
    """Return the worker whose call this thread makes."""
    worker: Worker | None = getattr(_acting, "worker", None)
    return worker


def messages(data: bytes | None) -> str:
    """Say how many messages a session has."""
    if data is None:
        return "no file"
    try:
        session = json.loads(data)
    except ValueError:
        return "no session"
    return counted(len(session["messages"] if isinstance(session, dict) else session), "message")


def counted(number: int, noun: str) -> str:
    """Return the number with its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Stage:
    """A folder in which workers play, and what they have done.

    Args:
        folder: an empty one.
        shows: what to tell of a session that is read or written.
    """

    def __init__(self, folder: Path, shows: Shows = messages) -> None:
        self.folder = folder
        self.shows = shows
        self.events: list[Event] = []
        self._workers: list[Worker] = []
        self._lives: list[Life] = []
        self._quiet = False
        self._pipe: int | None = None  # in a process of its own: where its events go

    @property
    def chats(self) -> Path:
        """The session directory."""
        return self.folder / "chats"

    def tell(self, who: str, what: str, on: str = "", shows: str = "") -> None:
        """Write down an event."""
        if self._pipe is not None:
            os.write(self._pipe, json.dumps([who, what, on, shows]).encode() + b"\n")
        elif not self._quiet:
            self.events.append(Event(who, what, on, shows))

    def note(self, over: str, shows: str) -> None:
        """Write down what is true now, or what has happened to a worker."""
        self.tell(over, "note", shows=shows)

    def unseen(self, act: Callable[[], T]) -> T:
        """Do what is in no diagram, such as what comes before it, and return what that returns."""
        self._quiet = True
        try:
            return act()
        finally:
            self._quiet = False

    def worker(self, who: str, kind: Any = DefaultSessionStore, **options: Any) -> Worker:
        """Return a worker with a store object of its own; one without a store where `kind` is None."""
        from tests.recordings.seam import WatchedDisk

        worker = Worker(self, who)
        if kind is not None:
            worker.store = kind(self.chats, disk=WatchedDisk(worker), **options)
        self._workers.append(worker)
        return worker

    def process(self, who: str, act: Callable[[Callable[[], None]], None]) -> Life:
        """Return a worker that is a process of its own, which does `act` until that says, by its argument, "here"."""
        life = Life(self, who, act)
        self._lives.append(life)
        return life

    def close(self) -> None:
        """Let every worker run to its end."""
        for worker in self._workers:
            worker.leave()
        for life in self._lives:
            life.kill(told=False)

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class Worker:
    """Makes one call at a time, in a thread of its own.

    Attributes:
        store: its store object.
    """

    def __init__(self, stage: Stage, who: str) -> None:
        self.stage = stage
        self.who = who
        self.store: Any = None
        self._stop = ""
        self._left = False
        self._answer: Any = None
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None
        self._said: SimpleQueue[str] = SimpleQueue()
        self._go: SimpleQueue[None] = SimpleQueue()

    def call(self, verb: str, *args: Any, told: Callable[[Any], str] | None = None, **options: Any) -> Any:
        """Call a method of the store and return its answer; None where it has raised an error of the store's.

        Args:
            verb: the method.
            *args: its arguments.
            told: what to show a reader of the answer.
            **options: its keyword arguments.
        """
        self.begin(verb, *args, told=told, **options)
        while self._thread is not None:
            self.go()
        return self._answer

    def does(self, name: str, act: Act, *args: Any, told: Callable[[Any], str] | None = None, **options: Any) -> Any:
        """Call a function, and write down that it was called, and how it ended."""
        before, _acting.worker = acting(), self
        self.stage.tell(self.who, "call", name)
        try:
            answer = act(*args, **options)
        except Exception as error:
            written = f", {error.written} was written" if isinstance(error, SessionStoreError) else ""
            self.stage.tell(self.who, "raise", name, type(error).__name__ + written)
            raise
        else:
            self.stage.tell(self.who, "return", name, told(answer) if told else "")
            return answer
        finally:
            _acting.worker = before

    def begin(self, verb: str, *args: Any, before: str = "", heard: bool = True, **options: Any) -> None:
        """Start a call in a thread, and return when it is about to do a step, waits for a lock, or has ended.

        Args:
            verb: the method.
            *args: its arguments.
            before: the step to stop at, with its file where that matters: ``replace`` or ``lock trip.json``.
            heard: False returns at once, for a call that waits where nobody can hear it; `hear` is to follow.
            **options: its keyword arguments.
        """

        def run() -> None:
            try:
                with suppress(SessionStoreError):  # it is written down
                    self._answer = self.does(verb, getattr(self.store, verb), *args, **options)
            except Exception as error:
                self._failure = error
            finally:
                self._said.put("ended")

        self._stop, self._answer, self._failure = before, None, None
        self._thread = threading.Thread(target=run, name=f"worker {self.who}", daemon=True)
        self._thread.start()
        if heard:
            self.hear()

    def go(self, before: str = "") -> None:
        """Let the call that was begun go on, to its end or as far as the step; one that has ended stays so."""
        if self._thread is not None:
            self._stop = before
            self._go.put(None)
            self.hear()

    def at(self, step: str, file: str) -> None:
        """Hand over if this is the step to stop at; called before the step is made."""
        if self._stop in (step, f"{step} {file}"):
            self._stop = ""
            self.pause()

    def pause(self) -> None:
        """Hand over until the scenario says `go`."""
        if threading.current_thread() is self._thread and not self._left:
            self._said.put("stopped")
            self._go.get()

    def leave(self) -> None:
        """Run to the end, and stop no more."""
        self._left = True
        if self._thread is not None:
            self._go.put(None)
            self._thread.join(PATIENCE_SECONDS)

    @property
    def at_rest(self) -> bool:
        """Whether it has handed over and has not been heard yet."""
        return not self._said.empty()

    def hear(self) -> None:
        """Return when it has handed over."""
        try:
            said = self._said.get(timeout=PATIENCE_SECONDS)
        except Empty:
            self._thread = None  # nobody waits for it again
            raise Stuck(f"worker {self.who} neither stops nor ends") from None
        if said == "ended":
            self._thread = None
            if self._failure is not None:
                raise self._failure


def until(true: Callable[[], bool]) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise Stuck("what was waited for did not happen")


class Life:
    """A worker that is a process of its own. It ends by SIGKILL, and nothing that it leaves is cleaned up."""

    def __init__(self, stage: Stage, who: str, act: Callable[[Callable[[], None]], None]) -> None:
        self._stage = stage
        self.who = who
        self._heard, pipe = os.pipe()
        self.pid = _fork()
        if self.pid == 0:
            stage._pipe = pipe
            try:
                act(lambda: stage.tell(who, "here"))
            finally:
                os.kill(os.getpid(), signal.SIGKILL)
        os.close(pipe)
        self._alive = True

    def hear(self) -> None:
        """Write down what it does until it says that it is there, or until its end."""
        rest = b""
        while True:
            if not select.select([self._heard], [], [], PATIENCE_SECONDS)[0]:
                raise Stuck(f"the process of worker {self.who} neither gets there nor ends")
            some = os.read(self._heard, 1 << 16)
            *lines, rest = (rest + some).split(b"\n")
            for line in lines:
                event = Event(*json.loads(line))
                if event.what != "here":
                    self._stage.events.append(event)
            if not some or any(json.loads(line)[1] == "here" for line in lines):
                return

    def stopped(self) -> None:
        """Wait until a signal has stopped it, and write that down."""
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"the process has ended with {status}"
        self._stage.note(self.who, f"stopped by {signal.Signals(os.WSTOPSIG(status)).name}")

    def kill(self, *, told: bool = True) -> None:
        """Kill it, and write down how it has ended."""
        if self._alive:
            os.kill(self.pid, signal.SIGKILL)
            self.ended(told=told)

    def ended(self, *, told: bool = True) -> None:
        """Wait for its end, and write down how it has ended.

        Whoever has given up its wait for a lock of that process is granted it now, and lets it go: that is waited for
        too, since the next try would find the lock taken for this instant.
        """
        self._alive = False
        _, status = os.waitpid(self.pid, 0)
        os.close(self._heard)
        until(lambda: not any(thread.name.startswith("readfresh waits for") for thread in threading.enumerate()))
        if told:
            self._stage.note(self.who, f"killed by {signal.Signals(-os.waitstatus_to_exitcode(status)).name}")


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: the child ends by a signal
        return os.fork()
