"""For each classic fault, a small broken store: the kit names the guarantees that it breaks, and no others.

The normal run checks one store of each guarantee for what it breaks, and draws its diagram.
`FULL_GRID=1` checks every store for everything, and draws every diagram; .ci/run sets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pytest

from readfresh.conformance import GUARANTEES, Report, check
from tests.conformance import broken
from tests.conformance.base import GoodStore
from tests.conformance.diagrams import draw
from tests.full_grid import FULL_GRID

T = TypeVar("T")

FAULTS: dict[type[GoodStore], set[str]] = {
    # A turn is two appends: what an append loses, a turn loses.
    broken.Unlocked: {"no-lost-update", "a-turn-is-kept"},
    broken.LockedTwice: {"no-lost-update", "a-turn-is-kept"},
    broken.LockedAmongThreads: {"no-lost-update", "a-turn-is-kept"},
    broken.UnlockedInAThread: {"no-lost-update", "a-turn-is-kept"},
    broken.InPlaceInAThread: {"all-or-nothing"},
    broken.LockGivenUp: {"no-lost-update", "waiting-is-bounded"},
    broken.StaleCache: {"read-fresh"},
    broken.CacheByTime: {"read-fresh"},
    # What others add is neither seen nor kept, that of another worker's turn too.
    broken.WritesFromCache: {"no-lost-update", "read-fresh", "a-turn-is-kept"},
    broken.InPlace: {"all-or-nothing"},
    broken.ReadersWait: {"all-or-nothing"},
    # What is in one process's memory is nowhere else.
    broken.Buffered: {"no-lost-update", "read-fresh", "all-or-nothing", "durable", "a-turn-is-kept"},
    broken.FieldsWiped: {"nothing-else-changes"},
    broken.SilentReset: {"damage-is-kept"},
    broken.DamageMovedAway: {"damage-is-kept"},
    broken.NamelessError: {"damage-is-kept"},
    broken.TwoIdsOneFile: {"ids-are-apart"},
    broken.IdIsAPath: {"ids-are-apart"},
    broken.DeadHolder: {"waiting-is-bounded"},
    broken.WaitsForEver: {"waiting-is-bounded"},
}
# What holds no message yet cannot be damaged.
NOT_APPLICABLE: dict[type[GoodStore], set[str]] = {broken.Buffered: {"damage-is-kept"}}
# Stores that are ours but for one verb, which the slow checks say nothing about.
FAULTS_OF_TREES = {
    broken.NoneSkipped: {"none-is-a-value"},
    # The snapshots are among what is gone.
    broken.BaseClassWrites: {"nothing-else-changes", "snapshot-is-exact"},
    broken.ReplacedInTwoSteps: {"replace-is-one-step"},
    broken.TimestampsDropped: {"replace-is-one-step"},
    broken.SnapshotByIndex: {"snapshot-is-exact"},
    broken.ChildListedFirst: {"tree-is-sound"},
    broken.ParentBroughtBack: {"tree-is-sound"},
    broken.CacheThatShows: {"read-fresh", "cache-is-invisible"},
}
FIVE = {
    *("no-lost-update", "read-fresh", "all-or-nothing", "durable", "nothing-else-changes", "damage-is-kept"),
    *("ids-are-apart", "waiting-is-bounded", "a-turn-is-kept"),
}
SLOW = {"no-lost-update", "all-or-nothing", "tree-is-sound"}
BREAKS: list[tuple[type, set[str]]] = [*FAULTS.items(), *FAULTS_OF_TREES.items()]
DRAWN = {slug: next(store for store, breaks in BREAKS if slug in breaks) for slug in GUARANTEES}


def wanted(faults: Mapping[type[T], set[str]]) -> list[tuple[type[T], set[str]]]:
    """Return the stores that are checked in this run."""
    return [(store, breaks) for store, breaks in faults.items() if FULL_GRID or store in DRAWN.values()]


def asked_of(breaks: set[str], of_all: set[str]) -> list[str]:
    """Return the guarantees that a store is checked for in this run."""
    return [slug for slug in GUARANTEES if slug in (of_all if FULL_GRID else breaks)]


def draw_some(store: type, breaks: set[str], report: Report) -> None:
    """Draw the diagrams of a store that are drawn in this run."""
    for slug in breaks:
        if FULL_GRID or DRAWN[slug] is store:
            draw(report.results[slug].mermaid)


@pytest.mark.parametrize(("store", "breaks"), wanted(FAULTS), ids=[store.__name__ for store, _ in wanted(FAULTS)])
def test_a_fault_is_found_under_its_name(store: type[GoodStore], breaks: set[str]) -> None:
    """The guarantees that a fault breaks are broken, with a history and a diagram; the others are kept."""
    asked = asked_of(breaks, set(GUARANTEES))
    report = check(store, asked, patience=2.0, appends=20)
    assert set(report.with_status("broken")) == breaks, report.to_text()
    kept = FIVE.intersection(asked) - breaks - NOT_APPLICABLE.get(store, set())
    assert set(report.with_status("kept")) == kept, report.to_text()
    assert report.exit_status == 1
    for slug in breaks:
        assert report.results[slug].history[-1] == f"So: {report.results[slug].reason}"
    draw_some(store, breaks, report)


@pytest.mark.parametrize(
    ("store", "breaks"), wanted(FAULTS_OF_TREES), ids=[store.__name__ for store, _ in wanted(FAULTS_OF_TREES)]
)
def test_a_fault_of_a_tree_is_found_under_its_name(store: type[broken.GoodTree], breaks: set[str]) -> None:
    """The same, of the verbs beyond the five."""
    asked = asked_of(breaks, set(GUARANTEES) - SLOW | breaks)
    report = check(store, asked, patience=2.0, appends=20)
    assert set(report.with_status("broken")) == breaks, report.to_text()
    assert set(report.with_status("kept")) == {*asked} - breaks, report.to_text()
    draw_some(store, breaks, report)


def test_bytes_that_were_moved_are_not_said_to_be_gone() -> None:
    """Of a damaged file that was put aside, the history says that another has its bytes; of a lost one it does not."""
    said = "9. another file has its bytes now"
    assert said in check(broken.DamageMovedAway, ["damage-is-kept"]).results["damage-is-kept"].history
    overwritten = check(broken.SilentReset, ["damage-is-kept"]).results["damage-is-kept"]
    assert overwritten.status == "broken"
    assert said not in overwritten.history
