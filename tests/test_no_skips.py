"""`NO_SKIPS=1` leaves no way to skip: not in a test, not by a mark, not in a fixture, not while collecting.

What the kernel lacks, of a list of names, is the one exemption.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = """
import pytest

from tests.no_skips import lacking

def test_passes(): pass
def test_skips(): pytest.skip("here")
@pytest.mark.skip(reason="by a mark")
def test_marked(): pass
@pytest.fixture
def absent(): pytest.skip("in a fixture")
def test_fixture(absent): pass
@pytest.mark.xfail(reason="known", strict=True)
def test_expected_to_fail(): assert False
def test_needs_ptrace(): lacking("ptrace", "Operation not permitted")
def test_needs_a_wish():
    with pytest.raises(ValueError, match="a wish"):
        lacking("a wish", "no")
"""


@pytest.mark.parametrize(
    ("no_skips", "closing"),
    [("0", "2 passed, 5 skipped, 1 xfailed"), ("1", "1 failed, 2 passed, 1 skipped, 1 xfailed, 3 errors")],
)
def test_every_skip_fails(tmp_path: Path, no_skips: str, closing: str) -> None:
    """Each kind of skip fails the run, with its reason; an expected failure is none.

    What the kernel lacks stays a skip, and is named; nothing else can be lacking.
    """
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.skip('whole', allow_module_level=True)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", "--rootdir", str(tmp_path), str(tmp_path)]
    environment = os.environ | {"NO_SKIPS": no_skips, "PYTHONPATH": str(ROOT)}
    more = ["-rs", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = subprocess.run([*command, *more], cwd=tmp_path, env=environment, text=True, capture_output=True)
    assert done.stdout.splitlines()[-1].startswith(closing), done.stdout
    assert done.returncode == int(no_skips)
    assert "this kernel lacks ptrace: Operation not permitted" in done.stdout
    if no_skips == "1":
        for reason in ("here", "by a mark", "in a fixture", "whole"):
            assert f"which NO_SKIPS=1 forbids: Skipped: {reason}" in done.stdout
