"""What a call costs, and whether that grows with what it works on, or faster.

Costs are counted and never timed, at one size, twice that and four times that:

1. Steps: the functions that are called, those that are written in C included. A method of a text or a list that goes
   through all of it is as many steps as that is long.
2. Allocated bytes: by how much the memory in use has risen between two steps, also where it has fallen again; what is
   taken anew for what was given back between the same two is not seen. Only expensive files are looked at so closely.
3. Moved bytes: what is read from files and written to them.

A search within one call of C shows in none of these, such as that of a regular expression or of a dict whose keys share
a hash. A file that invites one is made so large that the square would take many minutes, and the call has to return.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionStoreError
from tests.proofs.fuzz.memory import DIRECTORY, MemoryDisk
from tests.store.support import ROOT, Verb, verbs_of

TIMES = (1, 2, 4)
VAST_SECONDS = 30  # the calls take about one; less than a test may take that a fault makes wait
GOES_THROUGH = ("count", "find", "index", "rfind", "rindex", "remove", "replace", "split", "splitlines", "copy")

Kind = type[DefaultSessionStore[Any]]
Use = Callable[[Any], object]


@dataclass(frozen=True)
class Case:
    """Files that are to be expensive, and what is done with them.

    Args:
        name: what is in them.
        make: makes the files of a size, by name.
        uses: what is done, by name; each is given a store.
        size: the smallest of the sizes at which costs are counted.
        kind: the class of the store.
        vast: a size at which the square takes many minutes, where no count may show it; 0 where counts do.
    """

    name: str
    make: Callable[[int], Mapping[str, bytes]]
    uses: Mapping[str, Use]
    size: int
    kind: Kind = HierarchicalSessionStore
    vast: int = 0


@dataclass(frozen=True)
class Cost:
    """What a call costs."""

    steps: int
    allocated_bytes: int
    moved_bytes: int = 0


LEEWAY = Cost(steps=300, allocated_bytes=100_000, moved_bytes=300)
"""What a call may cost more for reasons of its own, such as the start of a thread or of an event loop."""
SLACK = {"steps": 1.1, "allocated_bytes": 1.5, "moved_bytes": 1.1}
"""In proportion, the second doubling adds twice what the first has: a number may grow a digit, and a dict by jumps."""


def store_on(files: Mapping[str, bytes], kind: Kind, **arguments: Any) -> Any:
    """Return a store on files in memory."""
    return kind(DIRECTORY, durability="process", disk=MemoryDisk(files), **arguments)


def cost_of(action: Callable[[], object], *, memory: bool = True) -> Cost:
    """Return what an action costs in this thread, but for the bytes that it moves.

    Args:
        action: is done once.
        memory: whether allocated bytes are counted, which takes several times as long.
    """
    steps = allocated = level = 0

    def step(_frame: object, event: str, argument: Any) -> None:
        nonlocal steps, allocated, level
        if memory:
            now, peak = tracemalloc.get_traced_memory()
            allocated += peak - level
            level = now
        if event == "c_call":
            owner = getattr(argument, "__self__", None)
            steps += 1
            if isinstance(owner, bytes | str | list | tuple) and argument.__name__ in GOES_THROUGH:
                steps += len(owner)
        elif event == "call":
            steps += 1
        if memory:
            tracemalloc.reset_peak()

    before = sys.getprofile()
    gc.disable()  # what an earlier test has left would be taken away in here, and its finalizers counted
    if memory:
        tracemalloc.start()
    sys.setprofile(step)
    try:
        action()
    finally:
        sys.setprofile(before)
        tracemalloc.stop()
        gc.enable()
    return Cost(steps, allocated)


def cost_on(files: Mapping[str, bytes], kind: Kind, use: Use, *, memory: bool = True) -> Cost:
    """Return what it costs to use a store on files; an error of its own ends the use."""
    store = store_on(files, kind, new_id=iter(["new-1", "new-2"]).__next__)
    disk = store._storage.disk

    def call() -> None:
        with suppress(SessionStoreError):
            use(store)

    cost = cost_of(call, memory=memory)
    return Cost(cost.steps, cost.allocated_bytes, disk.read_bytes + disk.written_bytes)


def grows_too_fast(costs: tuple[Cost, Cost, Cost]) -> Iterator[str]:
    """Yield which of the costs at the three sizes grow faster than in proportion, as a clause."""
    for name, slack in SLACK.items():
        one, two, four = (getattr(cost, name) for cost in costs)
        if four - two > slack * 2 * (two - one) + getattr(LEEWAY, name):
            yield f"{name.replace('_', ' ')}, {one:,}, {two:,} and {four:,}"


def too_expensive(case: Case, use: str) -> str | None:
    """Return what grows faster than the files of a case do, or that a call does not return; None when all is well."""
    cost_on(case.make(1), case.kind, case.uses[use])  # what is done once in a process, such as to compile a pattern
    one, two, four = (cost_on(case.make(case.size * times), case.kind, case.uses[use]) for times in TIMES)
    for grown in grows_too_fast((one, two, four)):
        return f"at {case.size}, twice and four times as much it takes more and more {grown}"
    if case.vast and not _returns(case, use):
        return f"at {case.vast} the call does not return"
    return None


def _returns(case: Case, use: str) -> bool:
    """Return whether a use of a vast file comes to its end, in a process that can be ended where it does not."""
    command = [sys.executable, "-m", "tests.proofs.fuzz.hostile", case.name, use]
    try:
        subprocess.run(command, cwd=ROOT, check=True, timeout=VAST_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def use_vast(case: Case, use: str) -> None:
    """Use a store on the vast files of a case; an error of its own ends the use."""
    with suppress(SessionStoreError):
        case.uses[use](store_on(case.make(case.vast), case.kind))


def sized(**counts: int) -> dict[str, bytes]:
    """Return a session ``trip`` with so many of each thing beside it, or in it."""
    many = {name: range(counts.get(name, 2)) for name in ("messages", "snapshots", "children", "fields", "sessions")}
    said = [{"role": "user", "content": str(number)} for number in many["messages"]]
    snapshots = [{"id": f"snap-{number}", "message_index": 0, "messages": said[:1]} for number in many["snapshots"]]
    children = [f"child-{number}" for number in many["children"]]
    trip: dict[str, Any] = {
        "messages": said,
        "snapshots": snapshots,
        "children_ids": children,
        "metadata": {str(number): number for number in many["fields"]},
        "agent_name": "Ann",
        "agent_id": "a",
        "gateway_session_id": "g",
    }
    others: dict[str, Any] = {f"other-{number}": {"agent_name": "Ann", "agent_id": "a"} for number in many["sessions"]}
    every = {"trip": trip, **others, **{child: {"parent_id": "trip"} for child in children}}
    return {f"{name}.json": json.dumps({"session_id": name, **fields}).encode() for name, fields in every.items()}


def verbs_that_grow_too_fast(kind: Kind, what: str, size: int) -> Iterator[str]:
    """Yield what of each verb's costs grows faster than the count of one thing."""
    files = [sized(**{what: size * times}) for times in TIMES]
    for verb in verbs_of(kind):

        def use(store: Any, verb: Verb = verb) -> object:
            return verb.call(store, "trip")

        one, two, four = (cost_on(each, kind, use, memory=False) for each in files)
        for grown in grows_too_fast((one, two, four)):
            times = f"{size}, {2 * size} and {4 * size} {what}"
            yield f"{kind.__name__}.{verb.name} takes more and more {grown}, with {times}"
