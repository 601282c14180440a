"""One cell of the matrix: a fault, and the parts that look for it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sabotage.faults import HERE, VARIABLE

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 900  # a fault may make a part wait, not hang


@dataclass(frozen=True)
class Column:
    """A kind of test.

    Args:
        name: what people call it.
        parts: the keys of its parts, run in this order until one finds something.
        lucky: whether what it finds depends on the moment.
    """

    name: str
    parts: tuple[str, ...]
    lucky: bool = False


@dataclass(frozen=True)
class Cell:
    """What became of a fault.

    Args:
        how: ``found``, ``not found``, ``crashed`` or ``hung``.
        finding: what was found, as `Finding` and `part` have it; None when nothing was.
        said: what the process said last, where it crashed.
    """

    how: str
    finding: dict[str, Any] | None = None
    said: str = ""


def look(fault: str, parts: tuple[str, ...], folder: Path) -> Cell:
    """Run parts under a fault, in an empty folder."""
    report = folder / "report.json"
    place = folder / "place"
    place.mkdir()
    path = os.pathsep.join([str(HERE / "hook"), str(ROOT), str(ROOT / "src")])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.proofs.teeth.child", str(place), str(report), *parts],
        cwd=ROOT,
        env={**os.environ, VARIABLE: fault, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # what a fault keeps from ending ends with the group
    )
    try:
        said, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return Cell("hung")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode != 0 or not report.exists():
        return Cell("crashed", said=said[-4000:])
    found = json.loads(report.read_text())
    return Cell("found", found) if found else Cell("not found")
