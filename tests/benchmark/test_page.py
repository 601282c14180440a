"""The page "What it costs" shows what was measured last, and nothing else."""

from __future__ import annotations

import pytest

from tests.benchmark import report, results
from tests.benchmark.goals import goals
from tests.tables import names_in


def test_the_page_shows_what_was_measured(pytestconfig: pytest.Config) -> None:
    """Each part is what the results make of it, to the letter; with `--update-examples` it is written."""
    kept = results.recorded()
    text = report.PAGE.read_text("utf-8")
    if pytestconfig.getoption("--update-examples"):
        report.PAGE.write_text(report.written(text, kept), "utf-8")
    assert report.PAGE.read_text("utf-8") == report.written(text, kept), "run `python3 dev.py update tests/benchmark`"


def test_every_part_is_on_the_page_once() -> None:
    """What was measured is shown."""
    assert sorted(names_in(report.PAGE.read_text("utf-8"))) == sorted(report.PARTS)


def test_a_wrong_figure_is_seen() -> None:
    """A page with another figure is not what it has to be."""
    kept = results.recorded()
    text = report.PAGE.read_text("utf-8")
    assert "`files-process`" in text
    wrong = text.replace("| yes |", "| no |").replace("| **no** |", "| yes |")
    assert wrong != text
    assert report.written(wrong, kept) == text


def test_each_goal_is_computed() -> None:
    """Every goal of the page has its figure in results.json."""
    kept = results.recorded()
    assert [goal.what for goal in goals() if goal.measured(kept) is None] == []
