"""Measures what every setting loses; run as a program it prints what it has counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.proofs.power.programs import some
from tests.proofs.power.settings import SETTINGS, Setting
from tests.proofs.power.trial import try_all
from tests.proofs.rung import Finding
from tests.store.support import PATIENCE_SECONDS, ROOT


@dataclass(frozen=True)
class Measured:
    """What was counted in a setting, and the first session that was lost and the first that was broken."""

    counts: dict[str, int]
    first: dict[str, Finding]


def measured(folder: Path) -> Iterator[tuple[Setting, Measured]]:
    """Measure every setting, in an empty folder."""
    process = subprocess.run(
        [sys.executable, "-m", __name__, folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=10 * PATIENCE_SECONDS,
    )
    for setting, line in zip(SETTINGS, process.stdout.splitlines(), strict=True):
        counts, first = json.loads(line)
        yield setting, Measured(counts, {fate: Finding(what, tuple(history)) for fate, what, history in first})


def _measure(setting: Setting, folder: Path) -> str:
    setting.apply()
    tally, finding = try_all(some(), folder, setting.durability)
    if finding:
        raise RuntimeError(f"{setting.name}: {finding}")
    first = [(fate, cut.finding()) for fate, cut in tally.first.items()]
    return json.dumps((tally.counts(), [(fate, finding.what, finding.history) for fate, finding in first]))


def _main(folder: Path) -> None:
    for setting in SETTINGS:
        place = folder / setting.name
        place.mkdir()
        if (child := os.fork()) == 0:
            print(_measure(setting, place), flush=True)
            os._exit(0)
        if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            sys.exit(f"{setting.name}: {status}")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
