"""What the kit found, store by store: run anew, kept in `reports/<store>.json`, and compared.

A report says what depends on the store alone: no times and no places of a machine.
How many schedules and kills there were, and how many messages outlived two writers, differ from run to run: they are
kept as they were on the day of the record, and not compared.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from readfresh.conformance import GUARANTEES
from tests.matrix.stores import Store
from tests.peers.environments import ROOT, environment, python

FOLDER = Path(__file__).with_name("reports")
KEPT = ("guarantee", "status", "reason", "history", "mermaid", "schedules", "kills")
# No store needs as long for all of its checks; one that does hangs.
PATIENCE_SECONDS = 1800.0


def recorded(store: Store) -> dict[str, Any]:
    """Return the report that the pages show."""
    found: dict[str, Any] = json.loads((FOLDER / f"{store.key}.json").read_bytes())
    return found


def recording_of(store: Store, slug: str) -> str:
    """Return the name that a fence gives the history of a broken guarantee, for the comparison with the report."""
    return f"matrix/{store.key}/{slug}"


def record(store: Store, report: dict[str, Any]) -> None:
    """Make it the report that the pages show."""
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    (FOLDER / f"{store.key}.json").write_text(text, "utf-8")


def fresh(store: Store, folder: Path, only: Sequence[str] = ()) -> dict[str, Any]:
    """Run the kit and the two writers over a store, in its own environment, and return the report.

    Args:
        store: which one.
        folder: where to; it is made.
        only: the guarantees to check; all when there are none.

    Raises:
        AssertionError: the kit could not run, with what it said.
    """
    folder.mkdir()
    if store.peer:
        interpreter, variables = str(python(store.peer)), environment(folder)
    else:
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        interpreter, variables = sys.executable, {**os.environ, "PYTHONPATH": path}

    def say(module: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [interpreter, "-m", module, store.factory, *words],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    asked = [word for slug in only for word in ("--only", slug)]
    done = say("readfresh.conformance", "--json", "report.json", *asked)
    assert (folder / "report.json").exists(), done.stdout + done.stderr
    counted = say("tests.matrix.stress")
    assert counted.returncode == 0, counted.stderr
    found = json.loads((folder / "report.json").read_bytes())
    return whole(found, json.loads(counted.stdout.splitlines()[-1]))


def whole(found: dict[str, Any], stress: dict[str, Any]) -> dict[str, Any]:
    """Return the report to keep, of what the kit wrote and of what came of the two writers."""
    said = found["description"]
    not_its_own = said["not_its_own"]
    checked = {each["guarantee"]: each for each in found["results"]}
    assert checked.keys() <= set(GUARANTEES)
    results = [
        _unchecked(slug, not_its_own[slug]) if slug in not_its_own else {name: checked[slug][name] for name in KEPT}
        for slug in GUARANTEES
        if slug in not_its_own or slug in checked
    ]
    return {
        **{name: said[name] for name in ("store", "version", "configuration", "promises", "notes")},
        "run": {
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            "python": ".".join(platform.python_version_tuple()[:2]),
            "system": platform.system(),
        },
        "stress": stress,
        "results": results,
    }


def _unchecked(slug: str, reason: str) -> dict[str, Any]:
    nothing = {"history": [], "mermaid": "", "schedules": 0, "kills": 0}
    return {"guarantee": slug, "status": "not applicable", "reason": reason, **nothing}


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """Return what a fresh run has found otherwise than the report that the pages show, by what it is about."""
    found = {name: f"{old[name]} → {new[name]}" for name in ("version", "configuration") if old[name] != new[name]}
    before = {each["guarantee"]: each for each in old["results"]}
    for after in new["results"]:
        was = before[after["guarantee"]]
        if was["status"] != after["status"]:
            words = f"{was['status']} ({was['reason']}) → {after['status']} ({after['reason']})"
            found[after["guarantee"]] = "\n".join([words, *after["history"]])
    return found
