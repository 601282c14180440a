"""System calls: what strace counts of a verb, on its own, and a kill at each of them, where there is no seam.

The victim is a process that makes one call through an ordinary store.
strace is attached to it when all is imported, and looks at what touches the session directory.

1. What the system was asked for is what the seam's steps stand for (`CALLS`), in their order, and nothing else.
2. strace kills at the first system call of a kind, at the second, and so on until the victim lives to the end: so many
   there are, and after each kill holds what holds after every other (`judge`).
"""

from __future__ import annotations

import ctypes
import os
import re
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionStoreError
from readfresh.disk import Disk
from readfresh.pins import Pin
from tests.proofs.kills.judge import Whole, Wrong, judge, whole
from tests.proofs.kills.scene import SESSION, Scene, calls_of
from tests.proofs.kills.victim import PATIENCE_SECONDS, SIGKILLED, KillingDisk, Victim
from tests.proofs.rung import Finding, Ran
from tests.store.support import Kind, Verb

# The verbs of the normal run: those that no other one does the same as.
FEW: tuple[tuple[Kind, str], ...] = (
    (DefaultSessionStore, "add_message"),
    (HierarchicalSessionStore, "fork_session"),
    (HierarchicalSessionStore, "delete_session"),
)

CALLS: dict[str, tuple[str, ...]] = {
    "make_directory": (),
    "lock": ("flock",),
    "read": ("open", "look", "read", "read", "close"),
    "read nothing": ("open",),
    "pin": ("open", "ioctl", "look", "look"),  # Python says that no program inherits it, and looks whether it is a file
    "pin nothing": ("open",),
    "unpin": ("close",),
    "version": ("look",),
    "exists": ("look",),
    "stamp": ("look",),
    "create": ("open",),
    "write": ("write",),
    "fsync": ("fsync",),
    "close": ("close",),
    "still_stands": (),
    "replace": ("rename",),
    "unlink": ("unlink",),
    "sync_directory": ("open", "fsync", "close"),
    "release": ("flock",),
}
"""What each step at the seam asks of the system.

Left out, here and there, is what cannot touch a session: looking at the directory and asking for it to be made, and all
that is done to the lock's file besides locking it, which is filelock's.
"""

FAMILIES = {
    **dict.fromkeys(("open", "openat", "openat2", "creat"), "open"),
    **dict.fromkeys(("stat", "lstat", "fstat", "newfstatat", "fstatat64", "statx", "access", "faccessat2"), "look"),
    **dict.fromkeys(("rename", "renameat", "renameat2"), "rename"),
    **dict.fromkeys(("unlink", "unlinkat"), "unlink"),
    **dict.fromkeys(("mkdir", "mkdirat"), "mkdir"),
}
"""System calls of one purpose, whose names differ between machines; all others are named as they are."""

_LINE = re.compile(r"\d+ +(?P<name>\w+)\((?P<arguments>.*?)(?:\) += .*|\s*<unfinished \.\.\.>)$")
_PR_SET_PTRACER = 0x59616D61
_EVERYBODY = ctypes.c_ulong(-1)


class SystemCall(NamedTuple):
    """A system call that touches the session directory.

    Attributes:
        name: as strace has it.
        file: the name of the file, the new one where there are two; empty for the directory itself.
    """

    name: str
    file: str

    @property
    def is_of_a_session(self) -> bool:
        """Whether it is none of those that `CALLS` leaves out."""
        family = FAMILIES.get(self.name, self.name)
        lock = self.file.endswith(".lock") and family != "flock"
        return not lock and not (self.file == "" and family in ("look", "mkdir"))

    def __str__(self) -> str:
        return f"{FAMILIES.get(self.name, self.name)} {self.file or '.'}"


class NoPtrace(Exception):
    """The kernel does not let a process look at another one; the text is what strace said."""


def needs_strace() -> str | None:
    """Return why there is no strace here; None when there is."""
    if sys.platform != "linux":
        return "strace is a program of Linux"
    return None if shutil.which("strace") else "strace is not installed: sudo apt install strace"


def traced(act: Callable[[], object], directory: Path, *options: str) -> tuple[int, list[SystemCall]]:
    """Run `act` in a victim under strace; return how that ended, and its system calls in the directory.

    Args:
        act: what the victim does.
        directory: the session directory.
        options: what strace is to do besides.

    Raises:
        NoPtrace: it cannot be attached.
    """
    log = directory.parent / "strace.txt"
    victim = Victim(act, before=_let_everybody_trace)
    command = ["strace", "-f", "-y", "-s", "0", "-o", str(log), *options, "-p", str(victim.process)]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert strace.stderr
        said = strace.stderr.readline() if select.select([strace.stderr], [], [], PATIENCE_SECONDS)[0] else "nothing"
        if "attached" not in said:
            victim.end()
            raise NoPtrace(said.strip())
        status = victim.run()
        strace.communicate(timeout=PATIENCE_SECONDS)
    finally:
        if strace.poll() is None:
            strace.kill()
        strace.communicate()
    return status, list(_in_directory(log.read_text(errors="replace"), directory))


