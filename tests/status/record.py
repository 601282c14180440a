"""`RECORD_RUN=1` lets a whole, green run keep what it has done in `last_run.json`; the status page is written from it.

What is kept is counted by the run itself: outcomes of tests as pytest reports them, blocks that a passing test claims.
The counts of the proofs are those of `tests/proofs/figures`: a run that counts something else fails.
A run of a part of the suite, or one in which a test failed, keeps nothing and says so.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import re
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from readfresh.conformance.guarantees import GUARANTEES
from tests.matrix.reports import recorded as report_of
from tests.matrix.stores import OURS
from tests.pageproof.ledger import CLAIM
from tests.pageproof.plugin import is_partial
from tests.pageproof.site import Site, is_sequence
from tests.proofs.figures import recorded
from tests.proofs.rungs import PARTS
from tests.proofs.teeth import matrix
from tests.sabotage.faults import all_faults
from tests.servers.binaries import Missing, find_postgresql, find_redis

ROOT = Path(__file__).resolve().parents[2]
LAST_RUN = Path(__file__).with_name("last_run.json")
VARIABLE = "RECORD_RUN"
SWITCHES = ("FULL_GRID", "PEERS", "LONG_RUN", "NO_SKIPS", "REQUIRE_BROWSER")
"""What decides how much a run looks at: see CONTRIBUTING."""
PACKAGES = (
    *("readfresh", "filelock", "platformdirs", "sqlalchemy", "psycopg", "click", "rich"),
    *("mkdocs", "mkdocs-material", "mermaidx", "pytest", "hypothesis", "playwright"),
)
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Recorder:
    """Counts what a run does.

    Args:
        site: the pages; None where nothing is proved.
        folder: the clone that is tested.
    """

    def __init__(self, site: Site | None, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.deselected = False
        self.outcomes: dict[str, str] = {}
        self.claimed: set[str] = set()
        self.began = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the outcome of a test: a failure counts wherever it was, in the set-up and the tear-down too."""
        if report.failed or report.when == "call" or (report.skipped and report.when == "setup"):
            known = self.outcomes.get(report.nodeid)
            self.outcomes[report.nodeid] = FAILED if FAILED in (known, report.outcome) else report.outcome
        if report.when == "call" and report.passed:
            self.claimed.update(str(value) for name, value in report.user_properties if name == CLAIM)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take a module that could not be collected for a test that failed."""
        if report.failed:
            self.outcomes[report.nodeid] = FAILED

    def pytest_deselected(self) -> None:
        """Remember that something was left out."""
        self.deselected = True

    def why_not(self, config: pytest.Config) -> str:
        """Return why the run is not kept; empty when it is."""
        if self.deselected or is_partial(config):
            return "it was of a part of the suite"
        if FAILED in self.outcomes.values():
            return "a test failed"
        return "" if self.outcomes else "it ran no test"

    def run(self) -> dict[str, Any]:
        """Return what the run has done, and what it was of."""
        outcomes = Counter(self.outcomes.values())
        return {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "commit": commit_of(self.folder),
            "system": f"{platform.system()}, {os.cpu_count()} cores",
            "switches": [name for name in SWITCHES if os.environ.get(name) == "1"],
            "seconds": round(time.monotonic() - self.began),
            "tests": {name: outcomes[name] for name in (PASSED, SKIPPED)},
            "pages": self._pages(),
            "proofs": proofs(),
            "versions": versions(),
        }

    def _pages(self) -> dict[str, int]:
        if self.site is None:
            return {}
        verified = [block for block in self.site.census.blocks if block.name in self.claimed]
        kinds = Counter(block.language for block in verified)
        return {
            "blocks": len(verified),
            "pages with blocks": len({block.path for block in verified}),
            "programs": kinds["py"],
            "diagrams": kinds["mermaid"],
            "diagrams compared with a recorded run": sum(map(is_sequence, verified)),
        }


def commit_of(folder: Path) -> str:
    """Return the commit that a clone is at, with `+` where files differ from it; empty where there is no git."""
    asked = (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    try:
        done = [subprocess.run(["git", *each], cwd=folder, capture_output=True, text=True) for each in asked]
    except FileNotFoundError:
        return ""
    if any(each.returncode for each in done):
        return ""
    return done[0].stdout.strip() + ("+" if done[1].stdout.strip() else "")


def proofs() -> dict[str, dict[str, int]]:
    """Return what each rung of the proofs has counted, parts added up; and how many faults are found, by what."""
    found: dict[str, Counter[str]] = {}
    for part in PARTS.values():
        found.setdefault(part.rung, Counter()).update(recorded(part.key)["counts"])
    faults = all_faults()
    cells = [result["status"] for store in OURS for result in report_of(store)["results"]]
    return {
        **{rung: dict(counts) for rung, counts in found.items()},
        "sabotage": {
            "faults": len(faults),
            "tests that have to fail": sum(len(fault.breaks) + len(fault.tests) for fault in faults.values()),
            "faults with a kind of test": len(matrix.teeth()),
        },
        "conformance": {"stores": len(OURS), "guarantees": len(GUARANTEES), **Counter(cells)},
    }


def versions() -> dict[str, str]:
    """Return what the run was made with."""
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    for name, find in {"PostgreSQL": _postgres, "Redis": find_redis}.items():
        try:
            said = subprocess.run([find(), "--version"], capture_output=True, text=True, check=True).stdout
        except (Missing, OSError, subprocess.CalledProcessError):
            continue
        if number := re.search(r"\d+(\.\d+)+", said):
            found[name] = number[0]
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def _postgres() -> Path:
    return find_postgresql() / "postgres"


def keep(run: Mapping[str, Any], file: Path = LAST_RUN) -> None:
    """Keep a run, in the place of the one before."""
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", "utf-8")
    temporary.replace(file)


_RECORDER = pytest.StashKey[Recorder]()
_SAID = pytest.StashKey[str]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Listen to the reports of a run that is to be kept, unless this is a worker of xdist."""
    config = session.config
    if os.environ.get(VARIABLE) == "1" and not hasattr(config, "workerinput"):
        recorder = config.stash[_RECORDER] = Recorder(config.hook.pytest_pageproof_site(config=config), config.rootpath)
        config.pluginmanager.register(recorder, "status-recorder")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Keep the run."""
    config = session.config
    if (recorder := config.stash.get(_RECORDER, None)) is None:
        return
    if reason := recorder.why_not(config):
        config.stash[_SAID] = f"the run is not kept: {reason}"
        return
    keep(recorder.run(), config.rootpath / LAST_RUN.relative_to(ROOT))
    config.stash[_SAID] = "the run is kept; `python3 dev.py update tests/status` writes the status page"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say whether it was kept."""
    if said := config.stash.get(_SAID, ""):
        terminalreporter.line(said)
