"""Workers: each a process with one store, in the environment of its package, driven through pipes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.benchmark.contenders import Contender
from tests.peers.environments import environment, python

PATIENCE_SECONDS = 900.0  # a worker that is silent for so long hangs


class Failed(Exception):
    """A worker could not do what it was told; the text says what it said."""


class Worker:
    """A process with the store of one contender. One order at a time."""

    def __init__(self, contender: Contender, home: Path, gate: int | None = None) -> None:
        """Start it in an empty home; a gate is what `Gate.entrance` gives."""
        self._name = contender.key
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        interpreter = python(contender.peer) if contender.peer else Path(sys.executable)
        self._process = subprocess.Popen(
            [str(interpreter), "-m", "tests.benchmark.worker", contender.factory, str(-1 if gate is None else gate)],
            cwd=home,
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            bufsize=0,
            pass_fds=() if gate is None else (gate,),
        )
        self._unread = b""
        try:
            self.hear()
        except BaseException:
            self.end()
            raise

    def do(self, verb: str, **arguments: Any) -> Any:
        """Give an order, and return the answer."""
        self.tell(verb, **arguments)
        return self.hear()

    def tell(self, verb: str, **arguments: Any) -> None:
        """Give an order, and do not wait."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # `hear` tells that it has ended, and what it said
            self._process.stdin.write(json.dumps({"do": verb, **arguments}).encode() + b"\n")

    def hear(self) -> Any:
        """Wait for the answer.

        Raises:
            Failed: the order raised, or the process has ended or hangs.
        """
        line = json.loads(self._line())
        if "raised" in line:
            raise Failed(line["raised"])
        return line.get("done")

    def end(self) -> None:
        """Let it end; kill it where it does not."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._words.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def _line(self) -> bytes:
        assert self._process.stdout
        while b"\n" not in self._unread:
            if not select.select([self._process.stdout], [], [], PATIENCE_SECONDS)[0]:
                raise Failed(f"{self._name} was silent for {PATIENCE_SECONDS} seconds")
            some = os.read(self._process.stdout.fileno(), 1 << 20)
            if not some:
                self._process.wait()
                self._words.seek(0)
                said = self._words.read().decode(errors="replace").strip().splitlines() or ["nothing"]
                raise Failed(f"its process ended and said: {said[-1]}")
            self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        return line


class Gate:
    """A barrier: workers wait in a read of one pipe, and its end wakes them all at once."""

    def __init__(self) -> None:
        self.entrance, self._exit = os.pipe()

    def open(self) -> None:
        """Let them go."""
        os.close(self._exit)
        os.close(self.entrance)


@contextmanager
def crew(contender: Contender, home: Path, count: int, gate: int | None = None) -> Iterator[list[Worker]]:
    """Run so many workers of a contender; end them all."""
    with ExitStack() as stack:
        yield [stack.enter_context(Worker(contender, home, gate)) for _ in range(count)]
