"""Sweeps: a fault at the first step, then at the second, … until the verb passes untouched.

Verbs that ask the system for the same things, in the same order, form a class.
In the normal run its verbs share the faults: each fault of each step of the class is tried once, with one verb or
another. `LONG_RUN=1` tries each with every verb, and more errors of the system.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path

from readfresh import DefaultSessionStore
from readfresh.disk import Disk
from tests.proofs.faults.calls import Entries, Fault, Interrupted, Refused, Short, SystemCalls
from tests.proofs.faults.scene import Attempt, Of, Scene, every, scenes
from tests.proofs.faults.scene import turns as turns_of_bots
from tests.proofs.rung import Finding, Ran
from tests.store.support import FAULTS, LONG, FaultyDisk, Kind, Verb

MORE_ERRORS = (errno.EINTR, errno.EDQUOT, errno.EROFS, errno.ENFILE)
EVERY_ERROR = (*FAULTS, *MORE_ERRORS)

MEMORY = "/dev/shm"  # of Linux; elsewhere the sweeps take longer

# How many there are, Python's version and filelock's decide too.
VARYING = ("system calls", "functions entered")

Trial = Callable[[Scene, int], Attempt]


def guarded(run: Callable[[Path], Ran]) -> Callable[[Path], Ran]:
    """Run a sweep where files are quick, without a word in the log.

    What a store raises where nothing is done to it is a finding: a part never ends with an exception.
    """

    @wraps(run)
    def guard(folder: Path) -> Ran:
        logger = logging.getLogger("readfresh")
        logger.disabled = True
        try:
            with in_memory(folder) as quick:
                return run(quick)
        except Exception as error:
            return Ran({}, Finding(f"With no fault at all a store raises {type(error).__name__}: {error}."))
        finally:
            logger.disabled = False

    return guard


@contextmanager
def in_memory(folder: Path) -> Iterator[Path]:
    """Yield an empty folder in memory, or in `folder` where the machine has none.

    Nothing here cuts the power, and on a disk a rename alone takes longer than all the rest.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else folder) as quick:
        yield Path(quick).resolve()


def sweep(folder: Path, trials: Sequence[Trial], step: str, of: Of = every) -> Ran:
    """Try faults at each step of the verbs of both stores, and stop at the first finding.

    Args:
        folder: an empty one.
        trials: each calls the verb of a scene with a fault at a step.
        step: what a step is called among the counts.
        of: which verbs.
    """
    return try_each(classes(folder, of), trials, step, shared=not LONG)


def try_each(scenes_alike: Iterable[Sequence[Scene]], trials: Sequence[Trial], step: str, *, shared: bool) -> Ran:
    """Try faults at each step of scenes; those that are alike may share them."""
    counts = {"verbs": 0, step: 0, "faults": 0}
    varying = frozenset({step, "faults"} if step in VARYING else ())
    for alike in scenes_alike:
        counts["verbs"] += len(alike)
        for at in itertools.count():
            met = False
            for number, trial in enumerate(trials):
                for scene in (alike[(at + number) % len(alike)],) if shared else alike:
                    attempt = trial(scene, at)
                    # One that met no fault says nothing new, but for the first.
                    if not (attempt.failed or number == 0):
                        scene.reset()
                    elif finding := scene.judge(attempt):
                        return Ran(counts, finding, varying)
                    counts["faults"] += bool(attempt.failed)
                    met |= bool(attempt.failed)
            if not met:
                break
            counts[step] += 1
    return Ran(counts, None, varying)


def classes(folder: Path, of: Of = every) -> Iterator[list[Scene]]:
    """Yield the verbs of each store, those together that ask the system for the same things in the same order."""
    for _, of_a_store in itertools.groupby(scenes(folder, of), lambda scene: scene.kind):
        found: dict[object, list[Scene]] = defaultdict(list)
        for scene in of_a_store:
            asked = under(scene, Fault(), "nothing").steps
            scene.reset()
            files = [(name, file.replace(scene.target, "its own")) for name, file in asked]
            found[scene.verb.writes, str(files).replace(scene.folder.name, "")].append(scene)
        yield from found.values()


def under(scene: Scene, fault: Fault, words: str, *numbers: int, lasting: bool = False) -> Attempt:
    """Call the verb while a fault meets its system calls."""
    calls = SystemCalls(scene.folder, fault)
    attempt = Attempt(words, calls.steps, fault.failed, numbers, lasting)
    disk = Disk()
    with calls:
        attempt.call(lambda: scene.call(disk, on_error=attempt.heard.append))
    return attempt


def _at_the_seam(error: int, lasting: bool, scene: Scene, at: int) -> Attempt:
    disk = FaultyDisk(at, error, stays=lasting)
    attempt = Attempt(_words(error, lasting), disk.steps, (), (error,), lasting)
    attempt.call(lambda: scene.call(disk, on_error=attempt.heard.append))
    attempt.failed = range(at, at + len(disk.failed))
    return attempt


