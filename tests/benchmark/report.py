"""The tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def of(measure: str, results: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rows."""
    for row in results["measures"][measure]["rows"]:
        yield str(row)
