"""A process that is killed leaves nothing in between, nothing in the way, and nothing that stays for ever."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.full_grid import FULL_GRID
from tests.no_skips import lacking
from tests.proofs.figures import prove
from tests.proofs.kills import calls, crowd, moments
from tests.proofs.kills.calls import NoPtrace, needs_strace, traced
from tests.proofs.kills.judge import Wrong, judge, whole
from tests.proofs.kills.parts import ALL_CALLS, LONG_ONES, PARTS
from tests.proofs.kills.scene import CHILD, STATES, Scene, calls_of
from tests.proofs.kills.small import RUNS, in_small_process
from tests.proofs.kills.victim import PREFIXES, RETURNED, SIGKILLED, KillingDisk, Moment, in_victim
from tests.proofs.kills.victim import moments as all_moments
from tests.proofs.rung import Part
from tests.sabotage.faults import HERE, VARIABLE
from tests.store.support import LONG, VERBS, Kind, Verb

WITH_STRACE = [part for part in (*PARTS, ALL_CALLS) if part.name.startswith("calls")]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork(2)")


@pytest.fixture
def strace(tmp_path: Path) -> None:
    """Skip where there is no strace, or where the kernel does not let it look."""
    if why := needs_strace():
        pytest.skip(why)
    directory = tmp_path / "tried" / "sessions"
    directory.mkdir(parents=True)
    try:
        traced(lambda: None, directory)
    except NoPtrace as refusal:
        lacking("ptrace", str(refusal))


# The verbs of trees, which take three quarters of the time, are for `FULL_GRID=1`.
QUICK = [part for part in PARTS if part not in WITH_STRACE and (FULL_GRID or part.key != "kills-hierarchical")]


@pytest.mark.parametrize("part", QUICK, ids=lambda part: part.key)
def test_a_killed_process_leaves_a_whole_state(part: Part, memory_path: Path, pytestconfig: pytest.Config) -> None:
    """Wherever it is killed, what was acknowledged is there, the next writer does not wait, and litter is swept."""
    prove(part, memory_path, pytestconfig)


if LONG:

    @pytest.mark.parametrize("part", LONG_ONES, ids=lambda part: part.key)
    def test_a_process_killed_on_a_real_disk(part: Part, tmp_path: Path, pytestconfig: pytest.Config) -> None:
        """The same, of everything combined, where every flush is waited for."""
        prove(part, tmp_path, pytestconfig)


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("part", WITH_STRACE if LONG else WITH_STRACE[:1], ids=lambda part: part.key)
def test_nothing_touches_the_disk_past_the_seam(part: Part, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """What strace counts is what the seam's steps stand for and no more; a kill at each call leaves nothing wrong."""
    prove(part, tmp_path, pytestconfig)


def test_each_part_has_a_run() -> None:
    """No part is without its run, and no run without its part."""
    assert [part.name for part in (*PARTS, ALL_CALLS, *LONG_ONES)] == list(RUNS)


# What is tried


@pytest.mark.parametrize("kind", [DefaultSessionStore, HierarchicalSessionStore])
def test_every_verb_that_writes_is_called(kind: Kind) -> None:
    """Every verb of the table that writes is called on a session that is there, and some in each other way."""
    hierarchical = kind is HierarchicalSessionStore
    expected = {verb.name for verb in VERBS if verb.writes and (hierarchical or not verb.hierarchical)}
    cases = list(moments.cases(kind))
    assert expected < {call.name for state, _, call in cases if state == "there"}
    assert {state for state, _, _ in cases} == set(STATES)
    assert {durability for _, durability, _ in cases} == {"power", "process"}
    assert set(crowd.WAITING) | set(crowd.HOLDING) | set(moments.DIFFERENT) <= {verb.name for verb in VERBS}
    assert {name for of, name in calls.FEW if of is kind} <= {call.name for call in calls_of(kind, "there")}


def test_moments_are_before_and_after_each_step_and_within_each_write() -> None:
    """A write has a moment for each prefix; between two steps there is one moment, or two where all are asked for."""
    steps = [("create", "a"), ("write", "a"), ("close", "a")]
    torn = [Moment(1, when) for when in PREFIXES]
    first, second, third = (Moment(number, "before") for number in range(3))
    end = [Moment(2, "after"), Moment(3, RETURNED)]
    few = all_moments(steps, all_of_them=False)
    assert few == [first, second, *torn, third, *end]
    everything = all_moments(steps, all_of_them=True)
    assert everything == [first, Moment(0, "after"), second, *torn, Moment(1, "after"), third, *end]


