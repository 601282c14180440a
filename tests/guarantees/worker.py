"""Another process with a store of its own, which does what it is told and can be stopped between any two verbs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0  # a worker that is silent for so long hangs, and the test fails


class Worker:
    """The handle of the process. One order at a time; each answers once, or stops first where it was told to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.guarantees.worker_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._unread = b""

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def start(self, kind: type, folder: Path, verb: str, *args: Any, stop: str = "", **options: Any) -> None:
        """Let it call a method of a store, and do not wait.

        Args:
            kind: the store's class; for the same class, folder and options it is the same object each time.
            folder: the session directory.
            verb: the method.
            args: its arguments.
            stop: the verb of the disk before which it stops; `proceed` lets it go on.
            options: of the store.
        """
        order = {"kind": kind.__name__, "folder": str(folder), "verb": verb, "args": args}
        self._tell({**order, "stop": stop, "options": options})

    def call(self, kind: type, folder: Path, verb: str, *args: Any, **options: Any) -> Any:
        """Let it call a method and return what that returns; raise `Raised` when it raises."""
        self.start(kind, folder, verb, *args, **options)
        return self.result()

    def stopped(self) -> str:
        """Wait until it has stopped, and return where."""
        answer = self._answer()
        if "stopped" not in answer:
            pytest.fail(f"the worker did not stop where it was told to: {answer}")
        where: str = answer["stopped"]
        return where

    def proceed(self) -> None:
        """Let it go on."""
        self._tell("proceed")

    def result(self) -> Any:
        """Wait for what the method returns."""
        answer = self._answer()
        if "raised" in answer:
            raise Raised(answer["raised"], answer["text"])
        if "stopped" in answer:
            pytest.fail(f"the worker stopped: {answer}")
        return answer["returned"]

    def die(self, kind: type, folder: Path, verb: str, *args: Any, at: str, **options: Any) -> None:
        """Let a fork of it call a method, and kill that with SIGKILL before a verb of the disk is done.

        With `at` "returned" it is killed when the method has returned, before it does anything else.
        """
        order = {"kind": kind.__name__, "folder": str(folder), "verb": verb, "args": args}
        self._tell({**order, "stop": at, "options": options, "die": True})
        status = self.result()
        if status != -signal.SIGKILL:
            pytest.fail(f"{verb} ended with {status} and was not killed at {at}")

    def kill(self) -> None:
        """Kill it with SIGKILL: it runs nothing any more, and the system takes its locks back."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Let it end."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._process.wait()

    def _tell(self, message: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        while b"\n" not in self._unread:
            if not select.select([self._process.stdout], [], [], PATIENCE_SECONDS)[0]:
                pytest.fail(f"the worker was silent for {PATIENCE_SECONDS} s")
            some = os.read(self._process.stdout.fileno(), 1 << 16)
            if not some:
                pytest.fail(f"the worker ended with {self._process.wait()}")
            self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Raised(Exception):
    """A method raised in the worker."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
