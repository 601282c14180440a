"""Limits that the system itself sets, with nothing injected: ``python -m tests.proofs.faults.real <limit> <folder>``.

Each runs in a process of its own, whose last line says as JSON what it counted and found.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from readfresh import HierarchicalSessionStore
from readfresh.disk import Disk, system_disk
from tests.proofs.faults.calls import Observed, SystemCalls
from tests.proofs.faults.scene import Attempt, Scene, scenes, turns
from tests.proofs.faults.sweeps import Trial, in_memory, try_each
from tests.proofs.rung import Finding, Ran
from tests.store.support import LONG, PATIENCE_SECONDS, ROOT, Kind, Verb

NOBODY = 65534
OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
PAGE_BYTES = 4096
LONG_TEXT = "x" * 2 * PAGE_BYTES  # so that a write may end in the middle of a file

Limit = Callable[[Scene, int], AbstractContextManager[None]]


def alone(limit: str, folder: Path, prefix: tuple[str, ...] = ()) -> Ran:
    """Run a limit in a process of its own."""
    with in_memory(folder) as quick:
        command = [*prefix, sys.executable, "-m", "tests.proofs.faults.real", limit, str(quick)]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                # A large piece of memory goes back to the system at once, so that what is free is what the limit says.
                env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Ran({}, Finding(f"With the limit {limit!r} a call never returns."))
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return Ran({}, Finding(f"With the limit {limit!r} the process ends: {done.stderr}"))
    counts, finding = json.loads(lines[-1])
    found = finding and Finding(finding["what"], tuple(finding["history"]))
    # How far a little memory goes is Python's and the C library's affair.
    return Ran(counts, found, frozenset(counts if limit == "memory" else ()))


def mounts_refused() -> str:
    """Return why this system lets nobody mount a file system of his own; an empty text where it does."""
    try:
        done = subprocess.run(
            [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", tempfile.gettempdir()], capture_output=True, text=True
        )
    except FileNotFoundError as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def _limited(words: str, limit: Limit, scene: Scene, at: int) -> Attempt:
    """Call the verb under a limit, which is lifted before anybody judges."""
    observed = Observed()
    calls = SystemCalls(scene.folder, observed)
    attempt = Attempt(words, calls.steps, observed.failed, observed.numbers)
    with calls, limit(scene, at):
        attempt.call(lambda: scene.call(Disk(), on_error=attempt.heard.append))
    return attempt


def _each(folder: Path, trials: Sequence[Trial], step: str, more: str = "") -> Ran:
    each = itertools.chain(scenes(folder, more=more), turns(folder))
    return try_each(([scene] for scene in each), trials, step, shared=False)


# Descriptors


def descriptors(folder: Path) -> Ran:
    """Let the process have 0 descriptors more, then 1, 2, … until the verb passes."""
    kept = os.open(os.devnull, os.O_RDONLY)
    while (taken := os.dup(kept)) < 48:
        pass

    @contextmanager
    def limit(_scene: Scene, at: int) -> Iterator[None]:
        with _rlimit(resource.RLIMIT_NOFILE, taken + 1 + at):
            yield

    return _each(folder, [partial(_limited, "no descriptor is free", limit)], "free descriptors")


# Sizes


def sizes(folder: Path) -> Ran:
    """Let no file have more than 0 bytes, then 1, then more and more, until the verb passes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    @contextmanager
    def limit(_scene: Scene, at: int) -> Iterator[None]:
        with _rlimit(resource.RLIMIT_FSIZE, at if at < 2 else (at - 1) * 400):
            yield

    return _each(folder, [partial(_limited, "no file may grow", limit)], "sizes")


# Memory

REMEMBERING = ("add_message", "get_session", "list_sessions", "delete_session", "fork_session", "create_snapshot")
MEMORY_STEP_BYTES = 1 << 19


