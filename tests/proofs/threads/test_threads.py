"""Every schedule of real threads on real files is one that the specification allows; the explorer is sound."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from readfresh.disk import Disk
from readfresh.files import SessionFiles
from tests.full_grid import FULL_GRID
from tests.proofs.figures import prove
from tests.proofs.rung import Part
from tests.proofs.threads import explorer
from tests.proofs.threads.explorer import Schedule, current, explore
from tests.proofs.threads.parts import LONG_ONES, PARTS
from tests.proofs.threads.taps import REAL, watching
from tests.store.support import LONG

Bodies = list[Callable[[], None]]


# The longest of them is for `FULL_GRID=1`.
QUICK = [part for part in PARTS if FULL_GRID or part.key != "threads-appends"]


@pytest.mark.parametrize("part", [*QUICK, *(LONG_ONES if LONG else ())], ids=lambda part: part.key)
def test_every_schedule_is_allowed(part: Part, memory_path: Path, pytestconfig: pytest.Config) -> None:
    """Each schedule ends as some order of the calls does, with nothing held, open or left behind."""
    prove(part, memory_path, pytestconfig)


# The explorer.


def steps(number: int) -> Callable[[], None]:
    """Return a body with so many points."""

    def body() -> None:
        here = current()
        assert here
        for _ in range(number):
            here[0].reach(here[1], "step")

    return body


def orders(sizes: list[int], preemptions: int) -> list[tuple[int, ...]]:
    """Return who made the points, in every schedule of bodies of these sizes, and see that each is run once."""
    begin = [steps(size) for size in sizes]
    found = [tuple(number for number, _ in schedule.points) for schedule in explore(lambda: begin, preemptions)]
    assert len(set(found)) == len(found)
    return found


@pytest.mark.parametrize("sizes", [[1, 1], [3, 3], [4, 2], [2, 2, 2]])
def test_without_a_bound_every_order_is_run(sizes: list[int]) -> None:
    """As many schedules as there are ways to interleave the points."""
    ways = math.factorial(sum(sizes)) // math.prod(math.factorial(size) for size in sizes)
    assert len(orders(sizes, sum(sizes))) == ways


@pytest.mark.parametrize("preemptions", [0, 1, 2, 3])
def test_the_bound_is_kept_and_all_below_it_is_run(preemptions: int) -> None:
    """Of all orders, those with so many preemptions and no more; those with fewer first."""

    def counted(order: tuple[int, ...]) -> int:
        switches = [place for place in range(1, len(order)) if order[place] != order[place - 1]]
        return sum(order[place - 1] in order[place:] for place in switches)

    sizes = [3, 2, 2]
    run = orders(sizes, preemptions)
    assert set(run) == {order for order in orders(sizes, 7) if counted(order) <= preemptions}
    assert [counted(order) for order in run] == sorted(counted(order) for order in run)


def crossed() -> Bodies:
    """Return two threads that take two locks, each in an order of its own."""
    locks = threading.Lock(), threading.Lock()

    def take(first: Any, second: Any) -> None:
        with first, second:
            pass

    return [lambda: take(*locks), lambda: take(*reversed(locks))]


def test_a_deadlock_is_found_and_comes_again(tmp_path: Path) -> None:
    """Two locks that are taken crosswise stop both clients; the same choices lead there again."""
    with watching(str(tmp_path)):
        stuck = next(schedule for schedule in explore(crossed, 1) if schedule.wrong)
        again = Schedule(crossed(), tuple(choice.taken for choice in stuck.choices))
        again.run()
    assert stuck.wrong == "deadlock: client 0 waits to take a thread lock, client 1 waits to take a thread lock"
    assert (again.wrong, again.points) == (stuck.wrong, stuck.points)


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that the explorer does not see, a poll for what never comes, a circle, an error: each is said."""
    monkeypatch.setattr(explorer, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(explorer, "MANY_POINTS", 50)

    def poll() -> None:
        while True:
            getattr(time, "sleep")(1)  # noqa: B009 - a test that said it plainly would sleep, for all that is known

    def look() -> None:
        while True:
            (tmp_path / "nothing").exists()

    def said(body: Callable[[], object]) -> str:
        schedule = Schedule([body])
        schedule.run()
        return schedule.wrong

    never = REAL["threading.Lock"]()
    never.acquire()
    with watching(str(tmp_path)):
        assert said(never.acquire) == "a client waits for something that is no point"
        assert said(poll) == "deadlock: client 0 polls in vain"
        assert said(look) == "it has not ended after 50 operations"
        assert said(lambda: 1 / 0) == "raises ZeroDivisionError: division by zero"
    never.release()


# The taps.


@contextmanager
def no_lock(_path: Path) -> Iterator[None]:
    """Let everybody in."""
    yield


@contextmanager
def lock_file(path: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Hold a lock file that is there or not."""
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            wait()
    try:
        yield
    finally:
        path.unlink()


LOCKS: dict[str, Callable[[Path], Any]] = {
    "filelock": lambda path: FileLock(path, timeout=1),
    "a lock file that is polled": lambda path: lock_file(path, lambda: getattr(time, "sleep")(0.1)),  # noqa: B009
    "a lock file and an event": lambda path: lock_file(path, lambda: threading.Event().wait(0.1)),
}


def appended(folder: Path, lock: Callable[[Path], Any], writers: int, preemptions: int) -> tuple[int, set[str]]:
    """Let writers append to a list in a file, as many a program does; return the schedules and the files they left."""
    file = folder / "list.json"

    def append(number: int) -> None:
        with lock(folder / "lock"):
            said = json.loads(file.read_text())
            file.write_text(json.dumps([*said, number]))

    def begin() -> Bodies:
        file.write_text("[]")
        return [lambda number=number: append(number) for number in range(writers)]  # type: ignore[misc]

    ends = set()
    count = 0
    with watching(str(folder)) as watched:
        for schedule in explore(begin, preemptions):
            count += 1
            assert not watched.open
            ends.add(schedule.wrong.partition(":")[0] or str(sorted(json.loads(file.read_text()))))
    return count, ends


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_excludes_and_nobody_waits(name: str, memory_path: Path) -> None:
    """What polls for a lock gets it when it is free, and no time passes; every writer's number is there."""
    began = time.monotonic()
    count, ends = appended(memory_path, LOCKS[name], 2, 2)
    more, ends_of_three = appended(memory_path, LOCKS[name], 3, 1)  # two who poll do not wake each other for ever
    count += more
    assert count > 50
    assert (ends, ends_of_three) == ({"[0, 1]"}, {"[0, 1, 2]"})
    assert time.monotonic() - began < 0.1 * count  # where each schedule polls, and many of them do so twice


def test_what_a_missing_lock_does_is_found(memory_path: Path) -> None:
    """Without a lock one number is lost, and with one more switch a reader meets a file that is empty."""
    _, ends = appended(memory_path, no_lock, 2, 1)
    assert ends == {"[0, 1]", "[0]", "[1]", "raises JSONDecodeError"}


def test_everything_is_put_back(tmp_path: Path) -> None:
    """Outside the block the functions are Python's own, also when it is left by an error."""
    names = ("os.read", "os.open", "builtins.open", "threading.Lock")

    def fail() -> None:
        with watching(str(tmp_path)):
            assert os.read is not REAL["os.read"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (os.read, os.open, open, threading.Lock) == tuple(REAL[name] for name in names)


# A broken store.


def part(name: str) -> Part:
    """Return a part by its name."""
    return next(each for each in PARTS if each.name == name)


@contextmanager
def unlocked(_disk: Disk, path: str, _timeout_seconds: float) -> Iterator[Any]:
    """Let everybody in, where `Disk.lock` stands."""

    class Held:
        def still_stands(self) -> bool:
            return os.path.exists(os.path.dirname(path))

    yield Held()


def test_a_store_without_a_lock_is_found(memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One preemption loses a message, and the finding shows the order."""
    monkeypatch.setattr(Disk, "lock", unlocked)
    found = part("appends").run(memory_path)
    assert found.counts["schedules"] < 10
    assert found.finding
    assert found.finding.what == "no order of the calls gives these answers and these files"
    assert {line[0] for line in found.finding.history} == {"A", "B"}
    assert "sequenceDiagram\n    participant A as worker A\n" in found.finding.mermaid


@pytest.mark.parametrize(
    ("owner", "verb", "instead", "wrong"),
    [
        (Disk, "close", lambda _disk, _descriptor: None, "still open: trip.json.tmp, trip.json.tmp"),
        (Disk, "replace", lambda _disk, _source, _target: None, "left behind: trip.json.tmp"),
        (SessionFiles, "update", lambda *_, **__: True, "no order of the calls gives these answers and these files"),
        (SessionFiles, "update", lambda *_, **__: 1 / 0, "no order of the calls gives these answers and these files"),
    ],
)
def test_what_is_left_is_found(
    owner: type, verb: str, instead: object, wrong: str, memory_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A descriptor, a temporary file, a change that was never made and an error of no store's are findings."""
    monkeypatch.setattr(owner, verb, instead)
    finding = part("appends").run(memory_path).finding
    assert finding
    assert finding.what == wrong