@pytest.mark.parametrize(
    ("when", "written"), [("before", 0), ("no byte", 0), ("one byte", 1), ("half", 5), ("all but one byte", 9)]
)
def test_a_torn_write_is_really_written(tmp_path: Path, when: str, written: int) -> None:
    """The process is dead, and of ten bytes as many stand in the file as the moment says."""

    def act() -> None:
        disk = KillingDisk(tmp_path, Moment(1, when))
        disk.write(disk.create(str(tmp_path / "file")), b"0123456789")

    assert in_victim(act) == SIGKILLED
    assert (tmp_path / "file").read_bytes() == b"0123456789"[:written]


def test_a_victim_that_is_not_killed_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A moment that never comes, and an error, are told apart from a kill."""
    assert in_victim(lambda: KillingDisk(tmp_path, Moment(5, "before")).exists(str(tmp_path))) == 0
    assert in_victim(lambda: [][0]) == 1
    assert "IndexError" in capfd.readouterr().err


# What is found


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda at: (at / "trip.json").write_bytes(b""), "neither as before nor as after: trip.json is 0 bytes"),
        (lambda at: (at / "other.json").unlink(), "neither as before nor as after: other.json is missing"),
        (
            lambda at: (at / f"{CHILD}.json").write_bytes(b"{}"),
            f"neither as before nor as after: {CHILD}.json is 2 bytes",
        ),
        (lambda at: (at / "trip.json.tmp.1").touch(), "litter: nobody removes trip.json.tmp.1"),
        (
            lambda at: (at / "trip.json.lock").mkdir(),
            "the next one who uses it is refused: .* its lock cannot be taken",
        ),
    ],
    ids=["torn", "lost", "a child of nobody", "litter for ever", "in the way"],
)
def test_the_judge_finds_what_is_wrong(tmp_path: Path, damage: Callable[[Path], Any], said: str) -> None:
    """What a bad store leaves is told apart from what a good one leaves."""
    scene = Scene(HierarchicalSessionStore, tmp_path / "scene")
    directory = scene.put("there", tmp_path / "whole")
    disk = KillingDisk(tmp_path)
    add = next(verb for verb in VERBS if verb.name == "add_message")
    done = whole(add, scene.store(directory, "power", disk), directory, disk.steps)
    left = scene.put("there", tmp_path / "left")
    damage(left)
    with pytest.raises(Wrong, match=said):
        judge(scene, done, left)


@pytest.mark.parametrize(
    ("fault", "part", "said"),
    [
        ("written-in-place", "plain", "neither as before nor as after: trip.json is 0 bytes"),
        ("temporary-file-in-the-way", "plain", "the next one who uses it is refused"),
        ("written-behind", "plain", "add_message answered True, and what it named is as it was"),
        ("lock-that-outlives-its-holder", "plain", "litter: nobody removes trip.json.lock.claim"),
        ("no-lock", "waiting", "ended with 0 while another process held the lock"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, part: str, said: str) -> None:
    """The part runs under the fault of the process that starts it, and says what it finds and after which steps."""
    monkeypatch.setenv(VARIABLE, fault)
    monkeypatch.setenv("PYTHONPATH", str(HERE / "hook"))
    ran = in_small_process(part, tmp_path)
    assert ran.finding is not None
    assert said in ran.finding.what
    assert ran.finding.history


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(
    "past_the_seam",
    [
        lambda at: (at / "trip.json").read_bytes(),
        lambda at: os.truncate(at / "trip.json", 10),
        lambda at: os.link(at / "trip.json", at / "copy.json"),
        lambda at: (at / "trip.json").stat(),
    ],
    ids=["read", "truncate", "link", "stat"],
)
def test_a_system_call_past_the_seam_is_found(tmp_path: Path, past_the_seam: Callable[[Path], Any]) -> None:
    """A store that touches a session's file without the seam is found by strace, whatever it does there."""

    def change(store: Any, session_id: str) -> None:
        store.add_user_message(session_id, "more")
        past_the_seam(Path(store.session_dir))

    scene = Scene(DefaultSessionStore, tmp_path / "scene")
    with pytest.raises(Wrong, match="the seam: strace sees"):
        calls.kill_at_each_call(scene, Verb("change", change, writes=True), tmp_path / "place", Counter())
