"""The parts of the rung."""

from functools import partial

from tests.proofs.kills.small import LONG_SECONDS, in_small_process
from tests.proofs.rung import Part


def _part(name: str, what: str) -> Part:
    return Part("kills", name, what, partial(in_small_process, name))


def _long_part(name: str, what: str) -> Part:
    return Part("kills", name, what, partial(in_small_process, name, seconds=LONG_SECONDS))


PARTS: tuple[Part, ...] = (
    _part(
        "plain",
        "a process is killed before and after each step of each verb of `DefaultSessionStore` that writes, and in the "
        "middle of each write",
    ),
    _part("hierarchical", "the same of `HierarchicalSessionStore`, where a creation writes two sessions"),
    _part("waiting", "a process is killed while it waits for a lock that another one holds"),
    _part("threads", "a process is killed while one of its threads holds a lock for which another one waits"),
    _part("calls", "strace counts the system calls behind the steps of a verb, and kills a process at each of them"),
)

ALL_CALLS = _long_part("calls-of-all-verbs", "the same with strace, of all verbs of both stores")
LONG_ONES: tuple[Part, ...] = (
    _long_part("plain-long", "every verb of `DefaultSessionStore`, every state and durability, and the real disk"),
    _long_part("hierarchical-long", "the same of `HierarchicalSessionStore`"),
)
"""Both are for LONG_RUN=1; the first needs strace."""
