"""A process that runs guarantee tests under one fault after another, each in a fork of its own.

Most of what such a run costs is to import pytest and Hypothesis; a fork has them already.
It reads orders and answers them, one JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60  # for each test that is asked for: a fault may make one wait, not hang

Outcomes = dict[str, dict[str, str]]


class Runner:
    """The handle of the process. One run at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.sabotage.runner"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, fault: str, folder: Path, *tests: str) -> tuple[Outcomes, str]:
        """Run tests with a fault, or without one; return what became of each, and what pytest said."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([fault, str(folder), tests]), file=self._process.stdin, flush=True)
        if not self._process.stdout.readline():
            raise RuntimeError(f"the runner ended with {self._process.wait()}")
        report = folder / "report.json"
        outcomes: Outcomes = json.loads(report.read_text()) if report.exists() else {}
        return outcomes, (folder / "said.txt").read_text()

    def end(self) -> None:
        """Let it end."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _serve() -> None:
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401
    import sqlalchemy  # noqa: F401

    import readfresh  # noqa: F401

    for line in sys.stdin:
        fault, folder, tests = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(fault, Path(folder), tests)
        os.waitpid(child, 0)
        print("done", flush=True)


def _run(fault: str, folder: Path, tests: list[str]) -> Any:
    import pytest

    from tests.sabotage.faults import REPORT_VARIABLE, VARIABLE

    # A process group of its own: what a fault keeps from ending ends with it.
    os.setpgid(0, 0)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    signal.alarm(SECONDS * len(tests))
    os.environ[VARIABLE] = fault
    os.environ[REPORT_VARIABLE] = str(folder / "report.json")
    said = os.open(folder / "said.txt", os.O_WRONLY | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(source, target)
    status = pytest.main(
        [
            *(*tests, "--maxfail=1", "-q", "--tb=short", "-p", "no:cacheprovider"),
            # The plugins of the whole suite draw and browse, and those that are installed format and spread out; these
            # tests need none of them, and to import them would take as long as to run most of these tests.
            *("--confcutdir=tests/guarantees", "-p", "no:examples", "-p", "no:xdist", "-p", "no:xdist.looponfail"),
            *("-p", "tests.sabotage.plugin", f"--basetemp={folder / 'tmp'}"),
            # Hypothesis was imported before pytest could rewrite its assertions, which are none of ours.
            *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
        ]
    )
    sys.stdout.flush()
    os._exit(int(status))


if __name__ == "__main__":
    _serve()
