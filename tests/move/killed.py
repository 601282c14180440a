"""A move that kills itself at its n-th step: a verb of the disk, a statement, or the moment after a commit."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from readfresh.move import move
from tests.database.support import before_statements
from tests.guarantees.disks import WatchedDisk

NEVER = 10**9


class Steps:
    """Counts the steps, and dies at one of them."""

    def __init__(self, last: int, die: Callable[[], object]) -> None:
        self.names: list[str] = []
        self._last = last
        self._die = die

    def step(self, name: str, _file: str = "") -> None:
        """Take a step, or die before it."""
        self.names.append(name)
        if len(self.names) == self._last:
            self._die()


def killed_move(directory: str, url: str, last: int, die: Callable[[], object]) -> list[str]:
    """Move; return the steps that were taken where there were fewer than `last`."""
    steps = Steps(last, die)

    def commit(*_: Any) -> None:
        steps.step("commit")

    sa.event.listen(sa.Engine, "commit", commit)
    try:
        with before_statements(lambda *_: steps.step("statement")):
            move(directory, url, disk=WatchedDisk(steps.step))
    finally:
        sa.event.remove(sa.Engine, "commit", commit)
    return steps.names


def killed_child(directory: str, url: str, last: int) -> bool:
    """Let a child move that is killed at a step; return whether it came to that."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            killed_move(directory, url, last, lambda: os.kill(os.getpid(), signal.SIGKILL))
            status = 0
        finally:
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if ended not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the move ended with {ended}")
    return ended != 0


if __name__ == "__main__":
    killed_move(sys.argv[1], sys.argv[2], int(sys.argv[3]), lambda: os.kill(os.getpid(), signal.SIGKILL))
