"""The run counts what it says, and finds what is broken."""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proofs.processes import run as run_module
from tests.proofs.processes.crew import Crew
from tests.proofs.processes.linearizable import FOREVER, Operation
from tests.proofs.processes.log import History, Log, Refused
from tests.proofs.processes.run import Aims, Figures, Run
from tests.proofs.processes.sessions import MISSING
from tests.proofs.processes.soak import soak
from tests.proofs.processes.worker import Client, Clock, Plan
from tests.sabotage.faults import HERE, VARIABLE
from tests.store.support import PATIENCE_SECONDS, ROOT


def plan_of(folder: Path, **arguments: Any) -> Plan:
    """Return a plan over files."""
    return Plan(7, str(folder / "sessions"), str(folder / "clock"), **arguments)


def log_of(*lines: list[Any]) -> bytes:
    """Return what a worker writes."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


# What is written down


def test_a_log_is_made_into_a_history() -> None:
    """Calls and answers become operations, however the bytes come in; a read is written as its difference."""
    history = History("g1-a")
    log = Log("w0.1", lambda _: history)
    data = log_of(
        ["c", 0, 1, "add", "g1-a", "x", 10],
        ["c", 1, 1, "read", "g1-a", None, 11],
        ["r", 1, 1, 12, [0, ["x"]]],
        ["r", 0, 1, 13, True],
        ["c", 1, 2, "read", "g1-a", None, 14],
        ["r", 1, 2, 15, [1, ["y", "z"]]],
        ["c", 1, 3, "read", "g1-a", None, 16],
        ["r", 1, 3, 17, [2, []]],
        ["c", 0, 2, "fork", "g1-a", "child", 18],
        ["r", 0, 2, 19, [0, ["x", "y"]]],
        ["c", 0, 3, "fork", "g1-a", "other", 20],
        ["r", 0, 3, 21, MISSING],
    )
    found = [each for at in range(len(data)) for each in log.feed(data[at : at + 1])]
    assert all(isinstance(each, Operation) for each in found)
    told = [(each.client, each.called, each.returned, each.verb, each.argument) for each in history.operations]
    assert told == [
        ("w0.1/1", 11, 12, "read", None),
        ("w0.1/0", 10, 13, "add", "x"),
        ("w0.1/1", 14, 15, "read", None),
        ("w0.1/1", 16, 17, "read", None),
        ("w0.1/0", 18, 19, "fork", "child"),
        ("w0.1/0", 18, 19, "enter", "child"),
        ("w0.1/0", 20, 21, "fork", "other"),
    ]
    read = [history.lists.messages(each.result) for each in history.operations if each.verb == "read"]
    assert read == [["x"], ["x", "y", "z"], ["x", "y"]]
    assert history.operations[3].result == history.operations[4].result
    assert history.operations[6].result == MISSING
    assert log.end(99) == 0


def test_what_was_cut_off_is_in_doubt() -> None:
    """A call without an answer is in doubt until the death of its process; a read of that kind says nothing."""
    history = History("g1-c")
    log = Log("w0.1", lambda _: history)
    calls: list[tuple[str, str | None]] = [("add", "x"), ("fork", "child"), ("read", None), ("delete", None)]
    data = log_of(*(["c", thread, 1, verb, "g1-c", argument, 10] for thread, (verb, argument) in enumerate(calls)))
    assert list(log.feed(data + b'["r", 0, 1, 12, tr')) == []
    assert log.end(99) == 4
    assert [(each.verb, each.returned, each.certain) for each in history.operations] == [
        ("add", 99, False),
        ("enter", 99, False),
        ("delete", 99, False),
    ]
    assert history.doubtful == {"child"}
    assert history.deleted


def test_an_error_that_leaves_doubt_is_in_doubt_for_ever() -> None:
    """What an error says was not written is no operation; what may have been written is one that may come later."""
    history = History("g1-c")
    log = Log("w0.1", lambda _: history)
    found: Iterator[Operation | Refused] = log.feed(
        log_of(
            ["c", 0, 1, "add", "g1-c", "x", 10],
            ["x", 0, 1, 11, "nothing", "WriteFailed"],
            ["c", 0, 2, "add", "g1-c", "y", 12],
            ["x", 0, 2, 13, "unknown", "OutcomeUnknown"],
        )
    )
    assert [each.written for each in found if isinstance(each, Refused)] == ["nothing", "unknown"]
    assert [(each.argument, each.returned, each.certain) for each in history.operations] == [("y", FOREVER, False)]


def test_a_client_writes_before_it_calls(tmp_path: Path) -> None:
    """The call stands in the log while it is under way, and the answer after it."""
    hears, out = os.pipe()
    plan = plan_of(tmp_path)
    client = Client(plan, "w0.1", 0, out, hierarchical=True)
    written: list[bytes] = []

    class Watching:
        def add_message(self, *_: object) -> bool:
            written.append(os.read(hears, 1000))
            return True

    client.use(Watching(), 1)
    client.call("add", "g1-a")
    assert json.loads(written[0])[:5] == ["c", 0, 1, "add", "g1-a"]
    kind, _, _, returned, result = json.loads(os.read(hears, 1000))
    assert (kind, result) == ("r", True)
    assert returned > json.loads(written[0])[6]
    for end in (hears, out):
        os.close(end)


# What is run


def test_the_killed_are_dead_and_the_others_go_on(tmp_path: Path) -> None:
    """A kill ends the process with all its threads before anything else happens; a new one takes its place."""
    plan = plan_of(tmp_path)
    Clock(plan.clock, create=True).set(1)
    history = History("any")
    with Crew(tmp_path, plan, lambda _: history) as crew:
        for number in range(2):
            crew.start(number)
        first, second = crew.alive
        heard: set[str] = set()
        while heard < {first.name, second.name}:
            heard |= {worker.name for worker, data in crew.hear(PATIENCE_SECONDS) if data}
        _data, died = crew.kill(first, random.Random(1))
        assert not Path(f"/proc/{first.process}").exists()
        assert died <= time.monotonic_ns()
        assert crew.alive == [second]
        crew.start(0)
        assert [worker.name for worker in crew.alive] == ["w1.2", "w0.3"]
        processes = [worker.process for worker in crew.alive]
        assert all(Path(f"/proc/{process}").exists() for process in processes)
    for process in processes:
        is_gone(process)


def is_gone(process: int) -> None:
    """Return when a process that is nobody's child has ended."""
    with contextlib.suppress(ProcessLookupError):
        ended = os.pidfd_open(process)
        try:
            assert select.select([ended], [], [], PATIENCE_SECONDS)[0]
        finally:
            os.close(ended)


