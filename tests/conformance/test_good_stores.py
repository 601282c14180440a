"""The kit finds nothing in a good store, and says what it has tried and what it could not.

That readfresh's own stores keep everything, `tests/matrix` shows.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from readfresh import DefaultSessionStore
from readfresh.conformance import GUARANTEES, FactoryError, check
from tests.conformance import factories
from tests.conformance.base import GoodStore


def test_five_methods_are_enough() -> None:
    """A store of five methods is checked for nine guarantees; the others say which methods they are about."""
    report = check(GoodStore, patience=3.0)
    assert report.with_status("broken") == report.with_status("could not run") == [], report.to_text()
    assert len(report.with_status("kept")) == 9
    assert all(report.results[slug].schedules + report.results[slug].kills > 0 for slug in report.with_status("kept"))
    assert report.processes > 50
    reason = report.results["none-is-a-value"].reason
    assert reason == "the store has no `update_session_metadata`, no `get_session`"


def test_a_database_of_plain_rows_is_no_file_of_a_session() -> None:
    """A file that holds all sessions changes with each of them; a bot that cannot call a store says how it would."""
    report = check(factories.InOneDatabase, ["nothing-else-changes", "damage-is-kept", "a-turn-is-kept"])
    assert report.with_status("kept") == ["nothing-else-changes"], report.to_text()
    assert report.with_status("not applicable") == ["damage-is-kept"]
    assert (
        "add_message(session_id, role, content, metadata), meets TypeError" in report.results["a-turn-is-kept"].reason
    )


def test_a_crash_that_damages_all_sessions_does_not_end_a_check() -> None:
    """Whoever writes all sessions into one file breaks all-or-nothing, and the other checks go on in a new place."""
    report = check(factories.OneFile, ["all-or-nothing", "waiting-is-bounded"], patience=3.0)
    assert report.with_status("broken") == ["all-or-nothing"], report.to_text()
    assert report.with_status("kept") == ["waiting-is-bounded"], report.to_text()
    assert report.results["waiting-is-bounded"].kills < 40


def test_a_factory_without_a_name_is_handed_over_by_a_fork() -> None:
    """A lambda cannot be imported elsewhere, and makes stores there all the same."""
    report = check(lambda place: DefaultSessionStore(place), ["ids-are-apart", "durable"])
    assert len(report.with_status("kept")) == 2


def test_what_the_factory_can_do_is_used() -> None:
    """`damage` damages what the kit does not find; `describe` is in the report; `close` is called."""
    report = check("tests.conformance.factories:scrambled", ["damage-is-kept", "nothing-else-changes"])
    assert report.results["damage-is-kept"].status == "kept"
    assert "as the factory damages it" in report.results["damage-is-kept"].reason
    assert "finds no JSON file" in report.results["nothing-else-changes"].reason
    assert report.description == {"version": "1.0", "configuration": "scrambled"}


def test_a_store_that_fails_could_not_be_checked() -> None:
    """A store that raises with nothing in its way is never kept; the report says what it raised, and goes on."""
    report = check(factories.RefusesToAdd, ["no-lost-update", "durable", "none-is-a-value"])
    assert report.with_status("could not run") == ["no-lost-update", "durable"]
    assert "PermissionError: nobody may add" in report.results["no-lost-update"].reason
    assert report.with_status("not applicable") == ["none-is-a-value"]
    assert report.exit_status == 2


def test_a_verb_that_fails_is_not_kept() -> None:
    """A check that cannot do what it is about to try is never passed, nor is it blamed on a guarantee."""
    report = check(factories.CannotClear, ["no-lost-update", "all-or-nothing", "durable"], appends=20)
    assert report.with_status("could not run") == ["no-lost-update", "all-or-nothing", "durable"], report.to_text()
    assert "clear_session() with nothing in its way: NotImplementedError" in report.results["all-or-nothing"].reason


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("no_colon", "write it as pkg.module:factory"),
        ("no_such_module:factory", "cannot be imported: No module named 'no_such_module'"),
        ("tests.conformance.factories:nothing", "has no 'nothing'"),
        ("nowhere.py:factory", "there is no file 'nowhere.py'"),
        (factories.raises, "the factory makes no store: OSError: the server is away"),
        (factories.Asynchronous, "whose get_chat_history is asynchronous: the kit calls get_chat_history(session_id)"),
        (factories.TakesNoRole, "whose add_message cannot be called as add_message(session_id, role, content): too"),
        (factories.not_a_store, "the factory makes a dict, which has no add_message"),
    ],
    ids=["no name", "no module", "no such name", "no file", "raises", "async", "signature", "no store"],
)
def test_a_factory_that_makes_no_store_is_refused(factory: str, said: str) -> None:
    """A factory that cannot be had, or makes no session store, raises an error that says what to write instead."""
    with pytest.raises(FactoryError, match=re.escape(said)):
        check(factory)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def factory(place) pass", ": SyntaxError: expected ':' (mine.py, line 1)"),
        ("raise SystemExit(3)", ": SystemExit: 3"),
        ("import os; print('farewell', flush=True); os._exit(4)", " ended with status 4: farewell"),
        ("input()", ": EOFError: EOF when reading a line"),
    ],
    ids=["no Python", "exits", "ends the process", "asks"],
)
def test_a_module_that_cannot_be_imported_says_why(text: str, said: str, tmp_path: Path) -> None:
    """Whatever the import of the factory does, the error names the factory and what became of it."""
    (tmp_path / "mine.py").write_text(text)
    factory = f"{tmp_path / 'mine.py'}:factory"
    with pytest.raises(FactoryError, match=re.escape(f"{factory!r}{said}")):
        check(factory)


def test_there_is_no_other_guarantee() -> None:
    """A slug that is none raises `ValueError`, which names those that there are."""
    with pytest.raises(ValueError, match="guarantees names 'no-lost-updates'; there are no-lost-update, read-fresh"):
        check(GoodStore, ["no-lost-updates"])


def test_the_sentences_are_those_of_the_pages() -> None:
    """The kit's sentence of each guarantee is the one that its page quotes."""
    pages = Path(__file__).parents[2] / "docs" / "guarantees"
    for slug, sentence in GUARANTEES.items():
        assert f"> {sentence}\n" in (pages / f"{slug}.md").read_text(encoding="utf-8"), slug


def test_a_report_is_json_too() -> None:
    """`to_json` has what the text has, and the figures."""
    report = check(GoodStore, ["durable"])
    read = json.loads(report.to_json())
    assert read["store"] == "GoodStore"
    assert [(one["guarantee"], one["status"], one["kills"]) for one in read["results"]] == [("durable", "kept", 4)]
    assert report.figures().startswith("0 schedules, ")
    assert report.to_text().splitlines()[2].startswith("durable  kept            a kill right after the return")
