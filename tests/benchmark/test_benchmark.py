"""The benchmark measures what it says: its shape, its count of survivors, its ratios. No time decides a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore
from tests.benchmark import __main__ as command
from tests.benchmark import results
from tests.benchmark.contenders import CONTENDERS, Contender
from tests.benchmark.crew import Failed, Worker
from tests.benchmark.figures import percentile, ratio
from tests.benchmark.goals import Goal, keeps_all, least_lead
from tests.benchmark.measures import MEASURES, Run, _judged, crowd
from tests.benchmark.stores.ours import Ours
from tests.full_grid import FULL_GRID

OURS = ("files", "tree-process", "sqlite", "floor", "floor-row")  # one of each kind, which is what a minute allows
SHAPE: dict[str, dict[str, type]] = {
    "append": {"length": int, "us": float},
    "read": {"length": int, "first_us": float, "us": float},
    "processes": {"processes": int, "sessions": int, "written": int, "survive": int, "returned": int, "us": float}
    | dict.fromkeys(("per_second", "p99_us", "longest_us", "slowest_to_fastest"), float)
    | {"said": str},
    "beside": {"reads": int, "torn": int, "stale": int, "read_us": float, "read_p99_us": float, "append_us": float},
    "fresh": {"length": int, "us": float, "stale": int},
    "listing": {"sessions": int, "cold_us": float, "us": float, "one_changed_us": float},
    "opening": {"open_us": float, "read_us": float},
    "import": {"us": float},
    "memory": {"length": int, "opened_bytes": int, "most_bytes": int},
}
SHAPE["apart"] = SHAPE["processes"]
GROUP = {"contender", "length", "processes", "sessions", "written", "opened_bytes", "most_bytes"}  # once, not per round


class Forgetful(Ours):
    """Loses every second message that it says it has kept."""

    def __init__(self, place: str) -> None:
        super().__init__(DefaultSessionStore(place, durability="process"))
        self._appended = 0

    def append(self, session_id: str, text: str) -> object:
        """Append every second message."""
        self._appended += 1
        return self._appended % 2 == 0 or super().append(session_id, text)


class Failing(Ours):
    """Raises instead of keeping every fifth message."""

    def __init__(self, place: str) -> None:
        super().__init__(DefaultSessionStore(place, durability="process"))
        self._appended = 0

    def append(self, session_id: str, text: str) -> object:
        """Append, or raise."""
        self._appended += 1
        if self._appended % 5 == 0:
            raise RuntimeError("the fifth")
        return super().append(session_id, text)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give what a quick run of every measure has found of our stores and of the floor."""
    folder = tmp_path_factory.mktemp("benchmark")
    run = Run([CONTENDERS[key] for key in OURS], folder, quick=True, rounds=1)
    found: dict[str, Any] = results.recorded(folder / "none.json")
    for name, measure in MEASURES.items():
        rows = measure(run)
        kept = results.measure(rows, run.failed, folder)
        described = {each.key: results.described(each) for each in run.contenders}
        found = results.merged(found, described, {}, {name: kept})
    results.keep(found, folder / "results.json")
    return results.recorded(folder / "results.json")


if FULL_GRID:  # a quick run takes half a minute

    def test_a_quick_run_measures_everything(quick: dict[str, Any]) -> None:
        """Each measure has rows of the stated shape for each store that can take part, and nobody failed."""
        assert set(SHAPE) == set(MEASURES) == set(quick["measures"])
        for name, measure in quick["measures"].items():
            assert measure["failed"] == {}
            assert measure["rows"]
            assert set(measure["machine"]) == {"cores", "memory_bytes", "system", "filesystem", "versions"}
            for row in measure["rows"]:
                assert set(row) == {"contender", *SHAPE[name]}
                for figure, kind in SHAPE[name].items():
                    values = [row[figure]] if figure in GROUP else row[figure]
                    assert all(isinstance(value, kind) for value in values), (name, figure)
        taking_part = {row["contender"] for row in quick["measures"]["append"]["rows"]}
        assert taking_part == set(OURS) == set(quick["contenders"])
        alone = {key for key in OURS if CONTENDERS[key].alone}
        assert {row["contender"] for row in quick["measures"]["processes"]["rows"]} == taking_part - alone

    def test_our_stores_keep_every_message(quick: dict[str, Any]) -> None:
        """Of two processes on one session, and beside a reader, nothing is lost, refused, torn or stale."""
        for row in quick["measures"]["processes"]["rows"] + quick["measures"]["apart"]["rows"]:
            if not row["contender"].startswith("floor"):
                assert set(row["survive"]) == set(row["returned"]) == {row["written"]}, row
        for row in quick["measures"]["beside"]["rows"] + quick["measures"]["fresh"]["rows"]:
            if not row["contender"].startswith("floor"):
                assert set(row.get("torn", [0])) == set(row["stale"]) == {0}, row


def _broken(kind: type[Ours]) -> Contender:
    return Contender(kind.__name__, kind.__name__, "process", f"{__name__}:{kind.__name__}")


@pytest.mark.parametrize(
    ("kind", "returned", "survive"), [(Forgetful, 20, 10), (Failing, 16, 16)], ids=["forgetful", "failing"]
)
def test_what_is_lost_is_counted(kind: type[Ours], returned: int, survive: int, tmp_path: Path) -> None:
    """A message whose append has returned and that nobody finds is lost; one that was refused has not returned."""
    (tmp_path / "place").mkdir()
    found = crowd(_broken(kind), str(tmp_path / "place"), tmp_path, count=2, sessions=1, appends=10)
    assert (found["returned"], found["survive"]) == (returned, survive)
    assert ("the fifth" in found["said"]) == (kind is Failing)


