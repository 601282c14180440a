"""House rules that tools know: ruff and mypy, so that `pytest` is the only command to remember."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "."], id="ruff check"),
        pytest.param(["ruff", "format", "--check", "."], id="ruff format"),
        pytest.param(["mypy"], id="mypy"),
    ],
)
def test_linter_is_content(command: list[str]) -> None:
    """The linter finds nothing, in any file of the clone."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, text=True, capture_output=True)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
