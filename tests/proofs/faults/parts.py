"""Every fault, as parts that count."""

from __future__ import annotations

from tests.proofs.faults import sweeps
from tests.proofs.rung import Part

PARTS: tuple[Part, ...] = (
    Part("faults", "seam", "each step at the seam fails", sweeps.seam),
    Part("faults", "seam-for-good", "each step at the seam fails, and all after it", sweeps.seam_for_good),
    Part("faults", "calls", "each system call fails", sweeps.calls),
    Part("faults", "calls-for-good", "each system call fails, and all after it", sweeps.calls_for_good),
    Part("faults", "short", "each read and write moves a part of what was asked, then finds no space", sweeps.short),
    Part("faults", "interrupts", "each system call is interrupted, by Ctrl+C or for want of memory", sweeps.interrupts),
    Part("faults", "entries", "each function is interrupted on entry, by Ctrl+C", sweeps.entries),
)
