"""All faults, and the one that the environment names."""

import importlib
import os
from functools import cache
from pathlib import Path

from tests.sabotage.fault import Fault

VARIABLE = "READFRESH_SABOTAGE"
REPORT_VARIABLE = "READFRESH_SABOTAGE_REPORT"
HERE = Path(__file__).parent


@cache
def all_faults() -> dict[str, Fault]:
    """Return every fault of the modules `faults_*.py`, by name."""
    found: dict[str, Fault] = {}
    for path in sorted(HERE.glob("faults_*.py")):
        faults: dict[str, Fault] = importlib.import_module(f"{__package__}.{path.stem}").FAULTS
        twice = found.keys() & faults.keys()
        if twice:
            raise ValueError(f"{path.name} names a fault that another file has: {', '.join(sorted(twice))}")
        found |= faults
    return found


def apply_named() -> None:
    """Apply the fault that the environment names, if it names one."""
    if name := os.environ.get(VARIABLE):
        all_faults()[name].apply()
