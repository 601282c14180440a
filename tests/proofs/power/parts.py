"""The parts: what each setting of a store keeps when the power is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from readfresh.storage import Durability
from tests.proofs.power.judge import Cut, Refused, Tally, cut_everywhere
from tests.proofs.power.programs import Program, each_verb, run, sequences
from tests.proofs.rung import Finding, Part, Ran
from tests.store.support import LONG


def try_all(
    programs: Iterable[Program], folder: Path, durability: Durability, until: Callable[[Cut], bool]
) -> tuple[Tally, Finding | None]:
    """Run programs and cut the power everywhere, until something is found."""
    tally = Tally()
    for number, program in enumerate(programs):
        place = folder / str(number)
        place.mkdir()
        record = run(program, place, durability)
        if record.wrong:
            return tally, Finding(f"durable: {program.kind.__name__}: {record.wrong}", (f"  {program}",))
        if cut := cut_everywhere(record, tally, until=until):
            return tally, cut.finding()
    return tally, None


def given_up(cut: Cut) -> bool:
    """Return whether `durability="process"` gives up what became of the session: all else is a finding.

    It may lose what has returned, and it may leave a damaged session, which is refused by name; of sessions that no
    call has changed it gives up nothing, and never is a mixture passed off as a session.
    """
    return cut.touched and (cut.fate == "lost" or (isinstance(cut.found, Refused) and cut.found.by_name))


def full(folder: Path) -> Ran:
    """Lose nothing, and break nothing."""
    programs = (*each_verb(), *sequences(3))
    tally, finding = try_all(programs, folder, "power", lambda _cut: True)
    return Ran(tally.counts(), finding)


def process(folder: Path) -> Ran:
    """Count what durability="process" loses and breaks, and find what it does not give up."""
    programs = (*each_verb(), *sequences(2))
    tally, finding = try_all(programs, folder, "process", lambda cut: not given_up(cut))
    return Ran(tally.counts(), finding)


def _part(name: str, what: str, run: Callable[[Path], Ran]) -> Part:
    return Part("power", f"{name}-long" if LONG else name, what, run)


PARTS: tuple[Part, ...] = (
    _part("full", 'with durability="power", every session on every disk that a loss of power may leave is kept', full),
    _part("process", 'with durability="process", what a loss of power takes or damages is what the docs say', process),
)