def _refused(errors: Sequence[int], lasting: bool, scene: Scene, at: int) -> Attempt:
    error = errors[at % len(errors)]
    return under(scene, Refused(at, error, lasts=lasting), _words(error, lasting), error, lasting=lasting)


def _in_turns(errors: Sequence[int], lasting: bool = False) -> list[Trial]:
    """Return a trial that takes another error at each call; one for each error in the long run."""
    return [partial(_refused, (error,), lasting) for error in errors] if LONG else [partial(_refused, errors, lasting)]


@guarded
def seam(folder: Path) -> Ran:
    """Let each step at the seam fail."""
    return sweep(folder, [partial(_at_the_seam, error, False) for error in FAULTS], "steps at the seam")


@guarded
def seam_for_good(folder: Path) -> Ran:
    """Let each step at the seam fail, and all that come after it."""
    trials = [partial(_at_the_seam, error, True) for error in FAULTS]
    return sweep(folder, trials, "steps at the seam", lambda _, verb: verb.writes)


@guarded
def calls(folder: Path) -> Ran:
    """Let each system call fail."""
    trials = [partial(_refused, (error,), False) for error in FAULTS]
    return sweep(folder, trials + _in_turns(MORE_ERRORS), "system calls")


@guarded
def calls_for_good(folder: Path) -> Ran:
    """Let each system call fail, and all that come after it."""
    return sweep(folder, _in_turns(EVERY_ERROR, lasting=True), "system calls")


@guarded
def turns(folder: Path) -> Ran:
    """Let each system call of a bot's turn fail, and all that come after it."""
    trials = _in_turns(EVERY_ERROR) + _in_turns(EVERY_ERROR, lasting=True)
    return try_each(([scene] for scene in turns_of_bots(folder)), trials, "system calls", shared=False)


PARTS_OF_A_TRANSFER: tuple[tuple[str, Callable[[int], int]], ...] = (
    ("1 byte", lambda _: 1),
    ("half", lambda whole: whole // 2),
    ("all but 1 byte", lambda whole: whole - 1),
)


def _short(name: str, words: str, part: Callable[[int], int], error: int | None, scene: Scene, at: int) -> Attempt:
    numbers = () if error is None else (error,)
    said = f"a {name} of {words}{'' if error is None else f', then {errno.errorcode[error]}'}"
    return under(scene, Short(name, at, part, error), said, *numbers)


@guarded
def short(folder: Path) -> Ran:
    """Let each read and each write move a part of what it was asked to; then let a write find no space for the rest."""
    trials = [
        partial(_short, name, words, part, error)
        for words, part in PARTS_OF_A_TRANSFER
        for name, error in (("read", None), ("write", None), ("write", errno.ENOSPC), ("write", errno.EDQUOT))
    ]
    return sweep(folder, trials, "transfers")


def _interrupted(kind: type[BaseException], made: bool, scene: Scene, at: int) -> Attempt:
    words = f"{kind.__name__} {'after' if made else 'before'} a system call"
    attempt = under(scene, Interrupted(at, kind, made=made), words)
    attempt.passes = kind
    return attempt


@guarded
def interrupts(folder: Path) -> Ran:
    """Interrupt before each system call, by Ctrl+C and for want of memory; and after it, by Ctrl+C."""
    trials = [
        partial(_interrupted, KeyboardInterrupt, False),
        partial(_interrupted, MemoryError, False),
        partial(_interrupted, KeyboardInterrupt, True),
    ]
    return sweep(folder, trials, "system calls")


# In the normal run; each of them makes hundreds of calls.
ENTERED = ("add_message", "delete_session")


def _entered(kind: type[BaseException], scene: Scene, at: int) -> Attempt:
    calls = SystemCalls(scene.folder, Fault())
    entries = Entries(at, kind)
    attempt = Attempt("", calls.steps, passes=kind)
    store = scene.store(Disk(), on_error=attempt.heard.append)
    with calls:
        attempt.call(lambda: entries.during(lambda: scene.verb.call(store, scene.target)))
    attempt.fault = f"{kind.__name__} on entry to {entries.where}"
    attempt.failed = entries.failed
    return attempt


@guarded
def entries(folder: Path) -> Ran:
    """Interrupt on entry to each function of the stores, where Python lets a signal in."""
    trials = [partial(_entered, KeyboardInterrupt), partial(_entered, MemoryError)]

    def of(kind: Kind, verb: Verb) -> bool:
        if LONG:
            return verb.name != "auto_title"  # its work is done in another thread, where no signal is let in
        return verb.name in ENTERED and kind is DefaultSessionStore

    return sweep(folder, trials if LONG else trials[:1], "functions entered", of)


def _words(error: int, lasting: bool) -> str:
    return f"{errno.errorcode[error]}{' from here on' if lasting else ''}"
