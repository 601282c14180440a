"""Writes into the pages what the last run has counted: tables between two comments, and nothing around them.

A table stands between ``<!-- orders -->`` and ``<!-- end -->``; the name is one of `TABLES`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.proofs.figures import recorded
from tests.proofs.power import table
from tests.proofs.rungs import PARTS
from tests.proofs.teeth import matrix
from tests.sabotage.faults import VARIABLE, all_faults
from tests.sabotage.faults_found import TRACK_RECORD, Found

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/testing/index.md", "docs/testing/teeth.md")
RUNGS = ("orders", "threads", "kills", "power", "faults", "processes", "model", "fuzz", "seam")

_TABLE = re.compile(r"(?<=<!-- )(?!end )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """Return the text of a page with its tables as they have to be."""
    return _TABLE.sub(lambda found: f"{found[1]}{found[2]}\n" + "\n".join(TABLES[found[1]]()) + "\n\n", text)


def tables_in(text: str) -> list[str]:
    """Return the names of the tables of a page."""
    return [found[1] for found in _TABLE.finditer(text)]


def parts_of(rung: str) -> list[dict[str, Any]]:
    """Return the figures of a rung's parts; those that are shares of one thing are added up."""
    found: dict[str, dict[str, Any]] = {}
    for part in PARTS.values():
        if part.rung == rung:
            figures = recorded(part.key)
            known = found.setdefault(part.what, {"what": part.what, "counts": {}, "seconds": 0.0})
            known["seconds"] += figures["seconds"]
            for name, count in figures["counts"].items():
                known["counts"][name] = known["counts"].get(name, 0) + count
    return list(found.values())


def _rung(rung: str) -> Iterator[str]:
    yield from ("| tried | how much | seconds |", "|---|---|---|")
    for part in parts_of(rung):
        counts = ", ".join(f"{count:,} {name}" for name, count in part["counts"].items())
        yield f"| {part['what']} | {counts} | {part['seconds']:.1f} |"


def _matrix() -> Iterator[str]:
    columns = [column.name for column in matrix.shown()]
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


def _faults() -> Iterator[str]:
    yield from ("| fault | what is wrong | has to be found by |", "|---|---|---|")
    for name, fault in matrix.teeth().items():
        yield f"| `{name}` | {fault.what} | `{fault.found_by}` |"


def _run() -> Iterator[str]:
    runs = [recorded(key) for key in PARTS]
    machines = sorted({(run["system"], run["cores"], run["python"]) for run in (figures["run"] for figures in runs)})
    yield from ("| what | in the run that is shown here |", "|---|---|")
    yield f"| day | {max(figures['run']['date'] for figures in runs)} |"
    for system, cores, python in machines:
        yield f"| machine | {system}, {cores} cores, Python {python} |"
    yield f"| parts | {len(runs)} |"
    yield f"| all parts, one after the other | {sum(figures['seconds'] for figures in runs):.0f} seconds |"


def _soak() -> Iterator[str]:
    report = recorded("soak")
    counts = ", ".join(f"{count:,} {name}" for name, count in report["counts"].items())
    yield from ("| what | in that run |", "|---|---|")
    yield f"| day | {report['run']['date']} |"
    yield f"| for | {report['seconds']:,} seconds, with {report['processes']} processes |"
    yield f"| how much | {counts} |"
    yield f"| verdict | {report['verdict']} |"
    yield f"| a call waited | {report['median_wait_ms']} ms at the median, {report['longest_wait_ms']} ms at most |"


def _track_record() -> Iterator[str]:
    yield from ("| what happened | found by | the command that shows it |", "|---|---|---|")
    for found in TRACK_RECORD:
        yield f"| {found.what} | {found.rung} | `{shown_by(found)}` |"


def shown_by(found: Found) -> str:
    """Return the command that shows a bug, which is red where it puts the bug back."""
    node = found.test or all_faults()[found.fault].tests[0]
    command = f"python3 dev.py test -n 0 {shlex.quote(node)}"
    return f"{VARIABLE}={found.fault} {command}" if found.fault else command


TABLES: dict[str, Callable[[], Iterable[str]]] = {
    "run": _run,
    **{rung: (lambda rung=rung: _rung(rung)) for rung in RUNGS},  # type: ignore[misc]
    "weaker": table.rows,
    "ext4": table.rows_of_the_real_disk,
    "soak": _soak,
    "matrix": _matrix,
    "faults-that-are-put-in": _faults,
    "track-record": _track_record,
}
"""What can stand between two comments, by name."""
