"""The long form: ``python -m tests.proofs.processes.soak --seconds 3600 --operations 1000000``.

It goes on until both are reached, in rounds with seeds of their own, every tenth at full durability.
The report is written anew after each generation, so that a run that is cut off leaves what it has done.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pickle
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.proofs.processes.run import Aims, Figures, Run
from tests.proofs.processes.worker import Plan

REPORT = Path(__file__).parents[1] / "figures" / "soak.json"
ROUND_OPERATIONS = 20_000
OPERATIONS_PER_KILL = 300
POWER_EVERY = 10


def soak(
    folder: Path,
    report: Path,
    *,
    seconds: float,
    operations: int,
    workers: int,
    seed: int,
    round_operations: int = ROUND_OPERATIONS,
) -> dict[str, Any]:
    """Run until so many seconds have passed and so many operations were made, and return the report."""
    began = time.monotonic()
    ended: list[Figures] = []
    findings: list[str] = []
    power = 0
    at_full = False

    def write(running: Figures | None = None) -> dict[str, Any]:
        figures = [*ended, *([running] if running else [])]
        done = {
            "what": "many processes over one directory, killed and judged, for long",
            "complete": running is None and not findings and enough(),
            "verdict": "linearizable" if not findings else "something was found",
            "findings": findings,
            "counts": {
                "operations": sum(each.operations for each in figures),
                "kills": sum(each.kills for each in figures),
                "in doubt": sum(each.in_doubt for each in figures),
                "sessions": sum(each.sessions for each in figures),
                "operations at full durability": power + (running.operations if running and at_full else 0),
            },
            "processes": workers,
            "seconds": round(time.monotonic() - began),
            "longest_wait_ms": max(each.longest_wait_ns for each in figures) // 1_000_000,
            "median_wait_ms": round(statistics.median([ns for each in figures for ns in each.waits] or [0]) / 1e6, 2),
            "run": {
                "date": datetime.date.today().isoformat(),
                "python": platform.python_version(),
                "system": platform.system(),
                "cores": os.cpu_count(),
            },
        }
        temporary = report.with_suffix(".new")
        temporary.write_text(json.dumps(done, indent=2) + "\n", "utf-8")
        temporary.replace(report)
        return done

    def enough() -> bool:
        return time.monotonic() - began >= seconds and sum(each.operations for each in ended) >= operations

    while not enough():
        number = len(ended)
        at_full = number % POWER_EVERY == POWER_EVERY - 1
        place = Path(tempfile.mkdtemp(dir=folder))
        plan = Plan(seed + number, str(place / "sessions"), str(place / "clock"), "power" if at_full else "process")
        size = round_operations // 4 if at_full else round_operations
        aims = Aims(size, size // OPERATIONS_PER_KILL)
        run = Run(place, plan, aims, workers=workers, told=write)
        found = run.go()
        ended.append(run.figures)
        power += run.figures.operations if at_full else 0
        if found is not None:
            findings.append(f"seed {plan.seed}: {found}")
            (report.parent / f"soak-{plan.seed}.histories").write_bytes(pickle.dumps(run.histories))
        else:
            shutil.rmtree(place)
        write()
    return write()


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--report", type=Path, default=REPORT)
    given = parser.parse_args()
    done = soak(
        given.folder,
        given.report,
        seconds=given.seconds,
        operations=given.operations,
        workers=given.processes,
        seed=given.seed,
    )
    print(json.dumps(done, indent=2))


if __name__ == "__main__":
    main()
