"""Things that are no files, in the place of a session, of its lock and of its temporary file.

Each verb is called on each, in a process of its own that is ended when a call does not return:
`python -m tests.proofs.fuzz.odd <folder>` says the name of a call, then what is wrong with it, line by line.

What must hold: a call returns; it succeeds or raises an error of ours; after an error nothing in the directory has
changed; what a link points to never does.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionStoreError
from tests.proofs.rung import Finding, Ran
from tests.store.support import ROOT, Child, Verb, filled, verbs_of

THINGS_TRIED = "things in the place of a session, its lock or its temporary file"
COMMAND = ["-m", "tests.proofs.fuzz.odd"]
LARGE = 10**9
LIMIT = 100_000
ENDINGS = {"the session": ".json", "its lock": ".json.lock", "its temporary file": ".json.tmp"}
OUTSIDE = b'{"session_id": "trip", "messages": [{"role": "user", "content": "secret"}]}'


def _socket(path: Path) -> None:
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as server:  # the path of a socket is short
        server.bind(path.name)


def _directory(path: Path) -> None:
    path.mkdir()
    (path / "file").write_bytes(b"kept")


def _sized(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


THINGS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "a directory": os.mkdir,
    "a directory with a file": _directory,
    "a link to nothing": lambda path: path.symlink_to(path.parents[1] / "nothing"),
    "a link to a session outside": lambda path: path.symlink_to(path.parents[1] / "outside.json"),
    "a link to itself": lambda path: path.symlink_to(path),
    "an empty file": Path.touch,
    "a file of zeros, as large as it may be": lambda path: _sized(path, LIMIT),
    "a file of a gigabyte": lambda path: _sized(path, LARGE),
}
DEVICES = {"an endless device": (1, 5), "an empty device": (1, 3)}  # /dev/zero and /dev/null of Linux


def _things() -> dict[str, Callable[[Path], object]]:
    """Return what this user can make: devices are made by root alone, where the system lets it."""

    def device(numbers: tuple[int, int]) -> Callable[[Path], object]:
        return lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(*numbers))

    return {**THINGS, **{name: device(numbers) for name, numbers in DEVICES.items()}}


def try_odd_things(folder: Path) -> Ran:
    """Call every verb on every thing, in a process that is ended when a call does not return."""
    child = _Watched(folder)
    counts = {THINGS_TRIED: 0, "calls": 0}
    varying = frozenset(counts)  # root alone can make devices
    try:
        while (name := child.says()) != "end":
            if name.startswith("thing "):
                counts[THINGS_TRIED] += 1
                continue
            counts["calls"] += 1
            wrong = child.says() if name else "the process has died"
            if wrong != "fine":
                return Ran(counts, Finding(f"{name}: {wrong or 'the call does not return'}."), varying)
        return Ran(counts, varying=varying)
    finally:
        child.process.kill()
        child.process.communicate()


class _Watched(Child):
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *COMMAND, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def main(folder: Path) -> None:
    """Say what becomes of each call."""
    for kind in (DefaultSessionStore, HierarchicalSessionStore):
        whole = folder / f"whole-{kind.__name__}"
        filled(kind, whole, durability="process")
        for where, ending in ENDINGS.items():
            for what, make in _things().items():
                for name, wrong in _tried(
                    kind, whole, folder / "tried", f"{what} in the place of {where}", ending, make
                ):
                    print(name, wrong, sep="\n" if wrong else "", flush=True)
    print("end", flush=True)


def _tried(
    kind: Any, whole: Path, place: Path, called: str, ending: str, make: Callable[[Path], object]
) -> Iterator[tuple[str, str]]:
    directory = place / "sessions"
    for verb in verbs_of(kind):
        if not directory.exists():
            try:
                _set_up(whole, place, directory / f"trip{ending}", make)
            except PermissionError:  # to make a device
                shutil.rmtree(place)
                return
            if verb is verbs_of(kind)[0]:
                yield f"thing {called}", ""
            before = _seen(place)
        yield f"{kind.__name__}.{verb.name} with {called}", _wrong(kind, verb, directory, ending, before)
        if _seen(place) != before:
            shutil.rmtree(place)
    shutil.rmtree(place, ignore_errors=True)


def _seen(directory: Path) -> dict[str, object]:
    """Return what stands in the directory; of a large file its size and its time."""
    found: dict[str, object] = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        what: object = (status.st_mode, status.st_rdev)
        if stat.S_ISREG(status.st_mode):
            what = path.read_bytes() if status.st_size <= LIMIT else (status.st_size, status.st_mtime_ns)
        found[str(path.relative_to(directory))] = what
    return found


def _set_up(whole: Path, place: Path, path: Path, make: Callable[[Path], object]) -> None:
    place.mkdir()
    (place / "outside.json").write_bytes(OUTSIDE)
    shutil.copytree(whole, path.parent)
    path.unlink(missing_ok=True)
    make(path)


def _wrong(kind: Any, verb: Verb, directory: Path, ending: str, before: dict[str, object]) -> str:
    """Call a verb and return what is wrong, or ``fine``."""
    store = kind(directory, durability="process", lock_timeout=0.2, max_file_bytes=LIMIT, new_id=iter("xyz").__next__)
    thing = f"sessions/trip{ending}"
    try:
        verb.call(store, "trip")
    except SessionStoreError as error:
        left = _seen(directory.parent)
        new_locks = {name for name in left.keys() - before.keys() if name.endswith(".lock")}  # a lock file always stays
        if error.written == "nothing" and {name: left[name] for name in left.keys() - new_locks} != before:
            return f"{type(error).__name__} is raised, and the directory has changed"
        return "fine"
    except Exception as error:
        return f"{error!r} is raised, which is no error of a store"
    after = _seen(directory.parent)
    if after["outside.json"] != OUTSIDE or "nothing" in after:
        return "what is outside has changed"
    if ending == ".json" and verb.per_session and verb.name not in ("session_exists", "delete_session"):
        return "it answers, and there is no session"
    if ending == ".json" and verb.name != "delete_session" and after != before:
        return "it has changed the directory"
    if ending == ".json.lock" and after[thing] != before[thing]:
        return "what stood there is gone"
    return "fine"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
