"""A machine with a real ext4 file system whose power is cut; `real` starts it.

It is a process of its own, in namespaces of its own: what it mounts nobody else sees, and all of it is gone when the
process ends, however it ends; the kernel lets go of the loop device then.

1. The power is cut by ext4's own shutdown, without flushing its journal (EXT4_IOC_SHUTDOWN, which the tests of Linux's
   file systems use for this): from that instant nothing reaches the disk. Then it is unmounted, and mounted again,
   which replays the journal, as after a loss of power.
2. A store runs in a process that says when it has come to a moment, and waits there; it is killed after the cut.
3. What is found must be among the disks that the model knows, with names in order.
4. The kernel's own flush, every few seconds, is put off, so that what is flushed is what somebody has asked for.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from readfresh import SessionStoreError
from tests.proofs.power.judge import Cut, Fate, Judge
from tests.proofs.power.model import Model, Tree
from tests.proofs.power.programs import ONE_OF_EACH_CLASS, Program, each_verb, prepare, run, start_of
from tests.proofs.power.real import IMAGE_BYTES
from tests.proofs.power.recorded import Recorder, lay_out, tree_of
from tests.proofs.power.settings import SETTINGS, Setting
from tests.store.support import scaled

# `unknown`: a disk that the model does not know.
Outcome = Literal["kept", "lost", "broken", "unknown"]

SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
WITHOUT_FLUSHING = struct.pack("I", 2)  # EXT4_GOING_FLAGS_NOLOGFLUSH
OPTIONS = "loop,commit=600"


class Machine:
    """The machine.

    Args:
        folder: an empty folder for its disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._image = folder / "image"
        self._root = folder / "mounted"
        self._root.mkdir()
        self.home = self._root / "home"  # what the model calls `ROOT`

    def format(self, program: Program) -> None:
        """Make the disk that a program starts from."""
        ready = self._folder / f"{program.kind.__name__}-{program.start}"
        if not ready.exists():
            content = Path(f"{ready}-content")
            (content / "home").mkdir(parents=True)
            lay_out(start_of(program), content / "home")
            with ready.open("wb") as image:
                image.truncate(IMAGE_BYTES)
            subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", content, ready], check=True)
        shutil.copyfile(ready, self._image)

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Mount the disk for the block."""
        subprocess.run(["mount", "-o", OPTIONS, self._image, self._root], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", self._root], check=True)

    def cut(self) -> None:
        """Cut the power."""
        root = os.open(self._root, os.O_RDONLY)
        try:
            fcntl.ioctl(root, SHUTDOWN, WITHOUT_FLUSHING)
        finally:
            os.close(root)

    def somebody_flushes(self) -> None:
        """Do as any other program does that flushes a file of its own."""
        with (self._root / "other").open("wb") as other:
            os.fsync(other.fileno())


class _Stopping(Recorder):
    """A recorder that calls `stop` after so many operations."""

    def __init__(self, folder: Path, moment: int, stop: Callable[[], None]) -> None:
        super().__init__(folder, flushes=True)
        self._moment = moment
        self._stop = stop

    def note(self, verb: str, path: str, **details: Any) -> None:
        super().note(verb, path, **details)
        if len(self.operations) == self._moment:
            self._stop()


@contextmanager
def _process(role: Callable[[Callable[[], None]], None]) -> Iterator[int]:
    """Run a function in a process of its own, and yield where to read the bytes that it says; kill it at the end."""
    hears, says = os.pipe()
    if (child := os.fork()) == 0:
        os.close(hears)

        def say() -> None:
            os.write(says, b".")

        with suppress(SessionStoreError):  # the disk is gone
            role(say)
        os._exit(0)
    os.close(says)
    try:
        yield hears
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(hears)


@dataclass(frozen=True)
class Experiment:
    """Programs, and the moments at which the power is cut.

    Args:
        name: what a table calls it.
        setting: how the stores flush.
        programs: what they do; each cut has a disk of its own.
        everywhere: whether to cut after each operation; else when the last call has returned.
        somebody_flushes: whether another program flushes a file of its own between that and the cut.
    """

    name: str
    setting: Setting
    programs: tuple[Program, ...]
    everywhere: bool = False
    somebody_flushes: bool = False


def experiments() -> tuple[Experiment, ...]:
    """Return what is tried."""
    settings = {setting.name: setting for setting in SETTINGS}
    power, process, unflushed_rename = SETTINGS[0], SETTINGS[1], settings["no-directory-fsync"]
    old = tuple(
        program for program in each_verb() if program.start == "filled" and program.calls[0].session_id != "inn"
    )
    new = tuple(program for program in each_verb() if program.start == "nothing")[:: scaled(2, 1)]
    classes = tuple(program for program in (*old, *new) if program.calls[0].verb in ONE_OF_EACH_CLASS)
    return (
        Experiment("power, a session that exists", power, old),
        Experiment("power, a new session", power, new),
        Experiment("power, after each operation", power, classes[:: scaled(4, 1)], everywhere=True),
        Experiment("process, a session that exists", process, old),
        Experiment("no-directory-fsync, a session that exists", unflushed_rename, old),
        Experiment("process, a new session, and somebody flushes", process, new, somebody_flushes=True),
    )


def try_it(machine: Machine, experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Return what became of the sessions, how often, and the first that is not kept."""
    experiment.setting.apply()
    fates: Counter[Outcome] = Counter()
    first = ""
    for number, program in enumerate(experiment.programs):
        place = folder / f"program-{number}"
        place.mkdir()
        judge = Judge(run(program, prepare(program, place), experiment.setting.durability))
        shutil.rmtree(place)
        if not any(judge.touches(path) for path in judge.sessions):
            continue
        moments = range(1, len(judge.record.operations) + 1)
        for moment in moments if experiment.everywhere else moments[-1:]:
            if judge.record.operations[moment - 1].verb == "call":
                continue
            fate, finding = _judged(judge, moment, _after_a_cut(machine, experiment, program, moment))
            fates[fate] += 1
            first = first or finding
    return {"fates": fates, "first": first}


