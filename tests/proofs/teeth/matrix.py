"""The matrix: every fault that names the part that finds it, by every kind of test.

It is kept in `matrix.json`, and its page is written from there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.proofs.rungs import PARTS
from tests.proofs.teeth.cell import Cell, Column
from tests.sabotage.fault import Fault
from tests.sabotage.faults import all_faults

FILE = Path(__file__).with_name("matrix.json")


def _of(rung: str, *beginnings: str) -> tuple[str, ...]:
    """Return the parts of a rung that need no server, those whose name begins so where that is given."""
    return tuple(
        key
        for key, part in PARTS.items()
        if part.rung == rung
        and part.name not in ("postgresql", "sqlite")
        and (not beginnings or part.name.startswith(beginnings))
    )


COLUMNS = (
    Column("orders", ("orders-pairs",)),
    Column("orders, two calls", _of("orders", "pairs-twice")),
    Column("orders, one killed", _of("orders", "killed")),
    Column("threads", _of("threads")),
    Column("kills", _of("kills")),
    Column("power", _of("power")),
    Column("faults", _of("faults")),
    Column("processes", _of("processes"), lucky=True),
    Column("model", _of("model")),
    Column("fuzz", _of("fuzz")),
)
"""The kinds of test, in the order in which the page has them."""


def teeth() -> dict[str, Fault]:
    """Return the faults that the matrix is about, by name."""
    return {name: fault for name, fault in all_faults().items() if fault.found_by}


def recorded() -> dict[str, dict[str, Any]]:
    """Return what was found last, by fault and column."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text("utf-8"))
    return found


def shown() -> tuple[Column, ...]:
    """Return the columns that have been recorded for every fault."""
    cells = recorded().values()
    return tuple(column for column in COLUMNS if all(column.name in known for known in cells))


def record(fault: str, column: Column, cell: Cell) -> None:
    """Keep whether it was found, and by which part."""
    known = recorded() if FILE.exists() else {}
    shown = {"how": cell.how, "part": (cell.finding or {}).get("part", "")}
    known.setdefault(fault, {})[column.name] = shown
    order = [one.name for one in COLUMNS]
    ordered = {
        name: {each: known[name][each] for each in order if each in known[name]} for name in teeth() if name in known
    }
    FILE.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", "utf-8")
