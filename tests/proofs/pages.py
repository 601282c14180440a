"""Writes into the pages what the last run has counted: tables between two comments, and nothing around them.

A table stands between ``<!-- orders -->`` and ``<!-- end -->``; the name is one of `TABLES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.proofs.figures import FOLDER, recorded
from tests.proofs.teeth import matrix

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/testing/index.md", "docs/testing/teeth.md")
RUNGS = ("orders", "threads", "kills", "power", "faults", "processes", "model", "fuzz", "seam")

BY = "proofs"

_TABLE = re.compile(r"(?<=<!-- )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """Return the text of a page with its tables as they have to be."""
    return _TABLE.sub(lambda found: f"{found[1]}{found[2]}\n" + "\n".join(TABLES[found[1]]()) + "\n\n", text)


def tables_in(text: str) -> list[str]:
    """Return the names of the tables of a page."""
    return [found[1] for found in _TABLE.finditer(text)]


def parts_of(rung: str) -> list[dict[str, Any]]:
    """Return the figures of a rung's parts; those that are shares of one thing are added up."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(FOLDER.glob(f"{rung}-*.json")):
        figures = recorded(path.stem)
        if "what" not in figures:
            continue
        known = found.setdefault(figures["what"], {"counts": {}, "seconds": 0.0, "run": figures["run"]})
        known["seconds"] += figures["seconds"]
        for name, count in figures["counts"].items():
            known["counts"][name] = known["counts"].get(name, 0) + count
    return [{"what": what, **figures} for what, figures in found.items()]


def _rung(rung: str) -> Iterator[str]:
    yield from ("| tried | how much | seconds |", "|---|---|---|")
    for part in parts_of(rung):
        counts = ", ".join(f"{count:,} {name}" for name, count in part["counts"].items())
        yield f"| {part['what']} | {counts} | {part['seconds']:.1f} |"


def _matrix() -> Iterator[str]:
    columns = [column.name for column in matrix.COLUMNS]
    yield "| fault | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    cells = matrix.recorded()
    for name in matrix.teeth():
        found = [_cell(cells[name][column], by=matrix.teeth()[name].found_by) for column in columns]
        yield f"| `{name}` | " + " | ".join(found) + " |"
    found_by = [sum(cells[name][column]["how"] == "found" for name in matrix.teeth()) for column in columns]
    yield f"| *found, of {len(cells)}* | " + " | ".join(f"*{count}*" for count in found_by) + " |"


def _cell(cell: dict[str, str], by: str) -> str:
    if cell["how"] != "found":
        return "-"
    return "**found**" if cell["part"] == by else "found"


def _counterexample() -> Iterator[str]:
    yield from (f'```mermaid {{by="{BY}"}}', *matrix.counterexample().splitlines(), "```")


def _faults() -> Iterator[str]:
    yield from ("| fault | what is wrong | has to be found by |", "|---|---|---|")
    for name, fault in matrix.teeth().items():
        yield f"| `{name}` | {fault.what} | `{fault.found_by}` |"


def _run() -> Iterator[str]:
    runs = [recorded(path.stem) for path in sorted(FOLDER.glob("*.json"))]
    runs = [figures for figures in runs if "what" in figures]
    seconds = sum(figures["seconds"] for figures in runs)
    newest = max(runs, key=lambda figures: figures["run"]["date"])["run"]
    yield from ("| what | in the run that is shown here |", "|---|---|")
    yield f"| day | {newest['date']} |"
    yield f"| machine | {newest['system']}, {newest['cores']} cores, Python {newest['python']} |"
    yield f"| parts | {len(runs)} |"
    yield f"| time of all parts, one after the other | {seconds:.0f} seconds |"


TABLES: dict[str, Callable[[], Iterable[str]]] = {
    "run": _run,
    **{rung: (lambda rung=rung: _rung(rung)) for rung in RUNGS},  # type: ignore[misc]
    "counterexample": _counterexample,
    "matrix": _matrix,
    "faults-that-are-put-in": _faults,
}
"""What can stand between two comments, by name."""
