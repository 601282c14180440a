"""Another process with a store of its own, which does what it is told and can be stopped between any two verbs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import readfresh
from tests.guarantees.disks import WatchedDisk

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0  # a worker that is silent for so long hangs, and the test fails


class Worker:
    """The handle of the process. One order at a time; each answers once, or stops first where it was told to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.guarantees.worker"],
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


class _Server:
    """What runs in the process: it does what the handle tells, until that closes the pipe."""

    def __init__(self) -> None:
        self._stores: dict[str, Any] = {}
        self._stop = ""
        self._dying = False

    def serve(self) -> None:
        """Take orders."""
        while line := sys.stdin.readline():
            order = json.loads(line)
            store = self._store(order)
            self._stop = order["stop"]
            if order.get("die"):
                self._call_and_die(store, order)
            else:
                self._call(store, order)
            self._stop = ""

    def _call(self, store: Any, order: dict[str, Any]) -> None:
        try:
            self._say(returned=getattr(store, order["verb"])(*order["args"]))
        except Exception as error:
            self._say(raised=type(error).__name__, text=str(error))

    def _call_and_die(self, store: Any, order: dict[str, Any]) -> None:
        child = os.fork()
        if child == 0:
            self._dying = True
            status = 1
            try:
                getattr(store, order["verb"])(*order["args"])
                self._watch("returned", "")
                status = 0
            finally:
                os._exit(status)
        self._say(returned=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    def _store(self, order: dict[str, Any]) -> Any:
        which = json.dumps([order["kind"], order["folder"], order["options"]])
        if which not in self._stores:
            kind: Callable[..., Any] = getattr(readfresh, order["kind"])
            self._stores[which] = kind(order["folder"], disk=WatchedDisk(self._watch), **order["options"])
        return self._stores[which]

    def _watch(self, verb: str, _file: str) -> None:
        if verb != self._stop:
            return
        if self._dying:
            os.kill(os.getpid(), signal.SIGKILL)
        self._stop = ""
        self._say(stopped=verb)
        sys.stdin.readline()

    def _say(self, **answer: object) -> None:
        print(json.dumps(answer, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    return value.to_dict()


if __name__ == "__main__":
    _Server().serve()
