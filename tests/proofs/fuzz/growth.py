"""What a call costs, and whether that grows with what it works on, or faster.

Processor time and the peak of memory at one size and at eight times that: in proportion they grow eightfold, with the
square sixty-four fold. The bound between the two leaves room for a busy machine, and a measurement that exceeds it is
repeated before it is believed: what decides is the smallest.
What Python itself runs is counted too, call by call, and so is what is read and written: that is exact, and does not
see into C.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionStoreError
from tests.proofs.fuzz.memory import DIRECTORY, MemoryDisk
from tests.store.support import Verb, verbs_of

TIMES = 8
SLACK = 1.1  # a number may grow a digit
STEPS_OF_LUCK = 300  # of a thread or an event loop
AT_MOST = 24  # times as much, for eight times the size
TRIES = 5

Kind = type[DefaultSessionStore[Any]]
Use = Callable[[Any], object]


@dataclass(frozen=True)
class Case:
    """Files that are to be expensive, and what is done with them.

    Args:
        name: what is in them.
        make: makes the files of a size, by name.
        uses: what is done, by name; each is given a store.
        size: the smaller of the two sizes.
        kind: the class of the store.
    """

    name: str
    make: Callable[[int], Mapping[str, bytes]]
    uses: Mapping[str, Use]
    size: int
    kind: Kind = HierarchicalSessionStore


def store_on(files: Mapping[str, bytes], kind: Kind, **arguments: Any) -> Any:
    """Return a store on files in memory."""
    return kind(DIRECTORY, durability="process", disk=MemoryDisk(files), **arguments)


def grows_too_fast(case: Case, use: Use) -> str | None:
    """Return what grows faster than the files of a case do; None when nothing does."""
    small, large = case.make(case.size), case.make(case.size * TIMES)
    for what, measure in (("time", _seconds), ("memory", _peak_bytes)):
        few, many = measure(case, small, use), measure(case, large, use)
        for _ in range(TRIES):
            if many <= AT_MOST * few:
                break
            # The larger of a small time may be luck, and so may the smaller of a large one.
            few, many = max(few, measure(case, small, use)), min(many, measure(case, large, use))
        else:
            return f"{what} grows {many / few:.0f} times when the file grows {TIMES} times"
    return None


def _seconds(case: Case, files: Mapping[str, bytes], use: Use) -> float:
    store = store_on(files, case.kind)
    began = time.thread_time()
    _tried(use, store)
    return time.thread_time() - began


def _peak_bytes(case: Case, files: Mapping[str, bytes], use: Use) -> float:
    store = store_on(files, case.kind)
    tracemalloc.start()
    try:
        _tried(use, store)
        return tracemalloc.get_traced_memory()[1] + 100_000  # what any call takes
    finally:
        tracemalloc.stop()


def _tried(use: Use, store: Any) -> None:
    with suppress(SessionStoreError):
        use(store)


def steps_of(action: Callable[[], object]) -> int:
    """Return how many functions are called, those that are written in C included."""
    count = 0

    def step(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(step)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


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


def work_of(kind: Kind, verb: Verb, files: Mapping[str, bytes]) -> tuple[int, int]:
    """Return what a verb costs: the functions that are called, and the bytes that are read and written."""
    store = store_on(files, kind, new_id=iter(["new-1", "new-2"]).__next__)
    disk = store._storage.disk

    def call() -> None:
        with suppress(SessionStoreError):
            verb.call(store, "trip")

    return steps_of(call), disk.read_bytes + disk.written_bytes


def verbs_that_grow_too_fast(kind: Kind, what: str, size: int) -> Iterator[str]:
    """Yield what grows faster than the count of one thing: the second doubling may add twice what the first has."""
    few, more, many = (sized(**{what: size * times}) for times in (1, 2, 4))
    for verb in verbs_of(kind):
        costs = [work_of(kind, verb, files) for files in (few, more, many)]
        for name, one, two, four in zip(("calls of functions", "bytes"), *costs, strict=True):
            if four - two > SLACK * 2 * (two - one) + STEPS_OF_LUCK:
                grown = f"{one}, {two} and {four} at {size}, {2 * size} and {4 * size} {what}"
                yield f"{kind.__name__}.{verb.name} costs more and more {name}: {grown}"
