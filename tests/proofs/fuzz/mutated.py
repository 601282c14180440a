"""Thousands of damaged files, and every verb of both stores on each: Hypothesis draws them, `trial` judges."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

from hypothesis import given

from tests.proofs.fuzz.corpus import corpus
from tests.proofs.fuzz.mutations import mutated
from tests.proofs.fuzz.trial import Found, Trial, quick
from tests.proofs.repeatable import drawing_the_same, repeatable
from tests.proofs.rung import Finding, Ran

SHRINK_SECONDS = 10


def try_files(examples: int, _folder: Path, *, of_json: bool) -> Ran:
    """Try files that are changed in their bytes or in their JSON, and end at the first that shows a fault.

    Args:
        examples: how many to draw; those that are alike are tried once.
        of_json: whether only values are changed, so that every file is JSON still.
    """
    seen: set[bytes] = set()
    counts: Counter[str] = Counter()
    finding = None
    with quick(), drawing_the_same(SHRINK_SECONDS):
        try:
            files = corpus()
            trial = Trial()
            for raw in files.values():
                trial.run(raw)
            trial.counts = counts

            @repeatable(examples)
            @given(mutated(files, of_json=of_json))
            def tried(raw: bytes) -> None:
                if raw not in seen:
                    trial.run(raw)
                    seen.add(raw)

            tried()
        except Found as found:
            finding = found.finding
        except Exception as error:  # of a store that is broken where a good file is made, or looked at
            finding = Finding(f"A trial ends with {type(error).__name__}: {error}")
    return Ran({"mutated files": len(seen), **dict(sorted(counts.items()))}, finding)


try_bytes = partial(try_files, of_json=False)
try_json = partial(try_files, of_json=True)
