"""A process in which a part runs: it has one thread and little memory, so that it can be forked, and often.

It has the fault of the process that starts it, through the environment (see `tests.sabotage`).
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.proofs.kills.calls import kill_at_calls
from tests.proofs.kills.crowd import kill_crowded, kill_waiting
from tests.proofs.kills.moments import kill_everywhere, kill_everywhere_for_long
from tests.proofs.rung import Finding, Ran
from tests.store.support import ROOT

SECONDS = 180  # a fault may make a part wait, not hang
LONG_SECONDS = 3600

RUNS: dict[str, Callable[[Path], Ran]] = {
    "plain": partial(kill_everywhere, DefaultSessionStore),
    "hierarchical": partial(kill_everywhere, HierarchicalSessionStore),
    "waiting": kill_waiting,
    "threads": kill_crowded,
    "calls": kill_at_calls,
    "calls-of-all-verbs": partial(kill_at_calls, of_all_verbs=True),
    "plain-long": partial(kill_everywhere_for_long, DefaultSessionStore),
    "hierarchical-long": partial(kill_everywhere_for_long, HierarchicalSessionStore),
}


def in_small_process(name: str, folder: Path, seconds: float = SECONDS) -> Ran:
    """Run a part of `RUNS` there, and return what it did; that it ends badly, or never, is a finding too."""
    command = [sys.executable, "-m", "tests.proofs.kills.small", name, str(folder)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return Ran({}, Finding(f"waiting-is-bounded: the part {name!r} did not end within {seconds} s"))
    if done.returncode:
        return Ran(
            {}, Finding(f"an error that no store may raise ended the part {name!r}", (*done.stderr.splitlines(),))
        )
    said = json.loads(done.stdout)
    finding = said["finding"] and Finding(said["finding"]["what"], tuple(said["finding"]["history"]))
    return Ran(said["counts"], finding)


def main(name: str, folder: str) -> None:
    """Run a part and print what it did."""
    ran = RUNS[name](Path(folder))
    print(json.dumps({"counts": ran.counts, "finding": ran.finding and dataclasses.asdict(ran.finding)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
