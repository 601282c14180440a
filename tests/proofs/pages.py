"""The tables of the pages about the proofs, as the last run has counted: see `tests.tables`."""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.matrix.stores import THEIRS
from tests.proofs.figures import FOLDER, recorded
from tests.proofs.orders.parts import LONG_ONES, MIXTURES
from tests.proofs.power import table
from tests.proofs.rung import Part
from tests.proofs.rungs import PARTS
from tests.proofs.teeth import matrix
from tests.proofs.threads.theirs import LEADS_THERE, OUT_OF_SIGHT
from tests.sabotage.faults import VARIABLE, all_faults
from tests.sabotage.faults_found import TRACK_RECORD, Found
from tests.tables import Tables

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/testing/index.md", "docs/testing/teeth.md")
REPORTS = ROOT / "tests" / "matrix" / "reports"
SECTIONS = {
    "orders": "every-order",
    "threads": "every-order-without-the-seam",
    "kills": "every-crash",
    "power": "loss-of-power",
    "faults": "every-fault",
    "processes": "many-processes-for-long",
    "model": "against-a-model",
    "fuzz": "files-that-nobody-would-write",
    "seam": "the-seam-is-complete",
}
"""Where the page tells of each rung."""
RUNGS = tuple(SECTIONS)


def added_up(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Return the figures of parts; those that are shares of one thing are added up."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        figures = recorded(part.key)
        known = found.setdefault(part.what, {"what": part.what, "counts": {}, "seconds": 0.0, "day": ""})
        known["seconds"] += figures["seconds"]
        known["day"] = max(known["day"], figures["run"]["date"])
        for name, count in figures["counts"].items():
            known["counts"][name] = known["counts"].get(name, 0) + count
    return list(found.values())


def _counted(counts: Mapping[str, int]) -> str:
    between = "; " if any("," in name for name in counts) else ", "
    return between.join(f"{count:,} {_one(name) if count == 1 else name}" for name, count in counts.items())


def _one(name: str) -> str:
    what, *rest = name.split(" ")
    return " ".join([what.removesuffix("s"), *rest])


def _day(iso: str) -> str:
    day = datetime.date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


def _rung(rung: str) -> Iterator[str]:
    yield from ("| tried | how much | seconds |", "|---|---|---|")
    for part in added_up(part for part in PARTS.values() if part.rung == rung):
        yield f"| {part['what']} | {_counted(part['counts'])} | {part['seconds']:.1f} |"


def _orders_for_long() -> Iterator[str]:
    """Yield a row for all that LONG_RUN=1 has recorded; what has not been run whole has none."""
    parts = (*MIXTURES, *LONG_ONES)
    unrun = {part.what for part in parts if not (FOLDER / f"{part.key}.json").exists()}
    yield from ("| tried | how much | seconds | day |", "|---|---|---|---|")
    for part in added_up(part for part in parts if part.what not in unrun):
        yield f"| {part['what']} | {_counted(part['counts'])} | {part['seconds']:.1f} | {_day(part['day'])} |"


def _theirs() -> Iterator[str]:
    """Yield a row for each store of other people's: what its schedules end in, or why it was given none."""
    yield from ("| store | how much | what was found |", "|---|---|---|")
    for store in THEIRS:
        out_of_sight = OUT_OF_SIGHT.get(store.key)
        kept = json.loads((REPORTS / f"{store.key}.json").read_text("utf-8")) if out_of_sight else None
        figures = kept or recorded(f"threads-theirs-{store.key}")
        programs = {} if kept else figures["programs"]
        schedules = sum(program["schedules"] for program in programs.values())
        much = "" if kept else _counted({"programs": len(programs), "schedules": schedules})
        found = [f"not tried: {out_of_sight}"] if kept else [*_found_in(programs)]
        name = f"[{figures['store']}](../conformance/stores/{store.key}.md)<br>{figures['version']}"
        yield f"| {name} | {much} | {'<br>'.join(found) or 'nothing'} |"


def _found_in(programs: Mapping[str, Any]) -> Iterator[str]:
    for name, program in programs.items():
        found = [program[kind]["what"] for kind in ("lost", "raised") if program[kind]]
        if found:
            yield f"{name}: {'; '.join(found).replace(LEADS_THERE, '')}"


def _matrix() -> Iterator[str]:
    columns = matrix.shown()
    heads = [f"[{column.name}](index.md#{SECTIONS[column.name.partition(',')[0]]})" for column in columns]
    yield "| fault | " + " | ".join(heads) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    cells = matrix.recorded()
    for name, fault in matrix.teeth().items():
        found = [_cell(cells[name][column.name], has_to=fault.found_by in column.parts) for column in columns]
        yield f"| `{name}` | " + " | ".join(found) + " |"
    found_by = [sum(cells[name][column.name]["how"] == "found" for name in matrix.teeth()) for column in columns]
    yield f"| *found, of {len(cells)}* | " + " | ".join(f"*{count}*" for count in found_by) + " |"


def _cell(cell: dict[str, str], *, has_to: bool) -> str:
    if cell["how"] != "found":
        return "-"
    return "**found**" if has_to else "found"


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


def _one_run(report: Mapping[str, Any], by: str = "") -> Iterator[str]:
    yield from ("| what | in that run |", "|---|---|")
    yield f"| day | {report['run']['date']} |"
    yield f"| for | {report['seconds']:,} seconds{by} |"
    yield f"| how much | {_counted(report['counts'])} |"


def _soak() -> Iterator[str]:
    report = recorded("soak")
    yield from _one_run(report, f", with {report['processes']} processes")
    yield f"| verdict | {report['verdict']} |"
    yield f"| a call waited | {report['median_wait_ms']} ms at the median, {report['longest_wait_ms']} ms at most |"


def _atheris() -> Iterator[str]:
    yield from _one_run(recorded("atheris"))
    yield "| found | nothing: a run that finds something is not kept |"


def _track_record() -> Iterator[str]:
    yield from ("| what happened | found by | the command that shows it |", "|---|---|---|")
    for found in TRACK_RECORD:
        yield f"| {found.what} | [{found.rung}](#{SECTIONS[found.rung]}) | `{shown_by(found)}` |"


def shown_by(found: Found) -> str:
    """Return the command that shows a bug, which is red where it puts the bug back."""
    node = found.test or all_faults()[found.fault].tests[0]
    command = f"python3 dev.py test -n 0 {shlex.quote(node)}"
    return f"{VARIABLE}={found.fault} {command}" if found.fault else command


TABLES: Tables = {
    "run": _run,
    **{rung: (lambda rung=rung: _rung(rung)) for rung in RUNGS},  # type: ignore[misc]
    "weaker": table.rows,
    "ext4": table.rows_of_the_real_disk,
    "orders-for-long": _orders_for_long,
    "theirs": _theirs,
    "soak": _soak,
    "atheris": _atheris,
    "matrix": _matrix,
    "faults-that-are-put-in": _faults,
    "track-record": _track_record,
}
"""What can stand between two comments, by name."""
