"""The parts: what each setting of a store keeps when the power is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from tests.proofs.power.judge import Cut, Refused, go_on
from tests.proofs.power.measure import measured
from tests.proofs.power.model import ORDERS, Model
from tests.proofs.power.programs import ONE_OF_EACH_CLASS, each_verb, sequences
from tests.proofs.power.real import real
from tests.proofs.power.trial import finding_of, records, try_all
from tests.proofs.rung import Finding, Part, Ran
from tests.store.support import LONG


def given_up(cut: Cut) -> bool:
    """Return whether `durability="process"` gives up what became of the session: all else is a finding.

    It may lose what has returned, and it may leave a damaged session, which is refused by name; of sessions that no
    call has changed it gives up nothing, and never is a mixture passed off as a session.
    """
    return cut.touched and (cut.fate == "lost" or (isinstance(cut.found, Refused) and cut.found.by_name))


def full(folder: Path) -> Ran:
    """Lose nothing, and break nothing."""
    programs = (*each_verb(), *sequences(3, small=not LONG))
    tally, finding = try_all(programs, folder, "power", lambda _cut: True)
    return Ran(tally.counts(), finding)


def process(folder: Path) -> Ran:
    """Count what durability="process" loses and breaks, and find what it does not give up."""
    programs = (*each_verb(), *sequences(2, small=not LONG))
    tally, finding = try_all(programs, folder, "process", lambda cut: not given_up(cut))
    return Ran(tally.counts(), finding)


def next_writer(folder: Path) -> Ran:
    """Let the next writer go on, on every disk that may be left, with all that a dead writer leaves there."""
    programs, disks = 0, 0
    for record in records(each_verb(only=ONE_OF_EACH_CLASS), folder, "power"):
        if record.wrong:
            return Ran({"programs": programs, "disks": disks}, finding_of(record))
        programs += 1
        model = Model(record.start)
        seen = set()
        for moment, operation in enumerate(record.operations, 1):
            model.do(operation)
            for left in itertools.chain.from_iterable(model.after_a_cut(order) for order in ORDERS):
                if (tree := frozenset(left.tree.items())) in seen:
                    continue
                seen.add(tree)
                disks += 1
                if wrong := go_on(record.program.kind, left.tree):
                    history = (*map(str, record.operations[:moment]), "the power is lost", wrong)
                    return Ran({"programs": programs, "disks": disks}, Finding("the next writer cannot go on", history))
    return Ran({"programs": programs, "disks": disks})


def weaker(folder: Path) -> Ran:
    """Count what each setting loses and breaks over the same programs, and find one whose loss is not seen."""
    counts: dict[str, int] = {}
    for setting, told in measured(folder):
        counts |= {f"{setting.name}: {words}": count for words, count in told.counts.items()}
        if bool(told.first) != setting.loses:
            what = "loses nothing" if setting.loses else "loses something"
            return Ran(counts, Finding(f"{setting.name} {what}", tuple(map(str, told.first.values()))))
    return Ran(counts)


def _part(name: str, what: str, run: Callable[[Path], Ran]) -> Part:
    return Part("power", name, what, run)


# What LONG_RUN=1 does more of counts something else, and is kept by itself.
_LONGER = "-long" if LONG else ""
PARTS: tuple[Part, ...] = (
    _part(
        f"full{_LONGER}",
        'with durability="power", each session on each disk that a loss of power may leave is kept',
        full,
    ),
    _part("next-writer", "after a loss of power the next writer finds all sessions and changes each", next_writer),
    _part(
        f"process{_LONGER}",
        'with durability="process", a loss of power takes and damages what the docs say alone',
        process,
    ),
)
WEAKER = _part("weaker", "what each way to flush less loses and breaks, counted over the same programs", weaker)
REAL = _part(f"real{_LONGER}", "real processes on a real ext4 whose power is cut, and mounted again", real)
"""Not among `PARTS`: the first puts faults into the stores by itself, the second needs what some kernels lack."""
