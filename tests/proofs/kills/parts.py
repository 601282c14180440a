"""The parts of the rung."""

from functools import partial

from tests.proofs.kills.small import in_small_process
from tests.proofs.rung import Part

WHAT = {
    "plain": "a process is killed before and after each step at the seam of each verb of `DefaultSessionStore`, and in "
    "the middle of each write",
    "hierarchical": "the same of `HierarchicalSessionStore`, where a creation writes two sessions",
    "waiting": "a process is killed while it waits for a lock that another one holds",
    "threads": "a process is killed while one of its threads holds a lock for which another one waits",
    "calls": "strace counts the system calls behind the steps at the seam, and kills a process at each of them",
}

PARTS: tuple[Part, ...] = tuple(
    Part("kills", name, what, partial(in_small_process, name)) for name, what in WHAT.items()
)
