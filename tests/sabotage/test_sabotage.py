"""Every fault is caught: the tests of each guarantee that it breaks turn red, and are green without it.

A test that has never been seen to fail says nothing.
A fault counts as caught when a test *failed*: not when it kept the tests from being collected,
and not when the fault itself crashed.

By hand: `READFRESH_SABOTAGE=no-lock pytest tests/guarantees/test_no_lost_update.py`
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.full_grid import FULL_GRID
from tests.sabotage.faults import HERE, all_faults
from tests.sabotage.runner import ROOT, Outcomes, Runner


def _module(broken: str) -> str:
    """Return the module whose tests a fault turns red: that of a guarantee, or of the test that it names."""
    return broken.partition("::")[0] if "::" in broken else f"tests/guarantees/test_{broken.replace('-', '_')}.py"


JOBS = [(name, each) for name, fault in all_faults().items() for each in (*fault.breaks, *fault.tests)]
# The normal run takes one fault of each guarantee and of each other module: each costs a run of that module.
# `FULL_GRID=1`, which .ci/run sets, takes all, and so does a run that asks for this folder or for a fault by name.
SAMPLE = [
    job for number, job in enumerate(JOBS) if _module(job[1]) not in {_module(broken) for _, broken in JOBS[:number]}
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the faults."""
    if "broken" in metafunc.fixturenames:
        config = metafunc.config
        asked = config.getoption("-k") or any("sabotage" in argument for argument in config.args)
        jobs = JOBS if asked or FULL_GRID else SAMPLE
        ids = [f"{name} breaks {each.rpartition('::')[2]}" for name, each in jobs]
        metafunc.parametrize(("fault", "broken"), jobs, ids=ids)


# What Python says when the function of a fault is not called as the one that it takes the place of.
MISCALLED = re.compile(r"TypeError: (?:\w+\.<locals>\.)+\w+\(\) (?:got|takes|missing) ")


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """The process whose forks run the tests."""
    running = Runner()
    yield running
    running.end()


@pytest.fixture(scope="session")
def catchers(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """The tests that have caught a fault: at the end all of them are run without one, and are green."""
    caught: set[str] = set()
    yield caught
    if caught:
        outcomes, said = runner.run("", tmp_path_factory.mktemp("without"), *sorted(caught))
        green = {name for name, outcome in outcomes.items() if outcome["how"] == "passed"}
        if not caught <= green:
            pytest.fail(f"a test that has caught a fault is not green without one\n{said}", pytrace=False)


def judge(outcomes: Outcomes) -> tuple[str, str]:
    """Return the test that caught the fault and an empty text; or an empty name, and why the fault is not caught."""
    if not outcomes:
        return "", "kept the tests from being run"
    red = [(name, each) for name, each in outcomes.items() if each["how"] not in ("passed", "skipped")]
    if not red:
        return "", "is not noticed"
    name, how = red[0]
    if how["when"] != "call":
        return "", f"broke the {how['when']} of {name}, where no test failed"
    if Path(how["where"]).parent == HERE or MISCALLED.match(how["how"]):
        return "", f"is itself broken, and crashed in {name}"
    return name, ""


def test_fault_is_caught(fault: str, broken: str, runner: Runner, catchers: set[str], tmp_path: Path) -> None:
    """The fault turns a test of the guarantee red, or the one it names, and that test is green without it."""
    module = broken if "::" in broken else _module(broken)
    outcomes, said = runner.run(fault, tmp_path, module)
    name, why = judge(outcomes)
    if not name:
        pytest.fail(f"{module}: {fault!r} ({all_faults()[fault].what}) {why}\n{said}", pytrace=False)
    catchers.add(name)


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("import nowhere", "kept the tests from being run"),
        ("def test_it(): pass", "is not noticed"),
        ("import pytest\ndef test_it(): pytest.skip()", "is not noticed"),
        ("def test_it(nothing): pass", "broke the setup of"),
        ("from tests.sabotage.fault import put\ndef test_it(): put(1, x=2)", "is itself broken, and crashed in"),
        (
            "def test_it():\n    def read(name): pass\n    read(name=1, how=2)",
            "is itself broken, and crashed in",
        ),
        ("def test_it(): assert False", ""),
    ],
)
def test_what_counts_as_caught(test: str, why: str, runner: Runner, tmp_path: Path) -> None:
    """A test that fails, and nothing else: no skip, no broken fixture, no import that fails, no fault that crashes."""
    file = tmp_path / "test_it.py"
    file.write_text(test + "\n")
    name, said = judge(runner.run("", tmp_path, str(file))[0])
    assert said.startswith(why)
    assert bool(name) == (not why)


def test_every_guarantee_has_a_fault() -> None:
    """A guarantee whose test has never been seen to fail is a claim."""
    slugs = {slug for fault in all_faults().values() for slug in fault.breaks}
    tested = {
        path.stem.removeprefix("test_").replace("_", "-") for path in (ROOT / "tests/guarantees").glob("test_*.py")
    }
    assert tested <= slugs
    assert all(fault.breaks or fault.tests or fault.found_by for fault in all_faults().values())
