"""Every code block of every page, the README and the docstrings does what it says."""

from tests.pageproof.plugin import Claims
from tests.pageproof.site import Case


def test_only_the_house_grammar_is_used(pageproof: Claims) -> None:
    """What is in no rule of the grammar would be run by nobody, so it fails with file and line."""
    pageproof.none(pageproof.census.problems)


def test_block(case: Case, pageproof: Claims) -> None:
    """A reader who pastes the block into an empty folder sees what the page shows."""
    pageproof.verify(case)


def test_spoiled(case: Case, pageproof: Claims) -> None:
    """A block that is spoiled, in one expectation or by an appended failure, turns red: its check can fail."""
    pageproof.spoil(case)