def _let_everybody_trace() -> None:
    # Some systems (Yama) let a process be traced by its ancestors only, unless it says otherwise.
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _EVERYBODY, 0, 0, 0)


def _in_directory(log: str, directory: Path) -> Sequence[SystemCall]:
    path = re.compile(rf'{re.escape(str(directory))}(?:/([^/">]*))?(?=[">])')
    found = []
    for line in log.splitlines():
        call = _LINE.match(line)
        files = path.findall(call["arguments"]) if call else ()
        if call and files:
            found.append(SystemCall(call["name"], files[-1].removesuffix(DELETED)))
    return found


DELETED = " (deleted)"  # what Linux adds to the name of a file that has none any more


class _NotedPin(Pin):
    __slots__ = ("_ends",)

    def __init__(self, pin: Pin, ends: Callable[[str], None]) -> None:
        self._ends = ends
        super().__init__(pin._file, pin.version)

    def close(self) -> None:
        if not self._file.closed:
            self._ends(os.readlink(f"/proc/self/fd/{self._file.fileno()}").removesuffix(DELETED))
        super().close()


class CountingDisk(KillingDisk):
    """A disk that notes its steps, also when a file is not there, and when one is no longer held open."""

    def pin(self, path: str) -> Pin | None:
        """Hold open, and note when that ends."""
        self.before("pin", path)
        pin = Disk.pin(self, path)
        if pin is None:
            self.steps[-1] = ("pin nothing", self.steps[-1][1])
            return None
        self.after("pin", path)
        return _NotedPin(pin, partial(self.before, "unpin"))

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        content = super().read(path, max_bytes)
        if content is None:
            self.steps[-1] = ("read nothing", self.steps[-1][1])
        return content


def kill_at_calls(folder: Path, *, of_all_verbs: bool = False) -> Ran:
    """Compare strace's count with the seam's, and kill at every system call."""
    counts: Counter[str] = Counter()
    kinds: tuple[Kind, ...] = (DefaultSessionStore, HierarchicalSessionStore)
    for kind in kinds:
        scene = Scene(kind, folder / kind.__name__)
        for call in calls_of(kind, "there"):
            if of_all_verbs or (kind, call.name) in FEW:
                place = folder / f"{kind.__name__}-{call.name}"
                try:
                    kill_at_each_call(scene, call, place, counts)
                except Wrong as wrong:
                    return Ran(counts, Finding(str(wrong), (f"{kind.__name__}.{call.name}, at its system calls",)))
                shutil.rmtree(place)
    return Ran(counts)


def kill_at_each_call(scene: Scene, call: Verb, place: Path, counts: Counter[str]) -> None:
    """Compare the counts of one call, and kill at each of its system calls."""
    directory = scene.put("there", place / "seam")
    disk = CountingDisk(directory)
    done = whole(call, scene.store(directory, "power", disk), directory, disk.steps)
    expected = [
        f"{name} {file if file != directory.name else '.'}" for verb, file in done.steps for name in CALLS[verb]
    ]
    status, seen = _trace(scene, call, scene.put("there", place / "strace"))
    made = [str(one) for one in seen if one.is_of_a_session]
    counts["calls"] += 1
    counts["steps at the seam"] += len(done.steps)
    counts["system calls that they stand for"] += len(made)
    if status or made != expected:
        raise Wrong(
            f"the seam: strace sees {made}, and its steps stand for {expected} (the victim ended with {status})"
        )
    for name, count in sorted(Counter(one.name for one in seen).items()):
        killed = _kill_at_each(scene, call, done, name, {one.file for one in seen}, place)
        counts["kills by strace"] += killed
        if killed != count:
            raise Wrong(f"the seam: strace counts {count} system calls {name}, and kills at {killed}")


def _trace(scene: Scene, call: Verb, directory: Path, *options: str) -> tuple[int, list[SystemCall]]:
    store = scene.store(directory, "power")  # it outlives the call, and with it what it keeps

    def act() -> None:
        with suppress(SessionStoreError):  # some refuse a session that is there, and do so each time
            call.call(store, SESSION)

    return traced(act, directory, *options)


def _kill_at_each(scene: Scene, call: Verb, done: Whole, name: str, files: set[str], place: Path) -> int:
    """Kill at the first system call of a name in the directory, at the second, and so on; return how many there are."""
    killed = 0
    while True:
        directory = scene.put("there", place / f"{name}-{killed}")
        paths = [option for file in sorted(files) for option in ("-P", str(directory / file))]
        when = f"inject={name}:signal=SIGKILL:when={killed + 1}"
        status, _ = _trace(scene, call, directory, "-e", f"trace={name}", "-e", when, *paths)
        if status == 0:
            return killed
        if status != SIGKILLED:
            raise Wrong(f"the process ended with {status}, and strace was to kill it")
        killed += 1
        try:
            judge(scene, done, directory)
        except Wrong as wrong:
            raise Wrong(f"{wrong}; killed at {name} number {killed}") from wrong
