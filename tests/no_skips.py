"""`NO_SKIPS=1` turns every skip into a failure: what is to look at everything may not leave anything out."""

import os
from collections.abc import Generator

import pytest


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("NO_SKIPS") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    where, line, reason = report.longrepr if isinstance(report.longrepr, tuple) else (report.nodeid, 0, report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{where}:{line}: skipped, which NO_SKIPS=1 forbids: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that was skipped, wherever it said so."""
    report = yield
    _forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that was skipped while it was collected, as `importorskip` does."""
    report = yield
    _forbid(report)
    return report
