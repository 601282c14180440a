"""The figures of a save are what a save leaves after each step."""

from __future__ import annotations

import pytest

from tests.proofs.power.simulated import SimulatedDisk
from tests.recordings.steps import ARROWS, PAGE, TABLES, steps
from tests.tables import names_in, written


def test_figures_are_what_a_save_leaves(pytestconfig: pytest.Config) -> None:
    """Each figure of the page is drawn from a run; with `--update-examples` they are written."""
    text = PAGE.read_text("utf-8")
    if pytestconfig.getoption("--update-examples", False):
        PAGE.write_text(written(text, TABLES), "utf-8")
    assert PAGE.read_text("utf-8") == written(text, TABLES), "run `python3 dev.py update tests/recordings`"
    assert names_in(text) == list(TABLES), "every step once, in the order in which they are made"


def test_every_step_has_its_figure() -> None:
    """A save makes the steps that are drawn, in this order."""
    assert list(steps()) == list(ARROWS)


def test_the_old_session_or_the_new_one() -> None:
    """After each step a reader finds one of the two, and so does whoever comes after a loss of power."""
    seen = [step.files["F"] for step in steps().values()]
    assert seen == sorted(seen)
    assert set(seen) == {"1 message", "2 messages"}
    assert all(step.found <= {"1 message", "2 messages"} for step in steps().values())
    assert steps()["replace"].found == {"1 message", "2 messages"}
    assert steps()["sync_directory"].found == {"2 messages"}


def test_without_a_flush_a_figure_tells_of_a_torn_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the content is not flushed before the rename, a loss of power leaves worse, and the figure says so."""
    monkeypatch.setattr(SimulatedDisk, "fsync", lambda disk, _descriptor: disk.moment("fsync"))
    steps.cache_clear()
    try:
        assert "a torn file" in steps()["replace"].found
    finally:
        steps.cache_clear()
