"""The reports say what the pages need, and a run that finds something else is seen."""

from __future__ import annotations

import copy
import re

import pytest

from readfresh.conformance import GUARANTEES
from tests.matrix.reports import FOLDER, differences, recorded
from tests.matrix.stores import OURS, STORES, THEIRS, Store

EACH = pytest.mark.parametrize("store", STORES, ids=lambda store: store.key)


@EACH
def test_a_report_has_a_result_for_each_guarantee(store: Store) -> None:
    """Every guarantee, in the order of the pages; what is broken has a history and a diagram, what is not has none."""
    report = recorded(store)
    assert [result["guarantee"] for result in report["results"]] == list(GUARANTEES)
    for result in report["results"]:
        broken = result["status"] == "broken"
        assert bool(result["history"]) == bool(result["mermaid"]) == broken, result["guarantee"]
        assert result["reason"]
        if result["status"] == "kept":
            assert result["schedules"] + result["kills"] > 0, f"{result['guarantee']} was kept without being tried"


@EACH
def test_a_report_names_no_place_and_no_time(store: Store) -> None:
    """What is in it does not depend on the machine: no directory, and no seconds."""
    text = (FOLDER / f"{store.key}.json").read_text("utf-8")
    assert not re.search(r'"seconds"|/tmp|/root|/home', text)


@EACH
def test_another_finding_is_seen(store: Store) -> None:
    """A guarantee that is no longer what the page says, and another version, are differences; other counts are not."""
    old, new = recorded(store), recorded(store)
    new["stress"] = {"added": 1, "refused": 2, "kept": 3}
    new["results"][0]["schedules"] += 1
    assert differences(old, new) == {}
    for number, slug in enumerate(GUARANTEES):
        changed = copy.deepcopy(new)
        was = changed["results"][number]["status"]
        changed["results"][number]["status"] = "kept" if was == "broken" else "broken"
        assert set(differences(old, changed)) == {slug}
    new["version"] = "another 1.0"
    assert set(differences(old, new)) == {"version"}


def test_others_say_something_about_themselves() -> None:
    """Of each store of somebody else, the page quotes what it says about itself, and names one exact version."""
    for store in THEIRS:
        report = recorded(store)
        assert report["promises"]
        assert re.fullmatch(r"[a-z-]+ \d+(\.\d+)+", report["version"])
    assert all(recorded(store)["version"].startswith("readfresh ") for store in OURS)
