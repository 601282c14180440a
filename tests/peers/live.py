"""Processes of a peer's package, and of ours, that the tests drive through pipes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers.environments import ROOT, environment, python

PATIENCE_SECONDS = 120.0  # a process that is silent for so long hangs, and the test fails
# With these options PraisonAI's stores keep every message and wait as long as it takes.
LIFTED = {"retention": "keep_all", "lock_timeout": PATIENCE_SECONDS}
PATIENT = {"lock_timeout": PATIENCE_SECONDS}


def needs_peers() -> None:
    """Skip the module that calls it while it is imported, unless PEERS=1 wants the peers' packages."""
    if os.environ.get("PEERS") != "1":
        pytest.skip(
            "the peers' packages are not wanted: PEERS=1 python3 dev.py test tests/peers installs and runs them",
            allow_module_level=True,
        )


class Raised(Exception):
    """A call raised in the process; the text begins with the name of the error's class."""


class Process:
    """One process with stores of one package. One order at a time."""

    def __init__(self, package: str, home: Path, python: Path | str = sys.executable, fault: str = "") -> None:
        """Start it, in an empty home; a fault of tests/sabotage breaks readfresh there."""
        home.mkdir(parents=True, exist_ok=True)
        variables = environment(home)
        if fault:
            variables |= {"READFRESH_SABOTAGE": fault}
            variables["PYTHONPATH"] += os.pathsep + str(ROOT / "tests/sabotage/hook")
        self._process = subprocess.Popen(
            [str(python), "-m", "tests.peers.worker", package],
            cwd=home,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._unread = b""

    def ready(self) -> Process:
        """Wait until it has imported what it needs."""
        assert self._line() == {"ready": True}
        return self

    def start(
        self, kind: str, directory: Path, options: dict[str, Any], verb: str, *arguments: Any, **named: Any
    ) -> None:
        """Let it call a verb of a store, and do not wait."""
        order = {"kind": kind, "directory": str(directory), "options": options}
        self._tell({**order, "verb": verb, "arguments": arguments, "named": named})

    def call(
        self, kind: str, directory: Path, options: dict[str, Any], verb: str, *arguments: Any, **named: Any
    ) -> Any:
        """Let it call a verb of a store, and return what that returns, as JSON has it."""
        self.start(kind, directory, options, verb, *arguments, **named)
        return self.result()

    def result(self) -> Any:
        """Wait for what the call returns."""
        line = self._line()
        if "raised" in line:
            raise Raised(f"{line['raised']}: {line['text']}")
        return line["returned"]

    def held(self) -> None:
        """Wait until it holds the lock that it was told to hold."""
        assert self._line() == {"held": True}

    def let_go(self) -> Any:
        """Let it go on with the write in which it holds the lock, and return what that returns."""
        self._tell("")
        return self.result()

    def is_silent(self, seconds: float) -> bool:
        """Tell whether it says nothing for so long."""
        assert self._process.stdout
        return not self._unread and not select.select([self._process.stdout], [], [], seconds)[0]

    def end(self) -> None:
        """Let it end; kill it where it does not."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        try:
            self._process.wait(PATIENCE_SECONDS / 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, message: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout
        while b"\n" not in self._unread:
            if not select.select([self._process.stdout], [], [], PATIENCE_SECONDS)[0]:
                pytest.fail(f"the process was silent for {PATIENCE_SECONDS} s")
            some = os.read(self._process.stdout.fileno(), 1 << 16)
            if not some:
                pytest.fail(f"the process ended with {self._process.wait()}")
            self._unread += some
        line, _, self._unread = self._unread.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


@contextlib.contextmanager
def processes(home: Path, *packages: str, fault: str = "") -> Iterator[list[Process]]:
    """Run one process for each package that is named, `readfresh` or `praisonaiagents.session`; end them all."""
    praisonai = python("praisonai")
    interpreters = [Path(sys.executable) if package == "readfresh" else praisonai for package in packages]
    started = [
        Process(package, home / f"home-{number}", interpreter, fault if package == "readfresh" else "")
        for number, (package, interpreter) in enumerate(zip(packages, interpreters, strict=True))
    ]
    try:
        yield [process.ready() for process in started]
    finally:
        for process in started:
            process.end()


def run(peer: str, home: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a peer's Python with these words, in a folder that is its home, and return what it printed."""
    home.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        [str(python(peer)), *words],
        cwd=home,
        env=environment(home) | variables,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_SECONDS,
    )


__all__ = ["LIFTED", "PATIENT", "ROOT", "Process", "Raised", "needs_peers", "processes", "run"]
