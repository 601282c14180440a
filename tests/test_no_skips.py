"""`NO_SKIPS=1` leaves no way to skip: not in a test, not by a mark, not in a fixture, not while collecting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest

def test_passes(): pass
def test_skips(): pytest.skip("here")
@pytest.mark.skip(reason="by a mark")
def test_marked(): pass
@pytest.fixture
def absent(): pytest.skip("in a fixture")
def test_fixture(absent): pass
@pytest.mark.xfail(reason="known", strict=True)
def test_expected_to_fail(): assert False
"""


@pytest.mark.parametrize(
    ("no_skips", "closing"),
    [("0", "1 passed, 4 skipped, 1 xfailed"), ("1", "1 failed, 1 passed, 1 xfailed, 3 errors")],
)
def test_every_skip_fails(tmp_path: Path, no_skips: str, closing: str) -> None:
    """Each kind of skip fails the run, with its reason; an expected failure is none."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.skip('whole', allow_module_level=True)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = os.environ | {"NO_SKIPS": no_skips, "PYTHONPATH": str(ROOT)}
    more = ["-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = subprocess.run([*command, *more], cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert done.stdout.splitlines()[-1].startswith(closing), done.stdout
    assert done.returncode == int(no_skips)
    if no_skips == "1":
        for reason in ("here", "by a mark", "in a fixture", "whole"):
            assert f"which NO_SKIPS=1 forbids: Skipped: {reason}" in done.stdout
