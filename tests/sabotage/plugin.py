"""The pytest plugin that applies the fault named by READFRESH_SABOTAGE, before any test is collected.

With READFRESH_SABOTAGE_REPORT it writes there, as JSON, what became of each test.
"""

import json
import os
from pathlib import Path

import pytest

from tests.sabotage.faults import HERE, REPORT_VARIABLE, VARIABLE, apply_named

outcomes: dict[str, dict[str, str]] = {}


def pytest_configure() -> None:
    """Apply the fault here, and in every Python process that this one starts."""
    if os.environ.get(VARIABLE):
        hook = str(HERE / "hook")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [hook, os.environ.get("PYTHONPATH")]))
        apply_named()


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember how a test ended, and where what it raised was raised."""
    if call.when != "call" and not call.excinfo:
        return
    outcome = {"when": call.when, "how": "passed", "where": ""}
    if call.excinfo and not call.excinfo.errisinstance(pytest.skip.Exception):
        innermost = call.excinfo.traceback[-1]
        outcome |= {"how": call.excinfo.exconly().partition("\n")[0], "where": str(innermost.path)}
    elif call.excinfo:
        outcome["how"] = "skipped"
    outcomes.setdefault(item.nodeid, outcome)


def pytest_sessionfinish() -> None:
    """Write the report where it was asked for."""
    if path := os.environ.get(REPORT_VARIABLE):
        Path(path).write_text(json.dumps(outcomes))
