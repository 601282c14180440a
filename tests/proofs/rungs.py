"""Every part of every rung, by its key."""

from __future__ import annotations

from tests.proofs.faults.parts import PARTS as FAULTS
from tests.proofs.orders.parts import LONG_ONES, MIXTURES
from tests.proofs.orders.parts import PARTS as ORDERS
from tests.proofs.rung import Part

PARTS: dict[str, Part] = {part.key: part for part in (*ORDERS, *MIXTURES, *LONG_ONES, *FAULTS)}
