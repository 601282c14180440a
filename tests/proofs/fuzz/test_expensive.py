"""What was found to take the square of its size, file by file, so that one command shows one bug."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.proofs.fuzz.growth import grows_too_fast
from tests.proofs.fuzz.hostile import CASES
from tests.proofs.fuzz.trial import quick

# Sizes at which the square stands well above what else a call takes, on a busy machine too.
FOUND = {
    "a key twice among many": 1_000,
    "blank lines before the messages": 1_000,
    "small messages on one line": 1_000,
    "many values under a long key": 1_000,
    "a pooled message that a snapshot names often": 150,
    "tool calls whose ids have one hash": 1_000,
    "a child that is listed often": 40,
}


@pytest.mark.parametrize("name", FOUND)
def test_it_takes_the_square_no_more(name: str) -> None:
    """Eight times as much takes about eight times as long: what was mended stays so."""
    case = replace(next(case for case in CASES if case.name == name), size=FOUND[name])
    with quick(shares_loads=False):
        assert grows_too_fast(case, next(iter(case.uses.values()))) is None
