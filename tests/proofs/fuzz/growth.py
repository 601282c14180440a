"""What a call costs, and whether that grows with what it works on, or faster.

Processor time and the peak of memory at one size and at eight times that: in proportion they grow eightfold, with the
square sixty-four fold. The bound between the two leaves room for a busy machine, and a measurement that exceeds it is
repeated before it is believed: what decides is the smallest.
What Python itself runs is counted too, call by call, see `steps_of`: that is exact, and does not see into C.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionStoreError
from tests.proofs.fuzz.memory import DIRECTORY, MemoryDisk

TIMES = 8
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
