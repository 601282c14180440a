"""Runs programs and cuts the power everywhere in what they have done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from readfresh.storage import Durability
from tests.proofs.power.judge import Cut, Tally, cut_everywhere
from tests.proofs.power.programs import Program, Record, prepare, run
from tests.proofs.rung import Finding


def records(programs: Iterable[Program], folder: Path, durability: Durability) -> Iterator[Record]:
    """Run programs, each in a folder of its own, and yield what each did to the disk."""
    for number, program in enumerate(programs):
        place = folder / str(number)
        place.mkdir()
        yield run(program, prepare(program, place), durability)


def try_all(
    programs: Iterable[Program],
    folder: Path,
    durability: Durability,
    until: Callable[[Cut], bool] = lambda _cut: False,
) -> tuple[Tally, Finding | None]:
    """Run programs and cut the power everywhere, until something is found."""
    tally = Tally()
    for record in records(programs, folder, durability):
        if record.wrong:
            return tally, finding_of(record)
        if cut := cut_everywhere(record, tally, until=until):
            return tally, cut.finding()
    return tally, None


def finding_of(record: Record) -> Finding:
    """Say what a program has done that no store may do, before any loss of power."""
    return Finding(f"durable: {record.program}: {record.wrong}", tuple(f"  {each}" for each in record.operations))
