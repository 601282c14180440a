"""Percentiles, and ratios of paired runs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from tests.benchmark.results import Row


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how many times the other one is, as the median of what it was in each round."""
    return statistics.median(a / b for a, b in zip(one, other, strict=False) if b)


def find(rows: Iterable[Row], **wanted: Any) -> Row | None:
    """Return the row that has these values, or None where it was not measured."""
    for row in rows:
        if all(row.get(name) == value for name, value in wanted.items()):
            return row
    return None