READER = """
import sys
from tests.proofs.processes.worker import Clock
clock, seen = Clock(sys.argv[1]), set()
print("ready", flush=True)
while (number := clock.read()) != 2:
    seen.add(number)
print(sorted(seen - {1 << 40, 1 << 41}))
"""


def test_the_clock_shows_nothing_that_was_not_set(tmp_path: Path) -> None:
    """Another process never sees a number between two: a 0 in between once told workers to end."""
    clock = Clock(str(tmp_path / "clock"), create=True)
    clock.set(1 << 40)
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path / "clock")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == "ready\n"
        for number in range(200_000):
            clock.set(1 << 40 + number % 2)
        clock.set(2)
        assert reader.stdout.read() == "[]\n"


def test_a_run_does_what_it_was_told_to(tmp_path: Path) -> None:
    """It ends when all its aims are reached, has judged every session, and leaves nothing."""
    told: list[int] = []
    aims = Aims(operations=600, kills=4)
    run = Run(
        tmp_path, plan_of(tmp_path), aims, workers=3, generation=200, told=lambda each: told.append(each.sessions)
    )
    assert run.go() is None
    assert run.figures.operations >= aims.operations
    assert run.figures.kills >= aims.kills
    assert run.figures.in_doubt > 0
    assert len(told) >= 3
    assert told == list(range(4, 4 * len(told) + 1, 4))
    assert run.figures.sessions == told[-1]
    assert run.histories == {}
    assert list((tmp_path / "sessions").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"sessions", "clock"}


@pytest.mark.parametrize(
    ("fault", "words"),
    {
        "no-lock": "",
        "lock-released-between-read-and-write": "",
        "first-read-kept-for-ever": "no order of these calls",
        "metadata-replaced": "no order of these calls",
    }.items(),
)
def test_a_broken_store_is_found(fault: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these is found in a short run, since it is wrong all the time and not in a moment that has to be met."""
    monkeypatch.setenv(VARIABLE, fault)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE / "hook"), os.environ.get("PYTHONPATH", "")]))
    finding = Run(tmp_path, plan_of(tmp_path), Aims(operations=2500, kills=8), workers=6).go()
    assert finding is not None
    assert words in finding.what
    assert not words or finding.history


def test_a_run_that_hangs_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody answers any more, the run ends and says so: here somebody else holds the locks of every session."""
    monkeypatch.setattr(run_module, "QUIET_SECONDS", 0.5)
    plan = plan_of(tmp_path, lock_timeout=PATIENCE_SECONDS)
    run = Run(tmp_path, plan, Aims(operations=300, kills=0), workers=2, generation=150)
    holder = plan.store(False, 1)
    inside, leave = threading.Event(), threading.Event()

    def hold(session: Any) -> Any:
        inside.set()
        leave.wait(PATIENCE_SECONDS)
        return session

    holders = [threading.Thread(target=holder.update, args=[f"g1-{name}", hold]) for name in "abcd"]
    for each in holders:
        each.start()
    assert inside.wait(PATIENCE_SECONDS)
    try:
        finding = run.go()
    finally:
        leave.set()
        for each in holders:
            each.join()
    assert finding is not None
    assert "waiting-is-bounded: no call has been answered" in finding.what


def test_a_worker_that_ends_by_itself_is_found(tmp_path: Path) -> None:
    """A worker that is gone without having been killed is a finding."""
    run = Run(tmp_path, plan_of(tmp_path), Aims(operations=100_000, kills=0), workers=2)
    told = iter([False, True])

    def end(_figures: Figures) -> None:
        if next(told, True):
            os.kill(run._crew.alive[0].process, 15)

    run._told = end
    finding = run.go()
    assert finding is not None
    assert "has ended, and nobody had told it to" in finding.what


def test_a_soak_reports_as_it_goes(tmp_path: Path) -> None:
    """The long form in short: its report is whole at any time, and says when it has reached what it was to."""
    report = tmp_path / "report.json"
    done = soak(tmp_path, report, seconds=0, operations=500, workers=3, seed=3, round_operations=300)
    assert json.loads(report.read_text("utf-8")) == done
    assert done["complete"]
    assert done["verdict"] == "linearizable"
    assert done["counts"]["operations"] >= 500
    assert done["counts"]["sessions"] >= 8
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
