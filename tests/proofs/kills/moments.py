"""Every moment of every verb that writes: a process is killed there, and what it has left is judged."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from readfresh.storage import Durability
from tests.proofs.kills.judge import ORDER, Whole, Wrong, judge, whole
from tests.proofs.kills.scene import SESSION, STATES, Scene, calls_of
from tests.proofs.kills.victim import PREFIXES, RETURNED, SIGKILLED, KillingDisk, Moment, die, in_victim, moments
from tests.proofs.rung import Finding, Ran
from tests.store.support import Kind, Verb

# No two of these do the same at the seam.
DIFFERENT = ("add_message", "delete_session", "fork_session", "import_session")

LEFT = {
    "before": "that left all as before",
    "between": "that left a child which its parent does not list",
    "after": "that left all as after",
}

Case = tuple[str, Durability, Verb]


def cases(kind: Kind, *, combined: bool = False) -> Iterator[Case]:
    """Yield what is tried of a store: how the session stands, the durability, and the call.

    Every call is made on a session that is there, and those of `DIFFERENT` in each other way too.
    With `combined`, all of them are made in all ways.
    """
    durabilities: tuple[Durability, ...] = ("power", "process")
    for state, durability in itertools.product(STATES, durabilities):
        for call in calls_of(kind, state):
            plain = state == "there" and durability == "power"
            different = call.name in DIFFERENT and (state == "there" or durability == "power")
            if combined or plain or different:
                yield state, durability, call


def kill_everywhere(kind: Kind, folder: Path) -> Ran:
    """Kill a process at every moment of every case; stop at the first thing that is wrong."""
    return _kill_in(kind, cases(kind), folder, long=False)


def kill_everywhere_for_long(kind: Kind, folder: Path) -> Ran:
    """Do so with everything combined, on the real disk, whose flushes are waited for, and twice between two steps."""
    return _kill_in(kind, cases(kind, combined=True), folder, long=True)


def _kill_in(kind: Kind, tried: Iterable[Case], folder: Path, *, long: bool) -> Ran:
    counts: Counter[str] = Counter()
    fewest: Counter[str] = Counter()
    scene = Scene(kind, folder / "scene")
    for number, (state, durability, call) in enumerate(tried):
        place = folder / str(number)
        case = f"{kind.__name__}, durability {durability}, the session {state}, {call.name}"
        try:
            done = _whole(scene, state, durability, call, place / "whole")
        except Wrong as wrong:
            return Ran(counts, Finding(str(wrong), (case,)))
        counts["calls"] += 1
        latest = 0
        for at, moment in enumerate(moments(done.steps, all_of_them=long)):
            counts["kills"] += 1
            counts["of these in the middle of a write"] += moment.when in PREFIXES
            fewest[call.name] += 1
            try:
                left, litter = _kill(scene, state, durability, call, done, moment, place / str(at), flushes=long)
                if ORDER.index(left) < latest:
                    raise Wrong(f"all-or-nothing: it is as {left}, and was as {ORDER[latest]} a moment earlier")
            except Wrong as wrong:
                return Ran(counts, Finding(str(wrong), (case, *_history(done, moment))))
            latest = ORDER.index(left)
            counts[LEFT[left]] += 1
            counts["that left litter, which was swept"] += bool(litter)
        shutil.rmtree(place)
    return Ran({**counts, "kills at least in each verb": min(fewest.values())})


def _whole(scene: Scene, state: str, durability: Durability, call: Verb, root: Path) -> Whole:
    directory = scene.put(state, root)
    disk = KillingDisk(root)
    return whole(call, scene.store(directory, durability, disk), directory, disk.steps)


def _kill(
    scene: Scene,
    state: str,
    durability: Durability,
    call: Verb,
    done: Whole,
    moment: Moment,
    root: Path,
    *,
    flushes: bool,
) -> tuple[str, list[str]]:
    directory = scene.put(state, root)

    def act() -> None:
        disk = KillingDisk(root, moment, flushes=flushes)
        try:
            call.call(scene.store(directory, durability, disk), SESSION)
        finally:
            if moment.when == RETURNED:
                die()

    status = in_victim(act)
    if status != SIGKILLED:
        raise Wrong(f"the process ended with {status}, and did not come to the moment at which it was to be killed")
    left, litter = judge(scene, done, directory)
    if moment.when == RETURNED and done.states[left] != done.after:
        raise Wrong(f"durable: {call.name} had returned, and all is as {left}")
    return left, litter


def _history(done: Whole, moment: Moment) -> tuple[str, ...]:
    """Return what the process had done, and where it was killed."""
    made = [f"{verb} {file}" for verb, file in done.steps[: moment.step]]
    if moment.when == RETURNED:
        return (*made, "the call returned", "killed")
    verb, file = done.steps[moment.step]
    when = f"killed when of {verb} {file} was done: {moment.when}" if moment.when in PREFIXES else ""
    if moment.when == "after":
        return (*made, f"{verb} {file}", "killed")
    return (*made, when or f"killed before {verb} {file}")