def _after_a_cut(machine: Machine, experiment: Experiment, program: Program, moment: int) -> Tree:
    def role(reached: Callable[[], None]) -> None:
        def stop() -> None:
            reached()
            signal.pause()

        run(program, _Stopping(machine.home, moment, stop), experiment.setting.durability)

    machine.format(program)
    with machine.mounted(), _process(role) as hears:
        if not os.read(hears, 1):
            raise RuntimeError(f"{program} did not come to its operation {moment}")
        if experiment.somebody_flushes:
            machine.somebody_flushes()
        machine.cut()
    with machine.mounted():
        return tree_of(machine.home)


def _judged(judge: Judge, moment: int, tree: Tree) -> tuple[Outcome, str]:
    """Return what became of the sessions, the worst of them, and in words what is found."""
    model = Model(judge.record.start)
    for operation in judge.record.operations[:moment]:
        model.do(operation)
    left = next((left for left in model.after_a_cut("ordered") if left.tree == tree), None)
    if left is None:
        return "unknown", f"the model does not know this disk: {judge.record.program}, operation {moment}: {tree}"
    fates: dict[Fate, str] = {judge.fate(moment, path, tree.get(path)): path for path in judge.sessions}
    for fate in ("broken", "lost"):
        if path := fates.get(fate):
            found = judge.found(path, tree.get(path))
            cut = Cut(judge.record, moment, "ordered", left, path, found, judge.touches(path), fate)
            return fate, str(cut.finding())
    return "kept", ""


def cut_streams(machine: Machine, count: int) -> dict[str, Any]:
    """Cut the power while messages are appended and acknowledged without a pause, whatever is being done just then.

    Every message that was acknowledged must be there, and at most the one that was under way beside them.
    """
    program = next(program for program in each_verb() if program.start == "nothing")
    fates: Counter[Outcome] = Counter()
    first = ""

    def role(acknowledge: Callable[[], None]) -> None:
        store = program.kind(machine.home / "sessions")
        for number in itertools.count():
            store.add_message("trip", "user", str(number))
            acknowledge()

    for wanted in range(1, count + 1):
        machine.format(program)
        with machine.mounted(), _process(role) as hears:
            acknowledged = 0
            while acknowledged < wanted:
                acknowledged += len(os.read(hears, wanted - acknowledged))
            machine.cut()
            while more := len(os.read(hears, 1 << 10)):  # what was acknowledged before the cut, and not read yet
                acknowledged += more
        with machine.mounted():
            try:
                history = program.kind(machine.home / "sessions").get_chat_history("trip")
            except SessionStoreError as error:
                fates["broken"] += 1
                first = first or f"{acknowledged} messages were acknowledged, and then: {error}"
                continue
        found = [message["content"] for message in history]
        if len(found) not in (acknowledged, acknowledged + 1) or found != [str(number) for number in range(len(found))]:
            fates["lost"] += 1
            first = first or f"{acknowledged} messages were acknowledged, and these were found: {found}"
        else:
            fates["kept"] += 1
    return {"fates": fates, "first": first}


def _in_a_process(role: Callable[[], dict[str, Any]]) -> None:
    """Print what the function returns, as a line; a fault that it applies ends with its process."""
    if (child := os.fork()) == 0:
        print(json.dumps(role()), flush=True)
        os._exit(0)
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"it ended with {status}")


def main(folder: Path) -> None:
    """Print a line of JSON for each experiment, by its name, and one for the streams."""
    machine = Machine(folder)
    for experiment in experiments():
        _in_a_process(lambda: {"name": experiment.name, **try_it(machine, experiment, folder)})  # noqa: B023
    _in_a_process(lambda: {"name": "power, in a stream of appends", **cut_streams(machine, scaled(6, 200))})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
