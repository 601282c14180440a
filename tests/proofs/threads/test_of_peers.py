"""Other people's stores, each in its own environment, lose what the record says, in the schedule that it says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.stores import THEIRS, Store
from tests.peers.environments import ROOT, environment, python
from tests.peers.live import needs_peers
from tests.proofs.figures import FOLDER, record
from tests.proofs.threads.theirs import OUT_OF_SIGHT, PROGRAMS

needs_peers()

# A store waits for its locks in schedules that are many, on a machine that may be slow.
PATIENCE_SECONDS = 600


def found_in(store: Store, folder: Path) -> dict[str, Any]:
    """Run every schedule of the programs over a store, and return what was found."""
    report = folder / "found.json"
    done = subprocess.run(
        [str(python(store.peer)), "-m", "tests.proofs.threads.theirs", store.factory, str(report)],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(report.read_text("utf-8"))
    return found


@pytest.mark.parametrize("store", [one for one in THEIRS if one.key not in OUT_OF_SIGHT], ids=lambda one: one.key)
def test_a_store_loses_what_the_record_says(store: Store, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Each program loses something in the same schedule as ever, or nothing in as many."""
    found = found_in(store, tmp_path)
    key = f"threads-theirs-{store.key}"
    if pytestconfig.getoption("--update-examples"):
        record(key, found)
    kept = json.loads((FOLDER / f"{key}.json").read_text("utf-8"))
    assert found["version"] == kept["version"]
    assert list(found["programs"]) == list(PROGRAMS)
    assert _short(found) == _short(kept)


def _short(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is the same in every run: not the names of temporary files."""
    return {
        name: [
            program["schedules"],
            *(shown and [shown["what"], shown["schedule"]] for shown in (program["lost"], program["raised"])),
        ]
        for name, program in found["programs"].items()
    }
