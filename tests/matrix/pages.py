"""Writes the pages of the matrix: one table, and a page for each store with the histories that show what is broken."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from readfresh.conformance import GUARANTEES
from tests.matrix.reports import recorded, recording_of
from tests.matrix.stores import OURS, STORES, THEIRS, Store

BY = "matrix"
MATRIX = "docs/conformance/matrix.md"
SHORT = {"kept": "kept", "broken": "**broken**", "not applicable": "n/a", "could not run": "could not run"}


def page_of(store: Store) -> str:
    """Return the path of a store's page."""
    return f"docs/conformance/stores/{store.key}.md"


def pages() -> dict[str, str]:
    """Return the text of every page, by its path."""
    reports = {store: recorded(store) for store in STORES}
    found = {page_of(store): "\n".join(_store(store, report)) + "\n" for store, report in reports.items()}
    return {MATRIX: "\n".join(_matrix(reports)) + "\n", **found}


def _matrix(reports: dict[Store, dict[str, Any]]) -> Iterator[str]:
    yield from (
        *("---", "hide: [toc]", "---", ""),  # the tables take the room
        "# Every guarantee, every store",
        "",
        "The [conformance kit](index.md) was run over our stores, and over stores of other people.",
        "Each cell leads to what was run, and where a guarantee is broken, to the shortest history that shows it.",
        "",
        "| in a cell | it says |",
        "|---|---|",
        "| kept | what was tried could have failed, and did not |",
        "| **broken** | there is a history in which the guarantee does not hold; it is on the store's page |",
        "| n/a | the guarantee says nothing about this store, for the reason on its page |",
        "| could not run | the check failed with nothing in the store's way |",
        "",
        "The guarantees are ours: no other store promises all of them, and some promise none.",
        'So "broken" is no judgement on whether a store does what it says.',
        "What each says about itself stands on its page, with version and configuration.",
        "",
        "## Our stores",
        "",
        *_table(OURS, reports),
        "",
        "## Other people's stores",
        "",
        "Each was run in an environment of its own, at the version that its page names, without its limit on messages.",
        "Where an object of a store's holds messages in memory, it was made anew for each call: nothing old was written"
        " back.",
        "",
        *_table(THEIRS, reports),
        "",
        "## Two writers",
        "",
        "Two processes add 200 messages each to one session, as fast as they can.",
        "How many are there afterwards depends on the machine and the moment: these are the figures of one run each.",
        "An append that raises is refused: its caller knows.",
        "",
        "| store | version | appends that returned | refused | messages in the session afterwards | run on |",
        "|---|---|---|---|---|---|",
        *(_stress_row(store, report) for store, report in reports.items()),
        "",
        "## Run it again",
        "",
        "Our tests check our stores with `FULL_GRID=1`, and other people's with `PEERS=1`.",
        "A run that finds something else than these pages fails.",
        "The adapters, which translate five methods into each store's own calls, are in `tests/peers`.",
    )


def _table(stores: Sequence[Store], reports: dict[Store, dict[str, Any]]) -> Iterator[str]:
    yield "| guarantee | " + " | ".join(f"[{store.short}](stores/{store.key}.md)" for store in stores) + " |"
    yield "|---" * (len(stores) + 1) + "|"
    for number, slug in enumerate(GUARANTEES):
        cells = []
        for store in stores:
            result = reports[store]["results"][number]
            anchor = slug if result["status"] == "broken" else "what-was-found"
            cells.append(f"[{SHORT[result['status']]}](stores/{store.key}.md#{anchor})")
        yield f"| [`{slug}`](../guarantees/{slug}.md) | " + " | ".join(cells) + " |"


def _stress_row(store: Store, report: dict[str, Any]) -> str:
    stress = report["stress"]
    kept = "it cannot be read" if stress["kept"] is None else str(stress["kept"])
    name = f"[{report['store']}](stores/{store.key}.md)"
    return f"| {name} | {report['version']} | {stress['added']} | {stress['refused']} | {kept} | {_day(report)} |"


def _store(store: Store, report: dict[str, Any]) -> Iterator[str]:
    run, stress = report["run"], report["stress"]
    schedules, kills = (sum(each[name] for each in report["results"]) for name in ("schedules", "kills"))
    kept = "the session cannot be read" if stress["kept"] is None else f"{stress['kept']} messages are in the session"
    yield from (
        f"# {report['store']}",
        "",
        "What the [conformance kit](../index.md) found; [the matrix](../matrix.md) has all stores.",
        "",
        "| what | as it was run |",
        "|---|---|",
        f"| version | {report['version']} |",
        f"| configuration | {report['configuration']} |",
        f"| machine | Python {run['python']}, {run['system']}, {_day(report)} |",
        f"| tried | {schedules} schedules, {kills} kills |",
        f"| two writers, 200 appends each | {stress['added']} returned, {stress['refused']} were refused, {kept} |",
        f"| command | `python -m readfresh.conformance {store.factory}` |",
        "",
    )
    yield from (line for note in report["notes"] for line in (note, ""))
    if report["promises"]:
        yield from ("## What it says about itself", "")
        yield from (f"- `{promise['says']}` ({_source(promise['where'])})" for promise in report["promises"])
        yield ""
    yield from ("## What was found", "", "| guarantee | found | what was tried, or why |", "|---|---|---|")
    for result in report["results"]:
        slug, status = result["guarantee"], result["status"]
        shown = f"[broken](#{slug})" if status == "broken" else status
        yield f"| [`{slug}`](../../guarantees/{slug}.md) | {shown} | {_cell(result['reason'])} |"
    broken = [result for result in report["results"] if result["status"] == "broken"]
    for result in broken:
        yield from ("", f"## {result['guarantee']}", "", f"Broken: {_sentence(result['reason'])}", "")
        yield from (f'```text {{by="{BY}"}}', *result["history"], "```", "")
        run = recording_of(store, result["guarantee"])
        yield from (f'```mermaid {{run="{run}"}}', result["mermaid"], "```")


def _day(report: dict[str, Any]) -> str:
    day = datetime.date.fromisoformat(report["run"]["date"])
    return f"{day.day} {day:%B %Y}"


def _source(where: str) -> str:
    return f"[its documentation]({where})" if where.startswith("https://") else f"in the source of {where}"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
