"""What is measured. The contenders of a group take turns, round by round, so all meet the same minutes of the machine.

In a round, each contender gets an empty place and a fresh session there, unless making one takes too long: a session of
10,000 messages or more is made once, and grows by the few messages that are appended.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmark.contenders import Contender
from tests.benchmark.crew import Failed, Gate, Worker, crew
from tests.benchmark.figures import percentile
from tests.benchmark.results import Row
from tests.peers.environments import environment, python

LENGTHS = (10, 100, 1_000, 10_000, 100_000)
ONCE = 10_000  # from this length on, one session serves all rounds
FULL = {"rounds": 15, "few": 3, "appends": 200}
QUICK = {"rounds": 2, "few": 1, "appends": 10}


Figures = dict[Contender, list[dict[str, Any]]]
"""What was measured of each contender, round by round."""


@dataclass
class Run:
    """One run of the benchmark.

    Args:
        contenders: who takes part.
        folder: where all of it happens.
        postgresql: gives the address of an empty database; None where there is no server.
        quick: whether it is to be a sanity check.
        rounds: how often each group is measured; None for as often as `quick` says.
        asked_appends: how many messages each of many processes appends; None for as many as `quick` says.
        failed: what those said that could not do it, by contender.
    """

    contenders: Sequence[Contender]
    folder: Path
    postgresql: Callable[[], AbstractContextManager[str]] | None = None
    quick: bool = False
    rounds: int | None = None
    asked_appends: int | None = None
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def many(self) -> int:
        """How often a short thing is measured."""
        return self.rounds or (QUICK if self.quick else FULL)["rounds"]

    @property
    def few(self) -> int:
        """How often a long thing is measured."""
        return min(self.many, (QUICK if self.quick else FULL)["few"])

    @property
    def appends(self) -> int:
        """How many messages each process appends."""
        return self.asked_appends or (QUICK if self.quick else FULL)["appends"]

    def lengths(self) -> tuple[int, ...]:
        """Return the lengths of sessions."""
        return LENGTHS[:3] if self.quick else LENGTHS

    def sharing(self) -> Figures:
        """Return nothing yet of each contender whose sessions are open to other processes."""
        return {contender: [] for contender in self.contenders if not contender.alone}

    @contextmanager
    def place(self, contender: Contender) -> Iterator[str]:
        """Give an empty directory, or an empty database."""
        if contender.postgresql:
            assert self.postgresql
            with self.postgresql() as url:
                yield url
            return
        directory = tempfile.mkdtemp(dir=self.folder)
        try:
            yield directory
        finally:
            shutil.rmtree(directory)

    @contextmanager
    def workers(self, contenders: Sequence[Contender]) -> Iterator[dict[Contender, Worker]]:
        """Run one worker of each contender."""
        with ExitStack() as stack:
            found = {}
            for contender in contenders:
                with self.forgiving(contender):
                    found[contender] = stack.enter_context(Worker(contender, self.folder))
            yield found

    @contextmanager
    def forgiving(self, contender: Contender) -> Iterator[None]:
        """Note what a contender said that could not do it, and go on without."""
        try:
            yield
        except Failed as failed:
            self.failed[contender.key] = str(failed)


Measure = Callable[[Run], list[Row]]


def append(run: Run) -> list[Row]:
    """Append one message to a session of so many."""

    def once(worker: Worker, session: str, length: int) -> dict[str, float]:
        count = 3 if length >= ONCE else 5
        done = _all_kept(worker.do("append", session=session, count=count + 1, writer="w"), count + 1)
        return {"us": _median_us(done["took"][1:])}  # the first one finds everything cold

    return _by_length(run, once)


def read(run: Run) -> list[Row]:
    """Read the full history of a session of so many messages: first by a new store object, then again."""

    def once(worker: Worker, session: str, length: int) -> dict[str, float]:
        first = worker.do("read", session=session, count=1)
        again = worker.do("read", session=session, count=3 if length >= ONCE else 7)
        if first["found"] < length:
            raise Failed(f"it read {first['found']} of {length} messages")
        return {"first_us": first["took"][0] / 1e3, "us": _median_us(again["took"])}

    return _by_length(run, once, anew=True)


def _by_length(run: Run, once: Callable[[Worker, str, int], dict[str, float]], anew: bool = False) -> list[Row]:
    rows: list[Row] = []
    with run.workers(run.contenders) as everybody:
        for length in run.lengths():
            workers = {each: worker for each, worker in everybody.items() if each.longest >= length}
            rounds = run.many if length < ONCE else max(run.few, run.many // 3)
            found: Figures = {each: [] for each in workers}
            with ExitStack() as kept:
                places: dict[Contender, str] = {}
                for _ in range(rounds):
                    for contender, worker in workers.items():
                        with run.forgiving(contender), ExitStack() as for_now:
                            if contender not in places or length < ONCE:
                                stack = kept if length >= ONCE else for_now
                                places[contender] = stack.enter_context(run.place(contender))
                                worker.do("open", place=places[contender])
                                worker.do("fill", session="s", count=length)
                            if anew:
                                worker.do("open", place=places[contender])
                            found[contender].append(once(worker, "s", length))
            rows += _rows(found, length=length)
    return rows


def processes(run: Run) -> list[Row]:
    """So many processes append to one session at once, and how many messages survive."""
    return _crowds(run, [(count, 1) for count in ((1, 2) if run.quick else (1, 2, 4, 8))])


def apart(run: Run) -> list[Row]:
    """Processes append to a session each."""
    count = 2 if run.quick else 8
    return _crowds(run, [(count, count)])


def _crowds(run: Run, kinds: Sequence[tuple[int, int]]) -> list[Row]:
    rows: list[Row] = []
    for count, sessions in kinds:
        found = run.sharing()
        for _ in range(run.few):
            for contender, figures in found.items():
                with run.forgiving(contender), run.place(contender) as place:
                    figures.append(crowd(contender, place, run.folder, count, sessions, run.appends))
        rows += _rows(found, processes=count, sessions=sessions, written=count * run.appends)
    return rows


def crowd(contender: Contender, place: str, home: Path, count: int, sessions: int, appends: int) -> dict[str, Any]:
    """Let processes append, and return what it took and what survived."""
    names = [f"s{number}" for number in range(sessions)]
    with Worker(contender, home) as other:
        other.do("open", place=place)
        for name in names:
            other.do("fill", session=name, count=1)
    gate = Gate()
    with crew(contender, home, count, gate.entrance) as workers:
        for worker in workers:
            worker.do("open", place=place)
        for number, worker in enumerate(workers):
            session = names[number % sessions]
            worker.do("append", session=session, count=appends, writer=f"w{number}", gated=True)  # it says: at the gate
        gate.open()
        done = [worker.hear() for worker in workers]
    survivors, said = set(), ""
    with Worker(contender, home) as other:
        other.do("open", place=place)
        for name in names:
            try:
                survivors |= set(other.do("names", session=name))
            except Failed as failed:
                said = str(failed)
    kept = {f"w{number} {message}" for number, each in enumerate(done) for message in each["kept"]}
    took = [each for one in done for each in one["took"]]
    ends = [one["ends"] for one in done if one["ends"]]
    if not took:
        raise Failed(done[0]["said"])
    began = min(each["ends"][0] - each["took"][0] for each in done if each["ends"])
    seconds = (max(each[-1] for each in ends) - began) / 1e9
    first_done = min(each[-1] for each in ends)
    by_then = [sum(end <= first_done for end in one["ends"]) for one in done]
    return {
        "survive": len(kept & survivors),
        "returned": len(kept),
        "per_second": len(kept & survivors) / seconds,
        "us": _median_us(took),
        "p99_us": percentile(took, 0.99) / 1e3,
        "longest_us": max(took) / 1e3,
        "slowest_to_fastest": min(by_then) / max(by_then),
        "said": said or next((one["said"] for one in done if one["said"]), ""),
    }


def beside(run: Run) -> list[Row]:
    """A reader polls a session of 100 messages while a writer appends to it."""
    found = run.sharing()
    for _ in range(run.few):
        for contender, figures in found.items():
            with run.forgiving(contender), run.place(contender) as place, crew(contender, run.folder, 2) as pair:
                writer, reader = pair
                writer.do("open", place=place)
                writer.do("fill", session="s", count=100)
                reader.do("open", place=place)
                reader.do("watch", session="s")  # it says: it watches
                wrote = writer.do("append", session="s", count=run.appends, writer="w")
                reader.tell("memory")  # any order ends the watch
                saw = reader.hear()
                reader.hear()
                figures.append(_judged(wrote, saw))
    return _rows(found)


def _judged(wrote: dict[str, Any], saw: dict[str, Any]) -> dict[str, Any]:
    torn = stale = 0
    most, returned = 0, 0
    for began, found in zip(saw["begins"], saw["found"], strict=True):
        while returned < len(wrote["ends"]) and wrote["ends"][returned] < began:
            returned += 1
        if found < most:
            torn += 1  # an error, or fewer messages than a read before
        elif found < 100 + returned:
            stale += 1
        most = max(most, found)
    if not saw["took"] or not wrote["took"]:
        raise Failed(saw["said"] or wrote["said"] or "no read ended while the writer wrote")
    return {
        "reads": len(saw["begins"]),
        "torn": torn,
        "stale": stale,
        "read_us": _median_us(saw["took"]),
        "read_p99_us": percentile(saw["took"], 0.99) / 1e3,
        "append_us": _median_us(wrote["took"]),
    }


def fresh(run: Run) -> list[Row]:
    """A read of a session of 1,000 messages after another process has appended."""
    found = run.sharing()
    for contender, figures in found.items():
        with run.forgiving(contender), run.place(contender) as place, crew(contender, run.folder, 2) as pair:
            writer, reader = pair
            writer.do("open", place=place)
            writer.do("fill", session="s", count=1_000)
            reader.do("open", place=place)
            reader.do("read", session="s", count=1)
            for number in range(run.many):
                writer.do("append", session="s", count=1, writer="w")
                read = reader.do("read", session="s", count=1)
                figures.append({"us": read["took"][0] / 1e3, "stale": int(read["found"] < 1_001 + number)})
    return _rows(found, length=1_000)


def listing(run: Run) -> list[Row]:
    """List so many sessions: by a new store object, again, and after one has changed."""
    rows: list[Row] = []
    for count in (100,) if run.quick else (1_000, 10_000):
        taking_part = [each for each in run.contenders if each.lists and each.most >= count]
        found: Figures = {each: [] for each in taking_part}
        with ExitStack() as stack:
            places = {each: stack.enter_context(run.place(each)) for each in taking_part}
            workers = stack.enter_context(run.workers(taking_part))
            for contender, worker in list(workers.items()):
                with run.forgiving(contender):
                    worker.do("open", place=places[contender])
                    worker.do("fill_many", sessions=count, messages=2)
            for number in range(run.few):
                for contender, worker in workers.items():
                    if contender.key not in run.failed:
                        with run.forgiving(contender):
                            found[contender].append(_listed(worker, places[contender], count, number))
        rows += _rows(found, sessions=count)
    return rows


def _listed(worker: Worker, place: str, count: int, number: int) -> dict[str, float]:
    worker.do("open", place=place)
    cold = worker.do("list", limit=count)
    again = worker.do("list", limit=count)
    worker.do("append", session=f"s{number}", count=1, writer="w")
    changed = worker.do("list", limit=count)
    if again["found"] != count:
        raise Failed(f"it listed {again['found']} of {count} sessions")
    return {"cold_us": cold["took"] / 1e3, "us": again["took"] / 1e3, "one_changed_us": changed["took"] / 1e3}


def opening(run: Run) -> list[Row]:
    """Make a store object where there is a session already, and read that: 10 messages."""
    found: Figures = {each: [] for each in run.contenders}
    with run.workers(run.contenders) as workers, ExitStack() as stack:
        places = {each: stack.enter_context(run.place(each)) for each in workers}
        for contender, worker in workers.items():
            with run.forgiving(contender):
                worker.do("open", place=places[contender])
                worker.do("fill", session="s", count=10)
        for _ in range(run.many):
            for contender, worker in workers.items():
                if contender.key not in run.failed:
                    with run.forgiving(contender):
                        opened = worker.do("open", place=places[contender])
                        read = worker.do("read", session="s", count=1)
                        found[contender].append({"open_us": opened / 1e3, "read_us": read["took"][0] / 1e3})
    return _rows(found)


def importing(run: Run) -> list[Row]:
    """Import what a user imports, in a Python that has imported nothing but its own."""
    found: Figures = {each: [] for each in run.contenders if each.kind != "floor"}
    for number in range(run.many + 1):
        for contender, figures in found.items():
            interpreter = str(python(contender.peer) if contender.peer else sys.executable)
            with run.forgiving(contender):
                taken = _imported(interpreter, contender.imports, run.folder)
                if number:  # the first one compiles what it imports
                    figures.append({"us": taken / 1e3})
    return _rows(found)


def _imported(interpreter: str, code: str, home: Path) -> int:
    told = f"import time; began = time.perf_counter_ns(); {code}; print(time.perf_counter_ns() - began)"
    variables = environment(home)
    del variables["PYTHONDONTWRITEBYTECODE"]  # as its users run it
    done = subprocess.run([interpreter, "-c", told], env=variables, cwd=home, capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    return int(done.stdout.splitlines()[-1])


def memory(run: Run) -> list[Row]:
    """What a process has in memory when it has opened a store, and at most when it reads and appends at 10,000."""
    length = 1_000 if run.quick else 10_000
    rows: list[Row] = []
    for contender in run.contenders:
        with run.forgiving(contender), run.place(contender) as place:
            with Worker(contender, run.folder) as other:
                other.do("open", place=place)
                other.do("fill", session="s", count=length)
            with Worker(contender, run.folder) as worker:
                worker.do("open", place=place)
                opened = worker.do("memory")["now"]
                worker.do("read", session="s", count=2)
                if not contender.alone:
                    worker.do("append", session="s", count=2, writer="w")
                most = worker.do("memory")["most"]
            rows.append({"contender": contender.key, "length": length, "opened_bytes": opened, "most_bytes": most})
    return rows


MEASURES: dict[str, Measure] = {
    "append": append,
    "read": read,
    "processes": processes,
    "apart": apart,
    "beside": beside,
    "fresh": fresh,
    "listing": listing,
    "opening": opening,
    "import": importing,
    "memory": memory,
}
"""Everything that is measured, by name."""


def _all_kept(done: dict[str, Any], count: int) -> dict[str, Any]:
    if len(done["kept"]) < count:
        raise Failed(done["said"])
    return done


def _median_us(nanoseconds: Sequence[int]) -> float:
    return percentile(nanoseconds, 0.5) / 1e3


def _rows(found: Figures, **group: int) -> list[Row]:
    """Return a row for each contender that could do it: what sets the group apart, and each figure round by round."""
    return [
        {"contender": contender.key, **group}
        | {name: [_rounded(figure[name]) for figure in figures] for name in figures[0]}
        for contender, figures in found.items()
        if figures
    ]


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
