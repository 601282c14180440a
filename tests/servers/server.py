"""A server of the tests' own: started, stopped, killed and restarted from the test process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 30.0


class ServerFailed(Exception):
    """A server did not start, or did not do what it was told; its own words are in the text."""


class Server(ABC):
    """A server with its data in a temporary folder; nothing of it is left after `close`, or when this process dies.

    It may be used from any thread, and in a forked child not at all: the child uses the URL.
    """

    variable: str
    """The environment variable that names a server to use in its place."""
    name: str
    """What its folder's name begins with."""
    ready = "ready to accept connections"
    """What it writes when it can be asked."""
    stop_signal = signal.SIGTERM
    """What makes it end in good order."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        # Not `-m`: a keeper imports nothing of ours, and works wherever the tests were started.
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("keeper.py")), f"readfresh-{self.name}-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,  # a forked child closes its copies of the pipes, and must have nothing to flush
        )
        self._owner = os.getpid()
        _servers.add(self)
        self.keeper = self._keeper.pid
        """The process that owns the server: its parent."""
        self.folder = Path(self._hear()["folder"])
        """Where its data and its socket are."""
        self.running = False
        try:
            self.prepare()
        except BaseException:
            self.close()
            raise

    # What kind of server it is

    @abstractmethod
    def prepare(self) -> None:
        """Make what the server needs in its folder, once."""

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the server is."""

    # What can be done with it

    def start(self) -> Self:
        """Start it, and return when it accepts connections."""
        self.tell("start", command=self.command(), ready=self.ready, seconds=SECONDS_TO_START)
        self.running = True
        return self

    def stop(self) -> None:
        """End it in good order, and return when its last process has ended."""
        self.tell("end", number=self.stop_signal, seconds=SECONDS_TO_STOP)
        self.running = False

    def kill(self) -> None:
        """Kill every process of it at once, as a crash does; its files stay as they are."""
        self.tell("kill")
        self.running = False

    def restart(self) -> None:
        """Stop it if it runs, and start it again on the same files."""
        if self.running:
            self.stop()
        self.start()

    def log(self) -> str:
        """Return the last lines that it has written."""
        return str(self.tell("output"))

    def close(self) -> None:
        """End it and remove its folder; in a forked child, and a second time, do nothing."""
        if self._owner != os.getpid():
            return
        with self._turn:
            self.running = False
            _servers.discard(self)
            for pipe in (self._keeper.stdin, self._keeper.stdout):
                assert pipe
                pipe.close()
            if self._keeper.wait():
                raise ServerFailed(f"the keeper of {self.folder} ended with {self._keeper.returncode}")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def tell(self, verb: str, **arguments: Any) -> Any:
        """Give the keeper an order, and return its answer."""
        if self._owner != os.getpid():
            raise ServerFailed(f"the server of {self.folder} belongs to the process that this one was forked from")
        with self._turn:
            assert self._keeper.stdin
            self._keeper.stdin.write(json.dumps({"verb": verb, **arguments}).encode() + b"\n")
            self._keeper.stdin.flush()
            answer = self._hear()
        if "refused" in answer:
            raise ServerFailed(answer["refused"])
        return answer["done"]

    def _hear(self) -> dict[str, Any]:
        assert self._keeper.stdout
        line = self._keeper.stdout.readline()
        if not line:
            raise ServerFailed(f"the keeper ended with {self._keeper.wait()}; what it wrote stands in stderr")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _let_go(self) -> None:
        """Close a forked child's copies of the pipes: the server lives as long as the process that started it."""
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            assert pipe
            pipe.close()
        self._keeper.returncode = 0  # not this process's child: there is nothing to wait for


_servers: weakref.WeakSet[Server] = weakref.WeakSet()


def _after_fork() -> None:
    for server in list(_servers):
        server._let_go()
    _servers.clear()


os.register_at_fork(after_in_child=_after_fork)
