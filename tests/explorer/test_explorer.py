"""The explorer shows what real code does: recorded anew here, and the same to the letter."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from tests.explorer.designs import ADDED, DESIGNS, EXAMPLES
from tests.explorer.page import PAGE, TABLES
from tests.explorer.recording import RECORDED, Node, as_text, recorded
from tests.tables import names_in, written

HINT = "run `python3 dev.py update tests/explorer`"
EACH = pytest.mark.parametrize("number", range(len(DESIGNS)), ids=[design.key for design in DESIGNS])


def test_recording_is_what_the_code_does(pytestconfig: pytest.Config) -> None:
    """Every step of every order gives what stands in the recording; with `--update-examples` it is written."""
    if pytestconfig.getoption("--update-examples", False):
        RECORDED.write_text(as_text(), "utf-8")
    assert RECORDED.read_text("utf-8") == as_text(), HINT


def test_page_shows_the_recording(pytestconfig: pytest.Config) -> None:
    """The tables of the page are what the recording makes of them; with `--update-examples` they are written."""
    text = PAGE.read_text("utf-8")
    if pytestconfig.getoption("--update-examples", False):
        PAGE.write_text(written(text, TABLES), "utf-8")
    assert PAGE.read_text("utf-8") == written(text, TABLES), HINT
    assert sorted(names_in(text)) == sorted(TABLES)


@EACH
def test_broken_designs_lose_and_ours_does_not(number: int) -> None:
    """Some order of each broken design loses a message, and none of ours; the page opens on one that hurts most."""
    each = recorded()[number]
    losing = {order for order, lost in each.orders.items() if lost}
    if each.design.key == "readfresh":
        assert not losing
        assert len(each.orders) > 100
    else:
        assert losing
        assert len(each.orders[each.opens_on]) == max(map(len, each.orders.values())) >= 1


@EACH
def test_the_graph_has_the_orders_that_were_run_and_no_others(number: int) -> None:
    """Every walk that a reader can take is an order that was run, state by state, and all are there."""
    each = recorded()[number]
    graph = json.loads(RECORDED.read_text("utf-8"))[number]

    def walks(path: str, node: Node) -> list[str]:
        state = {**node, "next": {name: step["step"] for name, step in node["next"].items()}}
        assert state == {**each.states[path], "loses": each.fate(path)}
        ways = {name: step["to"] for name, step in node["next"].items() if "to" in step}
        return [end for name, to in ways.items() for end in walks(path + name, graph["nodes"][to])] if ways else [path]

    assert sorted(walks("", graph["nodes"][0])) == sorted(each.orders)


def test_whoever_waits_cannot_go() -> None:
    """A worker whose next step is to lock has no way on exactly while the other one holds the lock."""
    waits = 0
    for graph in json.loads(RECORDED.read_text("utf-8")):
        for node in graph["nodes"]:
            for step in node["next"].values():
                waiting = step["step"] == "lock" and node["lock"] is not None
                assert ("to" not in step) == waiting
                waits += waiting
    assert waits >= 10


@EACH
def test_fate_is_told_at_the_first_step_from_which_nothing_helps(number: int) -> None:
    """From a state that tells of a loss no order is whole; at the end it names what the session file lacks."""
    each = recorded()[number]
    for order, lost in each.orders.items():
        assert each.fate(order) == (lost or None)
        kept = each.states[order]["session"]
        assert [message for message in ADDED.values() if message not in kept] == [
            message for message in lost if message in ADDED.values()
        ]


def test_programs_play_the_orders_that_hurt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line that each program prints is the order on which the explorer opens."""
    monkeypatch.chdir(tmp_path)
    by_key = {each.design.key: each for each in recorded()}
    programs = sorted(EXAMPLES.glob("*.py"))
    assert len(programs) == 3
    for program in programs:
        runpy.run_path(str(program), run_name="__main__")
        last = capsys.readouterr().out.splitlines()[-1]
        assert last.split(":")[0] == by_key[program.stem.replace("_", "-")].opens_on
