"""Hypothesis, drawing the same in every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import engine
from hypothesis.internal.conjecture.providers import HypothesisProvider


def repeatable(examples: int, steps: int = 50) -> settings:
    """Return settings with which a test draws the same in every run of `drawing_the_same`."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )


@contextmanager
def drawing_the_same(shrink_seconds: float) -> Iterator[None]:
    """Draw nothing that depends on which modules have been imported, and end the search for a shorter example in time.

    Hypothesis draws, now and then, a constant that it has seen in a module of ours.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HypothesisProvider, "_maybe_draw_constant", lambda *_arguments, **_named: None)
        patch.setattr(engine, "MAX_SHRINKING_SECONDS", shrink_seconds)
        yield
