"""The tables of the status page, written from the run that was kept: see `tests.tables`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.proofs.pages import SECTIONS
from tests.status.record import LAST_RUN, PASSED, SKIPPED
from tests.tables import Tables

PAGE = "docs/testing/status.md"
NAMES = ("status", "pages", "looked-at", "versions")

COUNTS: dict[str, tuple[tuple[str, str], ...]] = {
    "orders": (("orders", "orders of two and three clients"), ("crash points", "deaths of a client in the middle")),
    "threads": (("schedules", "schedules of real threads"),),
    "kills": (("kills", "kills of a real process"), ("kills by strace", "of these at a system call")),
    "power": (("cuts", "cuts of the power"), ("disks, ordered", "disks found then"), ("disks, weak", "weaker disks")),
    "faults": (("faults", "failed operations"),),
    "processes": (("operations", "operations of many processes"), ("kills", "of these processes killed")),
    "model": (("calls", "random calls against a model"),),
    "fuzz": (("mutated files", "files that nobody would write"), ("pairs of ids", "pairs of ids")),
    "seam": (("contacts with files", "contacts with files, each through the seam"),),
}
"""What of a rung's counts is shown, and in which words; every count is on the page of the proofs."""


def kept() -> dict[str, Any] | None:
    """Return the run that was kept last; None when there is none."""
    if not LAST_RUN.exists():
        return None
    found: dict[str, Any] = json.loads(LAST_RUN.read_text("utf-8"))
    return found


def tables(run: Mapping[str, Any] | None) -> Tables:
    """Return the tables of the page, as a run makes them."""
    if run is None:
        return dict.fromkeys(NAMES, lambda: ["No run has been kept yet."])
    return {
        "status": lambda: _status(run),
        "pages": lambda: _pages(run["pages"]),
        "looked-at": lambda: _looked_at(run["proofs"]),
        "versions": lambda: _versions(run["versions"]),
    }


def _status(run: Mapping[str, Any]) -> Iterator[str]:
    tests = run["tests"]
    minutes, seconds = divmod(run["seconds"], 60)
    commit = run["commit"].removesuffix("+")
    differs = ", with files that differ from it" if run["commit"].endswith("+") else ""
    yield from ("| what | in the last run that was kept |", "|---|---|")
    yield f"| tests | {tests[PASSED]:,} passed, none failed, {tests[SKIPPED]:,} skipped |"
    yield f"| commit | {f'`{commit[:12]}`' if commit else 'unknown'}{differs} |"
    yield f"| day | {run['date']} |"
    yield f"| machine | {run['system']} |"
    yield f"| how much was looked at | {', '.join(f'`{name}=1`' for name in run['switches']) or 'the normal run'} |"
    yield f"| time | {minutes} minutes and {seconds} seconds |"


def _pages(counts: Mapping[str, int]) -> Iterator[str]:
    produced = {
        "blocks": "`python3 dev.py test tests/docs`",
        "pages with blocks": "`python3 dev.py test tests/docs`",
        "programs": "`python3 dev.py test tests/docs`",
        "diagrams": "`python3 dev.py test tests/docs`",
        "diagrams compared with a recorded run": "`python3 dev.py test tests/docs tests/recordings`",
    }
    yield from ("| verified | how many | produced by |", "|---|---|---|")
    for name, command in produced.items():
        yield f"| {name} | {counts[name]:,} | {command} |"


def _looked_at(proofs: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    yield from ("| tried | how many | produced by |", "|---|---|---|")
    for rung, shown in COUNTS.items():
        if rung not in proofs:  # a kind of test that is younger than the run
            continue
        said = "; ".join(f"{proofs[rung][name]:,} {words}" for name, words in shown if name in proofs[rung])
        yield f"| [{rung}](index.md#{SECTIONS[rung]}) | {said} | `python3 dev.py test tests/proofs/{rung}` |"
    faults = proofs["sabotage"]
    yield (
        f"| [faults put in](teeth.md) | {faults['faults']:,} faults; {faults['tests that have to fail']:,} guarantees"
        f" and tests that they have to turn red; {faults['faults with a kind of test']:,} named for the kind of test"
        " that has to find them | `FULL_GRID=1 python3 dev.py test tests/sabotage tests/proofs/teeth` |"
    )
    matrix = proofs["conformance"]
    verdicts = ", ".join(
        f"{count:,} {name}" for name, count in matrix.items() if name not in ("stores", "guarantees") and count
    )
    yield (
        f"| [the matrix](../conformance/matrix.md) | {matrix['guarantees']} guarantees over {matrix['stores']} stores"
        f" of ours: {verdicts} | `FULL_GRID=1 python3 dev.py test tests/matrix` |"
    )


def _versions(versions: Mapping[str, str]) -> Iterator[str]:
    yield from ("| with | version |", "|---|---|")
    for name, version in versions.items():
        yield f"| {name} | {version} |"
