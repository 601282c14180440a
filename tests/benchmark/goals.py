"""What we want of it, in ratios of one run where it can be said so, and whether the last run reached it.

Like is compared with like: `files` and `floor-fsync` wait for the disk, `files-process`, `floor` and PraisonAI do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from tests.benchmark.figures import find, ratio
from tests.benchmark.results import Row

Results = Mapping[str, Any]
TWINS = {"files": "floor-fsync", "files-process": "floor"}


@dataclass(frozen=True)
class Goal:
    """One row of the table.

    Args:
        what: what is wanted of what.
        bound: the least or the greatest figure that reaches it.
        at_least: whether a greater figure is better.
        unit: what stands behind the figure.
        measured: takes the figure out of the results, in its unit; None where something of it was not measured.
    """

    what: str
    bound: float
    at_least: bool
    unit: str
    measured: Callable[[Results], float | None]

    def reached(self, results: Results) -> bool | None:
        """Return whether the results reach it; None where it was not measured."""
        figure = self.measured(results)
        if figure is None:
            return None
        return figure >= self.bound if self.at_least else figure <= self.bound


def rows_of(results: Results, measure: str) -> list[Row]:
    """Return the rows of a measure; none where it was not run."""
    found: list[Row] = results["measures"].get(measure, {}).get("rows", [])
    return found


def times(results: Results, measure: str, one: str, other: str, figure: str = "us", **group: Any) -> float | None:
    """Return how many times the other contender's figure the one's is, in paired rounds."""
    rows = rows_of(results, measure)
    first, second = find(rows, contender=one, **group), find(rows, contender=other, **group)
    return ratio(first[figure], second[figure]) if first and second else None


def value(
    results: Results, measure: str, contender: str, figure: str, scale: float = 1.0, **group: Any
) -> float | None:
    """Return the median of a figure, divided by `scale`; None where it was not measured."""
    row = find(rows_of(results, measure), contender=contender, **group)
    return median(row[figure]) / scale if row else None


def keeps_all(results: Results, contender: str, processes: int = 2) -> bool | None:
    """Tell whether every message of so many writers survived, in every round; None where it was not measured."""
    row = find(rows_of(results, "processes"), contender=contender, processes=processes)
    return None if row is None else all(count == row["written"] for count in row["survive"])


def least_lead(results: Results, ours: Mapping[str, str], rewriting: bool | None = None) -> float | None:
    """Return how many times the append of the best peer takes that keeps every message, at the length of our worst.

    Args:
        results: the results.
        ours: our store for each durability.
        rewriting: whether only those count that write all messages again, or only the others; None for all.
    """
    leads = []
    for row in rows_of(results, "append"):
        peer = results["contenders"][row["contender"]]
        if peer["kind"] != "peer" or rewriting not in (None, peer["rewrites"]):
            continue
        if keeps_all(results, row["contender"]):
            us = ours[peer["durability"]]
            leads.append(times(results, "append", row["contender"], us, length=row["length"]))
    found = [lead for lead in leads if lead is not None]
    return min(found) if found else None


def flatness(results: Results, contender: str) -> float | None:
    """Return how many times an append to the longest session costs what one to the shortest does."""
    rows = [row for row in rows_of(results, "append") if row["contender"] == contender]
    if len(rows) < 2:
        return None
    ordered = sorted(rows, key=lambda row: row["length"])
    times_as_much: float = median(ordered[-1]["us"]) / median(ordered[0]["us"])
    return times_as_much


def lost(results: Results, contender: str) -> float | None:
    """Return how many messages of 8 writers did not survive, in all rounds; those that were refused are among them."""
    row = find(rows_of(results, "processes"), contender=contender, processes=8)
    return None if row is None else float(sum(row["written"] - count for count in row["survive"]))


def goals() -> Iterator[Goal]:
    """Yield every goal, in the order of the page."""
    yield from _of_appends()
    yield from _of_reads()
    yield from _of_processes()
    listed = partial(value, measure="listing", contender="files", figure="us", scale=1e3, sessions=10_000)
    yield Goal("`files`: a list of 10,000 sessions of which none has changed", 50, False, "ms", listed)
    imported = partial(value, measure="import", contender="files", figure="us", scale=1e3)
    yield Goal("`import readfresh`, beyond the interpreter", 30, False, "ms", imported)


def _of_appends() -> Iterator[Goal]:
    for ours, floor in TWINS.items():
        for length, bound in ((10, 1.5), (100, 1.5), (1_000, 1.5), (10_000, 2.0)):
            measured = partial(times, measure="append", one=ours, other=floor, length=length)
            yield Goal(f"`{ours}`: an append at {length:,} messages, by `{floor}`", bound, False, "times", measured)
    for length, bound in ((10, 5), (100, 10), (1_000, 25), (10_000, 40)):
        measured = partial(times, measure="append", one="praisonai", other="files-process", length=length)
        yield Goal(f"PraisonAI's append at {length:,} messages, by `files-process`", bound, True, "times", measured)
    files = {"power": "files", "process": "files-process"}
    yield Goal(
        "The best peer that writes all messages again and keeps those of two writers, by files of equal durability, "
        "at the length where we lead least",
        1.0,
        True,
        "times",
        partial(least_lead, ours=files, rewriting=True),
    )
    rows = {"power": "sqlite", "process": "sqlite-process"}
    yield Goal(
        "The best peer that keeps the messages of two writers, by SQLite of equal durability, "
        "at the length where we lead least",
        1.0,
        True,
        "times",
        partial(least_lead, ours=rows),
    )
    for key in ("sqlite", "sqlite-process", "postgresql"):
        what = f"`{key}`: an append at the longest session, by one at 10 messages"
        yield Goal(what, 1.5, False, "times", partial(flatness, contender=key))


def _of_reads() -> Iterator[Goal]:
    unchanged = partial(times, measure="read", one="praisonai", other="files", length=1_000)
    yield Goal("PraisonAI's read of 1,000 messages that have not changed, by `files`", 20, True, "times", unchanged)
    unchanged = partial(times, measure="read", one="files", other="floor-fsync", length=10_000)
    yield Goal("`files`: such a read of 10,000 messages, by building their list", 1.5, False, "times", unchanged)
    fresh = partial(value, measure="fresh", contender="files", figure="us", scale=1e3)
    yield Goal("`files`: a read after another process appended, 1,000 messages", 0.4, False, "ms", fresh)


def _of_processes() -> Iterator[Goal]:
    for what, bound, at_least, unit, figure, scale in (
        ("messages per second that survive", 1_000, True, "", "per_second", 1),
        ("99 of 100 appends wait", 50, False, "ms", "p99_us", 1_000),
        ("the longest wait", 100, False, "ms", "longest_us", 1_000),
        ("what the slowest process appends, by the fastest", 0.5, True, "times", "slowest_to_fastest", 1),
    ):
        measured = partial(
            value, measure="processes", contender="files-process", figure=figure, scale=scale, processes=8
        )
        yield Goal(f"`files-process`, 8 processes on one session: {what}", bound, at_least, unit, measured)
    for key in ("files-process", "files", "sqlite-process", "sqlite", "postgresql"):
        what = f"`{key}`, 8 processes on one session: messages that do not survive"
        yield Goal(what, 0, False, "", partial(lost, contender=key))
    yield Goal(
        "`postgresql`, 8 processes on one session: messages per second, by the OpenAI Agents SDK on the same server",
        1.0,
        True,
        "times",
        partial(
            times, measure="processes", one="postgresql", other="openai-postgresql", figure="per_second", processes=8
        ),
    )
