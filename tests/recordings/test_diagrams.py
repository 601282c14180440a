"""No sequence diagram of the pages is without its recording, and a store that breaks a promise draws another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pageproof import diagram
from tests.pageproof.mutants import kill
from tests.pageproof.plugin import Claims
from tests.pageproof.scan import Block
from tests.pageproof.site import is_sequence
from tests.recordings.scenarios import all_scenarios
from tests.sabotage.faults import all_faults

# A fault that each recording shows; of a guarantee, one that breaks it.
SHOWN_BY = {
    "no_lost_update": "lock-released-between-read-and-write",
    "read_fresh": "first-read-kept-for-ever",
    "all_or_nothing": "written-in-place",
    "durable": "no-directory-fsync",
    "nothing_else_changes": "unknown-fields-dropped",
    "damage_is_kept": "damaged-is-reset",
    "none_is_a_value": "none-skipped",
    "replace_is_one_step": "replaced-message-by-message",
    "snapshot_is_exact": "snapshot-by-index",
    "tree_is_sound": "parent-written-first",
    "waiting_is_bounded": "timeout-answered-with-false",
    "cache_is_invisible": "cache-that-must-be-invalidated",
    "a_turn_is_kept": "history-replaced",
    "a_save_step_by_step": "no-fsync",
    "a_fork_step_by_step": "parent-written-first",
    "a_stopped_holder": "no-lock",
    "home": "lock-released-between-read-and-write",
    "quickstart": "lock-released-between-read-and-write",
    "a_change_step_by_step": "db-reads-before-it-locks",
    "move_to_postgresql": "db-reads-before-it-locks",
}


def _diagrams(pageproof: Claims) -> list[Block]:
    return [block for block in pageproof.census.blocks if is_sequence(block)]


def test_every_sequence_diagram_has_its_recording(pageproof: Claims) -> None:
    """Each names one that there is: a scenario, a history of the kit, or one of the matrix. None says why not."""
    found = _diagrams(pageproof)
    assert len(found) >= 60
    assert [block.name for block in found if block.get("run") not in pageproof.site.recordings] == []
    assert [block.name for block in found if block.get("unrecorded") or block.get("unrun")] == []
    assert (pageproof.site.unrecorded_budget, pageproof.site.unrun_budget) == (0, 0)


def test_every_recording_is_on_a_page(pageproof: Claims) -> None:
    """Nothing is recorded that no reader sees."""
    assert pageproof.site.recordings.keys() == {block.get("run") for block in _diagrams(pageproof)}


def test_every_guarantee_shows_its_own_fault() -> None:
    """Each scenario that plays a store of ours has a fault that it shows, and a guarantee one that breaks it."""
    faults = all_faults()
    programs = {
        name
        for name, scenario in all_scenarios().items()
        if scenario.play.__module__.endswith((".of_programs", ".of_faults"))
    }
    assert SHOWN_BY.keys() == all_scenarios().keys() - programs
    slugs = {slug for fault in faults.values() for slug in fault.breaks}
    guarantees = {name: fault for name, fault in SHOWN_BY.items() if name.replace("_", "-") in slugs}
    assert len(guarantees) == 13
    assert [name for name, fault in guarantees.items() if name.replace("_", "-") not in faults[fault].breaks] == []


@pytest.mark.parametrize("name", SHOWN_BY)
def test_a_broken_store_turns_the_diagram_red(name: str, pageproof: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure says which lines of the page the broken store does not draw."""
    monkeypatch.setattr(diagram, "check", lambda *_: None)  # whether it can be drawn is not the question here
    case = next(case for case in pageproof.census.cases if case.blocks[0].get("run") == name)
    red = kill(pageproof.site, case, all_faults()[SHOWN_BY[name]].apply)
    assert red, f"the diagram of {name} is the same with {SHOWN_BY[name]}"
    assert "the page says otherwise than the run" in red or "its recording raised" in red


def test_two_names_for_one_design_are_two_diagrams(tmp_path: Path) -> None:
    """The broken program and the mended one of the page of two caches answer differently, in the last message."""
    drawn = []
    for name in ("two_caches_broken", "two_caches_fixed"):
        (tmp_path / name).mkdir()
        drawn.append(all_scenarios()[name].draw(tmp_path / name).splitlines())
    broken, fixed = drawn
    assert broken[:-1] == fixed[:-1]
    assert (broken[-1], fixed[-1]) == ("    B->>B: get_children, 0 children", "    B->>B: get_children, 1 child")