def memory(folder: Path) -> Ran:
    """Let the process have no memory more, then a little more and more, until the verb passes."""

    @contextmanager
    def limit(_scene: Scene, at: int) -> Iterator[None]:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        with _rlimit(resource.RLIMIT_AS, pages * resource.getpagesize() + at * MEMORY_STEP_BYTES):
            yield

    def trial(scene: Scene, at: int) -> Attempt:
        attempt = _limited("no memory is free", limit, scene, at)
        if isinstance(attempt.error, MemoryError):
            attempt.failed, attempt.passes = [len(attempt.steps)], MemoryError
        return attempt

    def of(kind: Kind, verb: Verb) -> bool:
        return verb.name in REMEMBERING and (kind is HierarchicalSessionStore or LONG)

    each = ([scene] for scene in scenes(folder, of, "x" * 2 * MEMORY_STEP_BYTES))
    return try_each(each, [trial], "sizes of memory", shared=False)


# Space


def space(folder: Path) -> Ran:
    """Leave 0 pages of a file system free, then 1, 2, … until the verb passes; then the same with its inodes."""
    _mount(folder, "size=2m,nr_inodes=600")
    stuffing = folder / "stuffing"
    stuffing.mkdir()

    @contextmanager
    def pages(_scene: Scene, at: int) -> Iterator[None]:
        filler = stuffing / "pages"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(PAGE_BYTES)):
                    pass
            except OSError:
                file.truncate(max(0, file.tell() - at * PAGE_BYTES))
            try:
                yield
            finally:
                file.truncate(0)

    @contextmanager
    def inodes(_scene: Scene, at: int) -> Iterator[None]:
        made: list[Path] = []
        try:
            while True:
                path = stuffing / str(len(made))
                path.touch()
                made.append(path)
        except OSError:
            pass
        for path in made[len(made) - at :]:
            path.unlink()
        try:
            yield
        finally:
            for path in made[: len(made) - at]:
                path.unlink()

    trials = [partial(_limited, "the disk is full", pages), partial(_limited, "no inode is free", inodes)]
    return _each(folder, trials, "free pages and inodes", LONG_TEXT)


def read_only(folder: Path) -> Ran:
    """Let the file system be mounted read-only."""
    _mount(folder, "size=2m")

    @contextmanager
    def limit(_scene: Scene, at: int) -> Iterator[None]:
        if at:
            yield
            return
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)

    return _each(folder, [partial(_limited, "the file system is read-only", limit)], "mounts")


def _mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], check=True)


# Permissions

MODES: tuple[tuple[str, Mapping[str, int]], ...] = (
    ("the directory cannot be written", {".": 0o500}),
    ("neither the directory nor its locks can be written", {".": 0o500, ".lock": 0o400}),
    ("the directory cannot be listed", {".": 0o300}),
    ("the directory cannot be entered", {".": 0o600}),
    ("the sessions cannot be read", {".json": 0o200}),
)


def permissions(folder: Path) -> Ran:
    """Take away what a user without privileges may do."""
    system_disk()  # imports what that user may not read, where tests run as root
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    @contextmanager
    def limit(modes: Mapping[str, int], scene: Scene, at: int) -> Iterator[None]:
        changed = [] if at else [path for path in (*scene.directory.iterdir(), scene.directory) if _key(path) in modes]
        for path in changed:
            path.chmod(modes[_key(path)])
        try:
            yield
        finally:
            for path in reversed(changed):
                path.chmod(0o700 if path == scene.directory else 0o600)

    return _each(folder, [partial(_limited, words, partial(limit, modes)) for words, modes in MODES], "directories")


def _key(path: Path) -> str:
    return path.suffix or "."


@contextmanager
def _rlimit(which: int, soft: int) -> Iterator[None]:
    before, hard = resource.getrlimit(which)
    resource.setrlimit(which, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(which, (before, hard))


LIMITS: dict[str, Callable[[Path], Ran]] = {
    each.__name__: each for each in (descriptors, sizes, memory, space, read_only, permissions)
}


def _main(limit: str, folder: str) -> None:
    with asyncio.Runner() as runner:
        # An event loop has descriptors of its own, which are none of a store's.
        asyncio.run = runner.run  # type: ignore[assignment]
        runner.get_loop()
        try:
            ran = LIMITS[limit](Path(folder))
        except Exception as error:
            ran = Ran({}, Finding(f"With no fault at all a store raises {type(error).__name__}: {error}."))
        finding = ran.finding and {"what": ran.finding.what, "history": ran.finding.history}
        print(json.dumps([dict(ran.counts), finding]), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
