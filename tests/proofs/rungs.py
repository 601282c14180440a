"""Every part of every rung, by its key."""

from __future__ import annotations

from tests.proofs.faults.parts import PARTS as FAULTS
from tests.proofs.fuzz.parts import PARTS as FUZZ
from tests.proofs.kills.parts import PARTS as KILLS
from tests.proofs.model.parts import PARTS as MODEL
from tests.proofs.orders.parts import PARTS as ORDERS
from tests.proofs.power.parts import PARTS as POWER
from tests.proofs.processes.parts import PARTS as PROCESSES
from tests.proofs.rung import Part
from tests.proofs.seam.parts import PARTS as SEAM
from tests.proofs.threads.parts import PARTS as THREADS

PARTS: dict[str, Part] = {
    part.key: part for part in (*ORDERS, *THREADS, *KILLS, *POWER, *FAULTS, *PROCESSES, *MODEL, *FUZZ, *SEAM)
}
"""Those of the normal run, in the order in which the pages have them."""
