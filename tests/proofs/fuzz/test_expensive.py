"""What was found to take the square of its size, file by file, so that one command shows one bug."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.proofs.fuzz.growth import too_expensive
from tests.proofs.fuzz.hostile import CASES
from tests.proofs.fuzz.trial import quick

# Sizes at which the square stands well above what else a call takes.
FOUND = {
    "a key twice among many": 1_000,
    "blank lines before the messages": 1_000,
    "small messages on one line": 1_000,
    "many values under a long key": 1_000,
    "a pooled message that a snapshot names often": 40,
    "tool calls whose ids have one hash": 1_000,
    "a child that is listed often": 40,
}


@pytest.mark.parametrize("name", FOUND)
def test_it_takes_the_square_no_more(name: str) -> None:
    """Twice as much takes twice the steps and the memory, and a vast file is read to its end: what was mended stays."""
    case = replace(next(case for case in CASES if case.name == name), size=FOUND[name])
    with quick(shares_loads=False):
        assert too_expensive(case, next(iter(case.uses))) is None
