"""The figures of the last run: what each part counted, how long it took, and where.

They are kept in `figures/<part>.json`, and the pages are written from there.
A run that counts something else fails; `--update-examples` writes what it counted.
Times are those of the run that was recorded, and decide nothing.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.rung import Part

FOLDER = Path(__file__).with_name("figures")


def recorded(key: str) -> dict[str, Any]:
    """Return what was kept of a part."""
    found: dict[str, Any] = json.loads((FOLDER / f"{key}.json").read_text("utf-8"))
    return found


def prove(part: Part, folder: Path, config: pytest.Config) -> None:
    """Run a part, which must find nothing, and compare its counts with those that the pages show."""
    began = time.monotonic()
    ran = part.run(folder)
    seconds = time.monotonic() - began
    if ran.finding is not None:
        pytest.fail(str(ran.finding), pytrace=False)
    assert ran.counts
    assert all(ran.counts.values()), f"it tried nothing: {dict(ran.counts)}"
    if config.getoption("--update-examples", False):
        record(part.key, {"what": part.what, "counts": dict(ran.counts), "seconds": round(seconds, 1)})
    kept = recorded(part.key)
    same = {name: count for name, count in ran.counts.items() if name not in ran.varying}
    assert kept["what"] == part.what
    assert {name: kept["counts"].get(name) for name in same} == same, (
        "`python3 dev.py update tests/proofs` writes the new figures"
    )


def record(key: str, figures: dict[str, Any]) -> None:
    """Keep figures, and what they were made with."""
    run = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
    }
    text = json.dumps({**figures, "run": run}, indent=2, ensure_ascii=False) + "\n"
    (FOLDER / f"{key}.json").write_text(text, "utf-8")
