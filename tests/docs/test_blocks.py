"""Every code block of every page, the README and the docstrings does what it says."""

import pytest

from tests.full_grid import FULL_GRID
from tests.pageproof.lint import lint
from tests.pageproof.plugin import Claims, cases_of
from tests.pageproof.rendered import compare_examples, compare_html, compare_markdown
from tests.pageproof.site import Case
from tests.site.build import BuiltSite


def test_only_the_house_grammar_is_used(pageproof: Claims) -> None:
    """What is in no rule of the grammar would be run by nobody, so it fails with file and line."""
    pageproof.none(pageproof.census.problems)


def test_readers_of_the_site_see_exactly_these_blocks(pageproof: Claims, live_site: BuiltSite) -> None:
    """The code and the diagrams in the built HTML are those that the scan claims, no more and no less.

    Where the diagrams are drawn already, the rest of each page is the same: see `tests/site/test_drawings.py`.
    """
    pageproof.none(compare_html(pageproof.site, live_site.folder))


def test_readers_of_the_files_see_exactly_these_blocks(pageproof: Claims) -> None:
    """The README and the docstrings show the same blocks where code hosts and editors render them."""
    pageproof.none(compare_markdown(pageproof.site) + compare_examples(pageproof.site))


def test_programs_are_clean(pageproof: Claims) -> None:
    """Ruff finds no unused import, no undefined name and no likely bug in what readers copy."""
    pageproof.none(lint(pageproof.site))


def test_block(case: Case, pageproof: Claims) -> None:
    """A reader who pastes the block into an empty folder sees what the page shows."""
    pageproof.verify(case)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the cases that are spoiled."""
    if "sample" in metafunc.fixturenames:
        cases = cases_of(metafunc.config)[:: 1 if FULL_GRID else 6]
        metafunc.parametrize("sample", cases, ids=[case.name for case in cases])


def test_spoiled(sample: Case, pageproof: Claims) -> None:
    """A block that is spoiled, in one expectation or by an appended failure, turns red: its check can fail.

    Most take a run of their case, so the normal run spoils one block of every sixth one; `FULL_GRID=1` spoils all.
    """
    one = sample.blocks[sum(sample.name.encode()) % len(sample.blocks)]
    pageproof.spoil(sample, None if FULL_GRID else [one])