def test_a_file_that_nobody_can_read_has_no_survivors(tmp_path: Path) -> None:
    """What a store says that cannot read its session any more stands in the results."""
    contender = Contender("torn", "torn", "process", f"{__name__}:Torn")
    found = crowd(contender, str(tmp_path), tmp_path, count=2, sessions=1, appends=3)
    assert (found["returned"], found["survive"]) == (6, 0)
    assert "nobody can read it" in found["said"]


class Torn(Ours):
    """Cannot be read."""

    def __init__(self, place: str) -> None:
        super().__init__(DefaultSessionStore(place, durability="process"))

    def read(self, session_id: str) -> Any:
        """Raise."""
        raise ValueError(f"{session_id}: nobody can read it")


def test_a_watch_ends_with_the_next_order(tmp_path: Path) -> None:
    """It says when it has begun, so that no order comes with it, and has read once at least.

    Kills: an order that is in a buffer when the watch looks for one, and a watch without an end.
    """
    with Worker(CONTENDERS["files"], tmp_path) as worker:
        worker.do("open", place=str(tmp_path))
        worker.do("fill", session="s", count=3)
        worker.do("watch", session="s")
        worker.tell("memory")
        saw = worker.hear()
        assert set(saw["found"]) == {3}
        assert worker.hear()["now"] > 0


def test_torn_and_stale_reads_are_told_apart() -> None:
    """An error and a step backwards are torn; a read that lacks what had returned before it began is stale."""
    wrote = {"took": [5, 5], "ends": [10, 20]}
    saw = {"took": [1] * 5, "begins": [5, 15, 16, 21, 22], "found": [100, 100, -1, 102, 101], "said": ""}
    judged = _judged(wrote, saw)
    assert (judged["reads"], judged["torn"], judged["stale"]) == (5, 2, 1)


def test_a_worker_that_dies_says_why(tmp_path: Path) -> None:
    """A package that cannot be imported is left out with its own words."""
    contender = Contender("none", "none", "process", "tests.benchmark.stores.nobody:store")
    with pytest.raises(Failed, match=r"No module named 'tests\.benchmark\.stores\.nobody'"):
        Worker(contender, tmp_path)


def test_a_measure_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    """The others stay, and a file of another schema is refused."""
    file = tmp_path / "results.json"
    words = ["--only", "import", "--contenders", "files", "--results", str(file), "--rounds", "1"]
    command.main(words)
    first = results.recorded(file)
    assert [row["contender"] for row in first["measures"]["import"]["rows"]] == ["files"]
    other = results.measure([{"contender": "files", "us": [1.0]}], {}, tmp_path)
    results.keep(results.merged(first, {}, {"praisonai": "no network"}, {"append": other}), file)
    second = results.recorded(file)
    assert second["measures"]["import"] == first["measures"]["import"]
    assert second["measures"]["append"] == other
    assert second["left_out"] == {"praisonai": "no network"}
    assert results.merged(second, {"praisonai": {}}, {}, {})["left_out"] == {}
    file.write_text(json.dumps({**second, "schema": 0}))
    with pytest.raises(ValueError, match="schema"):
        results.recorded(file)


def test_what_is_kept_names_no_place(tmp_path: Path) -> None:
    """What a store said of a file is kept without the folder of that run, in figures and in failures."""
    said = f"ValueError: '{tmp_path}/tmpx_1/s0.json'"
    kept = results.measure([{"contender": "files", "said": [said]}], {"tree": said}, tmp_path)
    assert (kept["rows"][0]["said"], kept["failed"]["tree"]) == (["ValueError: 's0.json'"], "ValueError: 's0.json'")


def test_a_ratio_is_that_of_paired_rounds() -> None:
    """A slow minute that meets both sides does not change it."""
    assert ratio([2.0, 200.0, 2.0], [1.0, 100.0, 1.0]) == 2.0
    assert percentile(range(1, 101), 0.99) == 100
    assert percentile([7], 0.5) == 7


def test_who_loses_messages_is_not_compared_with() -> None:
    """The lead is over peers that keep every message of two writers, in equal durability."""
    contenders = {
        "files": {"kind": "ours", "durability": "power", "rewrites": True},
        "keeps": {"kind": "peer", "durability": "power", "rewrites": True},
        "loses": {"kind": "peer", "durability": "power", "rewrites": True},
    }
    appends = [
        {"contender": key, "length": 10, "us": [us]} for key, us in (("files", 2.0), ("keeps", 6.0), ("loses", 1.0))
    ]
    crowds = [
        {"contender": key, "processes": 2, "written": 4, "survive": [survive]}
        for key, survive in (("files", 4), ("keeps", 4), ("loses", 3))
    ]
    found = {"contenders": contenders, "measures": {"append": {"rows": appends}, "processes": {"rows": crowds}}}
    assert keeps_all(found, "loses") is False
    assert least_lead(found, {"power": "files", "process": "files"}) == 3.0
    assert Goal("it", 3.0, True, "times", lambda _: 3.0).reached(found)
    assert Goal("it", 3.0, False, "times", lambda _: 3.1).reached(found) is False
    assert Goal("it", 3.0, False, "times", lambda _: None).reached(found) is None
