"""The pages about the proofs show what the last run has counted, and nothing else."""

from __future__ import annotations

import pytest

from tests.proofs.pages import PAGES, ROOT, RUNGS, TABLES
from tests.tables import names_in, written


def test_pages_show_what_was_counted(pytestconfig: pytest.Config) -> None:
    """Each table is what the figures make of it, to the letter; with `--update-examples` it is written."""
    for page in PAGES:
        path = ROOT / page
        text = path.read_text("utf-8")
        if pytestconfig.getoption("--update-examples"):
            path.write_text(written(text, TABLES), "utf-8")
        assert path.read_text("utf-8") == written(text, TABLES), f"{page}: run `python3 dev.py update tests/proofs`"


def test_every_table_is_on_a_page() -> None:
    """What was counted is shown, each table once."""
    shown = [name for page in PAGES for name in names_in((ROOT / page).read_text("utf-8"))]
    assert sorted(shown) == sorted(TABLES)
    assert set(RUNGS) <= set(shown)


def test_a_wrong_figure_is_seen() -> None:
    """A page whose table says something else is not what it has to be."""
    text = (ROOT / PAGES[0]).read_text("utf-8")
    assert written(text.replace("orders,", "orders and more,"), TABLES) != text.replace("orders,", "orders and more,")
