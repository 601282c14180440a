"""Every fault, as parts that count."""

from __future__ import annotations

from functools import partial

from tests.proofs.faults import sweeps
from tests.proofs.faults.real import OWN_MOUNTS, alone
from tests.proofs.rung import Part

PARTS: tuple[Part, ...] = (
    Part("faults", "seam", "each step at the seam fails", sweeps.seam),
    Part("faults", "seam-for-good", "each step at the seam fails, and all after it", sweeps.seam_for_good),
    Part("faults", "calls", "each system call fails", sweeps.calls),
    Part("faults", "calls-for-good", "each system call fails, and all after it", sweeps.calls_for_good),
    Part("faults", "turns", "each system call of a bot's turn fails, once or for good", sweeps.turns),
    Part("faults", "short", "each read and write moves a part of what was asked, then finds no space", sweeps.short),
    Part("faults", "interrupts", "each system call is interrupted, by Ctrl+C or for want of memory", sweeps.interrupts),
    Part("faults", "entries", "each function is interrupted on entry, by Ctrl+C", sweeps.entries),
    Part("faults", "descriptors", "no descriptor is free (RLIMIT_NOFILE)", partial(alone, "descriptors")),
    Part("faults", "sizes", "no file may grow (RLIMIT_FSIZE)", partial(alone, "sizes")),
    Part("faults", "memory", "no memory is free (RLIMIT_AS)", partial(alone, "memory")),
    Part("faults", "permissions", "a user may not read, write, list or enter", partial(alone, "permissions")),
    Part("faults", "space", "a file system is full, of bytes or of inodes", partial(alone, "space", prefix=OWN_MOUNTS)),
    Part("faults", "read-only", "a file system is read-only", partial(alone, "read_only", prefix=OWN_MOUNTS)),
)

MOUNTING = ("faults-space", "faults-read-only")
"""The parts that mount a file system of their own, which a kernel may refuse."""
