"""Every fault is caught: the tests of each guarantee that it breaks turn red, and are green without it.

A test that has never been seen to fail says nothing.
A fault counts as caught when a test *failed*: not when it kept the tests from being collected,
and not when the fault itself crashed.

By hand: `READFRESH_SABOTAGE=no-lock pytest tests/guarantees/test_no_lost_update.py`
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from tests.sabotage.faults import HERE, all_faults
from tests.sabotage.runner import ROOT, Runner

Job = tuple[str, str]
JOBS = [(name, slug) for name, fault in all_faults().items() for slug in fault.breaks]


def module_of(slug: str) -> str:
    """Return the path of the guarantee's test module."""
    return f"tests/guarantees/test_{slug.replace('-', '_')}.py"


def catch(runner: Runner, job: Job, folder: Path) -> str:
    """Return the test that the fault turns red; fail when there is none."""
    fault, slug = job
    outcomes, said = runner.run(fault, folder, module_of(slug))
    red = [(name, each) for name, each in outcomes.items() if each["how"] not in ("passed", "skipped")]
    if not outcomes:
        pytest.fail(f"{fault!r} kept {module_of(slug)} from being run\n{said}", pytrace=False)
    if not red:
        pytest.fail(f"{module_of(slug)} does not notice {fault!r}: {all_faults()[fault].what}\n{said}", pytrace=False)
    name, how = red[0]
    if how["when"] != "call":
        pytest.fail(f"{fault!r} broke the {how['when']} of {name}, where no test failed\n{said}", pytrace=False)
    if Path(how["where"]).parent == HERE:
        pytest.fail(f"{fault!r} is itself broken, and crashed in {name}\n{said}", pytrace=False)
    return name


@pytest.fixture(scope="module")
def runners() -> Iterator[queue.Queue[Runner]]:
    """As many runners as there are processors, each to be taken and put back."""
    running = [Runner() for _ in range(os.cpu_count() or 1)]
    free: queue.Queue[Runner] = queue.Queue()
    for runner in running:
        free.put(runner)
    yield free
    for runner in running:
        runner.end()


@pytest.fixture(scope="module")
def caught(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, runners: queue.Queue[Runner]
) -> Iterator[dict[Job, Future[str]]]:
    """Run the faults of the tests that were selected."""
    mine = [item for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    jobs = [cast("Job", item.callspec.params["job"]) for item in mine if item.function is test_fault_is_caught]

    def run(job: Job, folder: Path) -> str:
        runner = runners.get()
        try:
            return catch(runner, job, folder)
        finally:
            runners.put(runner)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {job: pool.submit(run, job, tmp_path_factory.mktemp("fault")) for job in jobs}


@pytest.mark.parametrize("job", JOBS, ids=" breaks ".join)
def test_fault_is_caught(job: Job, caught: dict[Job, Future[str]]) -> None:
    """The fault turns a test of the guarantee red."""
    caught[job].result()


def test_what_catches_a_fault_is_green_without_it(
    caught: dict[Job, Future[str]], runners: queue.Queue[Runner], tmp_path: Path
) -> None:
    """Each test that a fault turned red passes when the fault is gone: it was the fault that it noticed."""
    tests = sorted({each.result() for each in caught.values() if each.exception() is None})
    assert bool(tests) == bool(caught)
    if tests:
        outcomes, said = runners.get().run("", tmp_path, *tests)
        assert [outcomes.get(test, {}).get("how") for test in tests] == ["passed"] * len(tests), said


def test_every_guarantee_has_a_fault() -> None:
    """A guarantee whose test has never been seen to fail is a claim."""
    slugs = {slug for fault in all_faults().values() for slug in fault.breaks}
    tested = {
        path.stem.removeprefix("test_").replace("_", "-") for path in (ROOT / "tests/guarantees").glob("test_*.py")
    }
    assert tested <= slugs
    assert all(fault.breaks for fault in all_faults().values())
