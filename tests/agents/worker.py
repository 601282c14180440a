"""Another process with a bot and an agent, whose model says and does what the test tells it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agents.support import PATIENCE_SECONDS, ROOT


class TurnWorker:
    """The handle of the process: one turn at a time, piece by piece."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.agents.worker_process", kind, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._unread = b""

    def begin(self, how: str, name: str, prompt: str) -> list[dict[str, Any]]:
        """Let it begin a turn, and return what its model was given, which now waits.

        Args:
            how: ``chat`` for a bot, and `name` is the user; ``execute`` or ``stream`` for an agent in session `name`.
            name: the user, or the session.
            prompt: what is said.
        """
        self._tell(how=how, name=name, prompt=prompt)
        given: list[dict[str, Any]] = self._answer()["given"]
        return given

    def say(self, piece: str) -> str:
        """Let the model give a piece, and return what it does next."""
        self._tell(piece=piece)
        doing: str = self._answer()["doing"]
        return doing

    def end(self, usage: tuple[int, int] | None = None) -> str:
        """Let the model end, and return the answer that the bot or the agent has returned."""
        self._tell(end=True, usage=usage)
        answer: str = self._answer()["answer"]
        return answer

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._process.wait()

    def _tell(self, **order: Any) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

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
