"""`NO_SKIPS=1` turns every skip into a failure: what is to look at everything may not leave anything out.

There is one exemption: a test that needs what this machine's kernel lacks, of the list `ABILITIES`.
It calls `lacking` when it has tried the ability and the kernel has refused it; its skip then stays a skip.
A program that is not installed is not the kernel's lack.
"""

import os
from collections.abc import Generator
from typing import NoReturn

import pytest

ABILITIES = ("loop mounts", "mounts", "ptrace")


def lacking(ability: str, refusal: str) -> NoReturn:
    """Skip the test that calls it, with `NO_SKIPS=1` too, because the kernel lacks an ability.

    Args:
        ability: one of `ABILITIES`.
        refusal: what the kernel said when it was asked.
    """
    if ability not in ABILITIES:
        raise ValueError(
            f"no test may skip for want of {ability!r}; tests.no_skips.ABILITIES names what may be lacking"
        )
    pytest.skip(f"{_lack_of(ability)}: {refusal}")


def _lack_of(ability: str) -> str:
    return f"this kernel lacks {ability}"


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("NO_SKIPS") != "1" or not report.skipped or hasattr(report, "wasxfail"):
        return
    where, line, reason = report.longrepr if isinstance(report.longrepr, tuple) else (report.nodeid, 0, report.longrepr)
    if str(reason).startswith(tuple(f"Skipped: {_lack_of(ability)}: " for ability in ABILITIES)):
        return
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
