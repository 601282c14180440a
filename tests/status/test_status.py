"""The status page says what the run that was kept has done, and a run keeps what it has done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.docs.proof import pytest_pageproof_site
from tests.full_grid import sample
from tests.proofs.rungs import PARTS
from tests.status.page import COUNTS, PAGE, kept, tables
from tests.status.record import LAST_RUN, ROOT, VARIABLE, Recorder, commit_of, keep, proofs, versions
from tests.tables import names_in, written

TOY = """
import pytest

def test_passes(): pass

def test_passes_too(): pass

def test_skips(): pytest.skip("for a reason")
"""
FAILS = "def test_fails(): assert 0\n"
FAILS_AFTERWARDS = """
@pytest.fixture
def broken():
    yield
    assert 0

def test_fails_afterwards(broken): pass
"""


def test_the_page_shows_the_run_that_was_kept(pytestconfig: pytest.Config) -> None:
    """Each table is what the run makes of it, to the letter; with `--update-examples` it is written."""
    path = ROOT / PAGE
    text = written(path.read_text("utf-8"), tables(kept()))
    if pytestconfig.getoption("--update-examples"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, f"{PAGE}: run `python3 dev.py update tests/status`"
    assert sorted(names_in(text)) == sorted(tables(kept()))


def a_run() -> dict[str, Any]:
    """Return what a run of one test would keep of this clone."""
    recorder = Recorder(pytest_pageproof_site(), ROOT)
    recorder.outcomes["test"] = "passed"
    return recorder.run()


def test_a_changed_clone_and_a_run_without_switches_are_shown() -> None:
    """The page hides neither that files differ from the commit nor that little was looked at."""
    run = {**a_run(), "commit": "0123456789abcdef+", "switches": []}
    text = "\n".join(tables(run)["status"]())
    assert "`0123456789ab`, with files that differ from it" in text
    assert "the normal run" in text
    assert "1 passed, none failed, 0 skipped" in text


def test_without_a_run_the_page_says_so() -> None:
    """A clone that has kept no run has a page all the same, and a kind of test that is younger than a run no row."""
    assert {"\n".join(table()) for table in tables(None).values()} == {"No run has been kept yet."}
    assert tables(None).keys() == tables(a_run()).keys()
    older = {name: counts for name, counts in proofs().items() if name != "seam"}
    assert not any("#the-seam-is-complete" in line for line in tables({**a_run(), "proofs": older})["looked-at"]())


def test_every_rung_is_shown() -> None:
    """No kind of test is left out, and what is shown of it is counted."""
    now = proofs()
    assert set(COUNTS) == {part.rung for part in PARTS.values()}
    assert all(now[rung][name] > 0 for rung, shown in COUNTS.items() for name, _ in shown)
    assert set(now["conformance"]) <= {"stores", "guarantees", "kept", "not applicable"}


def run_toy(folder: Path, *arguments: str, record: bool = True, more: str = "") -> tuple[str, dict[str, object] | None]:
    """Run a suite of three tests, and more, in a clone of its own; return what it says, and what it keeps."""
    (folder / "tests/status").mkdir(parents=True)
    (folder / "tests/test_toy.py").write_text(TOY + more)
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    plugins = ("tests.pageproof.plugin", "tests.status.record")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(f"-p{name}" for name in plugins), *arguments],
        cwd=folder,
        env={**os.environ, VARIABLE: str(int(record)), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    file = folder / LAST_RUN.relative_to(ROOT)
    return done.stdout + done.stderr, json.loads(file.read_text()) if file.exists() else None


@pytest.mark.parametrize("side_by_side", [("-pno:xdist",), ("-n2",)], ids=["one process", "two workers"])
def test_a_run_keeps_what_it_has_done(tmp_path: Path, side_by_side: tuple[str, ...]) -> None:
    """Outcomes are pytest's, and the commit is that of the clone."""
    said, run = run_toy(tmp_path, *side_by_side)
    assert run is not None, said
    assert run["tests"] == {"passed": 2, "skipped": 1}
    assert run["commit"] == commit_of(tmp_path).removesuffix("+") != ""
    assert "the run is kept" in said


CASES = [
    pytest.param(("-k", "passes"), True, "", "it was of a part of the suite", id="-k"),
    pytest.param(("tests/test_toy.py::test_passes",), True, "", "it was of a part of the suite", id="one test"),
    pytest.param((), True, FAILS, "a test failed", id="fails"),
    pytest.param((), True, FAILS_AFTERWARDS, "a test failed", id="fails when it is taken down"),
    pytest.param((), True, "import no_such_module", "a test failed", id="cannot be collected"),
    pytest.param((), False, "", None, id="not asked to"),
]


@pytest.mark.parametrize(("arguments", "record", "more", "reason"), sample(CASES, 3))
def test_what_is_not_whole_and_green_is_not_kept(
    tmp_path: Path, arguments: tuple[str, ...], record: bool, more: str, reason: str | None
) -> None:
    """A page never says of a few tests, or of red ones, that all is well."""
    said, run = run_toy(tmp_path, *arguments, record=record, more=more)
    assert run is None
    assert ("the run is not kept" in said) == (reason is not None)
    assert reason is None or reason in said


def test_a_changed_clone_is_told_from_its_commit(tmp_path: Path) -> None:
    """A plus says that what was tested is not quite the commit; without git there is none."""
    assert commit_of(tmp_path) == ""
    run_toy(tmp_path, "-k", "passes")
    assert not commit_of(tmp_path).endswith("+")
    (tmp_path / "tests/test_toy.py").write_text(TOY + "\n")
    assert commit_of(tmp_path).endswith("+")


def test_what_is_kept_is_whole(tmp_path: Path) -> None:
    """A run takes the place of the one before in one step."""
    file = tmp_path / "last_run.json"
    keep({"a": 1}, file)
    keep({"a": 2}, file)
    assert json.loads(file.read_text()) == {"a": 2}
    assert os.listdir(tmp_path) == ["last_run.json"]


def test_versions_are_those_that_are_installed() -> None:
    """What the run was made with is asked, and not written down by hand."""
    assert versions()["Python"] == sys.version.split()[0]
    assert {"readfresh", "SQLite", "pytest"} <= set(versions())
