"""The command line in this process, and in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from readfresh.command import readfresh
from tests.store.support import PATIENCE_SECONDS


class Line:
    """Runs commands on a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command in this process; return its exit status, stdout and stderr."""
        result = CliRunner().invoke(readfresh, [*arguments, "--directory", str(self.directory)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def good(self, *arguments: str) -> str:
        """Run a command that ends with 0 and has nothing to say beside its output."""
        status, out, err = self(*arguments)
        assert (status, err) == (0, "")
        return out

    def json(self, *arguments: str) -> Any:
        """Run a command and load what it prints."""
        return json.loads(self.good(*arguments, "--json"))

    def given(self, content: bytes, *arguments: str) -> tuple[int, str, str]:
        """Run a command in a process of its own, with this on its stdin."""
        done = subprocess.run(self.command(*arguments), input=content, capture_output=True, timeout=PATIENCE_SECONDS)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def command(self, *arguments: str) -> list[str]:
        """Return the command as the words of a process."""
        return [sys.executable, "-m", "readfresh", *arguments, "--directory", str(self.directory)]

    @contextmanager
    def process(self, *arguments: str, **named: Any) -> Iterator[subprocess.Popen[str]]:
        """Start a command; kill it at the end, or when nobody hears of it for too long."""
        process = subprocess.Popen(
            self.command(*arguments),
            **{
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                # What starts the tests may ignore Ctrl+C, and a process inherits that.
                "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                **named,
            },
        )
        killer = threading.Timer(PATIENCE_SECONDS, process.kill)
        killer.start()
        try:
            with process:
                try:
                    yield process
                finally:
                    process.kill()
        finally:
            killer.cancel()


def everything(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return the bytes, the mode and the time of the last change of all that is in a folder, and its own."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        state = os.stat(path)
        found[str(path)] = (path.read_bytes() if path.is_file() else b"", state.st_mode, state.st_mtime_ns)
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Return the session files and their bytes."""
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}
