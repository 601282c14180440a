"""One function for each guarantee: it returns what it showed, or raises `Broken` or `NotApplicable`."""

from __future__ import annotations

from collections.abc import Callable

from readfresh.conformance.arena import Run
from readfresh.conformance.checks import content, writing

__all__ = ["CHECKS"]

CHECKS: dict[str, Callable[[Run], str]] = {
    "no-lost-update": writing.no_lost_update,
    "read-fresh": writing.read_fresh,
    "all-or-nothing": writing.all_or_nothing,
    "durable": writing.durable,
    "ids-are-apart": content.ids_are_apart,
}
