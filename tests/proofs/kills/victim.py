"""The process that is killed, and the disk that kills it."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from readfresh.disk import Disk
from tests.store.support import WatchedDisk

PREFIXES: dict[str, Callable[[int], int]] = {
    "no byte": lambda _: 0,
    "one byte": lambda _: 1,
    "half": lambda count: count // 2,
    "all but one byte": lambda count: count - 1,
}
"""How much of a write is made before the kill, of how many bytes."""

PATIENCE_SECONDS = 20  # a victim that hangs is ended then, and a wait for one that does not come

RETURNED = "returned"
SIGKILLED = -signal.SIGKILL


class Moment(NamedTuple):
    """When a process is killed.

    Attributes:
        step: the number of the step, from 0.
        when: ``before`` or ``after`` it; how much of it has been written, from `PREFIXES`; or ``returned``: when the
            verb has, before the process does anything else.
    """

    step: int
    when: str


def moments(steps: Sequence[tuple[str, str]], *, all_of_them: bool = False) -> list[Moment]:
    """Return every moment of a verb that makes these steps, in the order of time.

    Between two steps a process touches nothing but its own memory, so that after one and before the next is the same
    moment; `all_of_them` has it twice.
    """
    found = []
    for number, (verb, _) in enumerate(steps):
        torn = PREFIXES if verb == "write" else ()
        last = number == len(steps) - 1
        found += [Moment(number, when) for when in ("before", *torn, *(["after"] if all_of_them or last else []))]
    return [*found, Moment(len(steps), RETURNED)]


class KillingDisk(WatchedDisk):
    """A disk that kills its process at a moment; without one it only watches.

    Args:
        root: steps above this folder are none of ours: how many there are depends on where it lies.
        moment: when.
        flushes: whether it waits for the real disk.
    """

    def __init__(self, root: Path, moment: Moment | None = None, *, flushes: bool = False) -> None:
        super().__init__()
        self.root = str(root)
        self.moment = moment
        self.flushes = flushes

    def before(self, verb: str, path: str) -> None:
        """Count the step, and die when it is time."""
        if self._is_ours(path):
            super().before(verb, path)
            self._die("before")

    def after(self, verb: str, path: str) -> None:  # noqa: ARG002 - the verb is known from before
        """Die when it is time."""
        if self._is_ours(path):
            self._die("after")

    def write(self, descriptor: int, data: bytes) -> None:
        """Write, or write some and die."""
        if self.moment and self.moment.when in PREFIXES and self.moment.step == len(self.steps):
            Disk.write(self, descriptor, data[: PREFIXES[self.moment.when](len(data))])
            die()
        super().write(descriptor, data)

    def _is_ours(self, path: str) -> bool:
        return path == self.root or path.startswith(self.root + os.sep)

    def _die(self, when: str) -> None:
        if self.moment == (len(self.steps) - 1, when):
            die()


def die() -> NoReturn:
    """End this process as a crash does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a process outlived SIGKILL")


class Victim:
    """A process that waits to be told to act. It is to be killed meanwhile; what it ends with says how far it came.

    Args:
        act: what it does.
        before: what it does at once.
    """

    def __init__(self, act: Callable[[], object], before: Callable[[], object] = lambda: None) -> None:
        hears, self._tells = os.pipe()
        said, says = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            status = 1
            try:
                signal.alarm(PATIENCE_SECONDS)
                os.close(self._tells)  # the end of the parent is the end of what it hears
                before()
                os.write(says, b"x")
                if os.read(hears, 1):
                    act()
                    status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(hears)
        os.close(says)
        os.read(said, 1)
        os.close(said)

    def run(self) -> int:
        """Let it act, and return how it ended, as `os.waitstatus_to_exitcode` has it.

        When `act` has returned that is 0, when it raised 1, and when it hung SIGALRM.
        """
        os.write(self._tells, b"x")
        return self.end()

    def end(self) -> int:
        """Let it end without acting, where it has not been told to."""
        os.close(self._tells)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def in_victim(act: Callable[[], object]) -> int:
    """Run `act` in a process of its own that is to be killed, and return how that ended: see `Victim.run`."""
    return Victim(act).run()
