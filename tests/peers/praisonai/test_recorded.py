"""What our pages and fixtures say that PraisonAI does, it does: each is made anew by its package and compared.

With `--update-examples` the records are written instead: read what changed, then run again without.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.peers.live import ROOT, needs_peers, run
from tests.peers.praisonai.kept import measure
from tests.peers.praisonai.steps import Step, record, recorded, steps_of_the_page

needs_peers()

PROGRAMS = sorted((ROOT / "examples/praisonai").glob("*.py"))
SESSIONS = sorted((ROOT / "tests/store/praisonai").glob("*.json"))


@pytest.fixture
def update(pytestconfig: pytest.Config) -> bool:
    """Tell whether records are to be written."""
    return bool(pytestconfig.getoption("--update-examples"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_program_of_the_differences_prints_what_was_recorded(program: Path, tmp_path: Path, update: bool) -> None:
    """Each program of the page of the differences, run with PraisonAI's package in an empty folder."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(program, home)
    done = run("praisonai", home, program.name, "praisonaiagents.session")
    assert (done.returncode, done.stderr) == (0, "")
    record_of = program.parent / "recorded" / f"{program.stem}.txt"
    if update:
        record_of.write_text(done.stdout, "utf-8")
    assert done.stdout == record_of.read_text("utf-8")


def test_the_session_files_are_those_that_it_writes(tmp_path: Path, update: bool) -> None:
    """The files that the normal test run reads are, byte for byte, what its stores write today."""
    made = ROOT / "tests/store/praisonai"
    if not update:
        made = tmp_path / "made"
        made.mkdir()
    done = run("praisonai", tmp_path / "home", str(ROOT / "tests/store/praisonai/make.py"), str(made))
    assert done.returncode == 0, done.stderr
    assert [path.name for path in SESSIONS] == sorted(path.name for path in made.glob("*.json"))
    for path in SESSIONS:
        assert (made / path.name).read_text("utf-8") == path.read_text("utf-8"), path.name


def test_what_its_writers_keep_is_as_recorded(tmp_path: Path, update: bool) -> None:
    """Each field of a session of ours after each of its verbs that writes, by either of its stores."""
    found = measure(tmp_path)
    if update:
        record(kept=found)
    assert found == recorded()["kept"]


def test_the_steps_of_the_page_do_what_was_recorded(tmp_path: Path, update: bool) -> None:
    """The programs of the page for its users, one after the other in one folder, with both packages there."""
    home = tmp_path / "home"
    found = []
    for step in steps_of_the_page():
        home.mkdir(exist_ok=True)
        (home / step.file).write_text(step.program, "utf-8")
        variables, words = step.words()
        done = run("praisonai", home, *words, **variables)
        assert (done.returncode, done.stderr) == (0, ""), f"{step.file}: {done.stderr}"
        found.append(Step(step.file, step.program, step.command, done.stdout).as_dict())
    assert found
    if update:
        record(steps=found)
    assert found == recorded()["steps"]


def test_a_command_is_words_and_variables() -> None:
    """What stands before `python` in a console are variables of the environment."""
    step = Step("a.py", "", "A=1 B='x y' python a.py c", "")
    assert step.words() == ({"A": "1", "B": "x y"}, shlex.split("a.py c"))
