"""One function for each guarantee: it returns what it showed, or raises `Broken` or `NotApplicable`."""

from __future__ import annotations

from collections.abc import Callable

from readfresh.conformance.arena import Run
from readfresh.conformance.checks import content, replacing, trees, turns, waiting, writing

__all__ = ["CHECKS"]

CHECKS: dict[str, Callable[[Run], str]] = {
    "no-lost-update": writing.no_lost_update,
    "read-fresh": writing.read_fresh,
    "all-or-nothing": writing.all_or_nothing,
    "durable": writing.durable,
    "nothing-else-changes": content.nothing_else_changes,
    "damage-is-kept": content.damage_is_kept,
    "ids-are-apart": content.ids_are_apart,
    "none-is-a-value": content.none_is_a_value,
    "replace-is-one-step": replacing.replace_is_one_step,
    "snapshot-is-exact": replacing.snapshot_is_exact,
    "tree-is-sound": trees.tree_is_sound,
    "waiting-is-bounded": waiting.waiting_is_bounded,
    "cache-is-invisible": replacing.cache_is_invisible,
    "a-turn-is-kept": turns.a_turn_is_kept,
}
