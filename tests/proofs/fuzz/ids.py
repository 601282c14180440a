"""Ids and file names that come close to each other: every id has a name of its own, and every name at most one id."""

from __future__ import annotations

import itertools
import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, SessionMismatch
from readfresh.disk_windows import WindowsDisk
from readfresh.files import SessionFiles
from readfresh.names import check_id, file_name, id_of
from tests.proofs.fuzz.memory import DIRECTORY, FoldingDisk, MemoryDisk
from tests.proofs.rung import Finding, Ran
from tests.store.support import files_of

PAIRS = NAMES = 20_000
FOLDED = 200
SEED = 20261125
# What encodings trip over, so that two random ids come close: case, percent signs, separators, two spellings of é.
CLOSE = "aAbB%40124E-_./\\ ~:é\u0301e\u00a0\u200b"
RESERVED = WindowsDisk.reserved_names
SYSTEMS: tuple[frozenset[str], ...] = (frozenset(), RESERVED)


def _id(chance: random.Random) -> str:
    kind = chance.randrange(8)
    if kind == 0:
        return chance.choice(sorted(RESERVED)).swapcase()[: chance.choice((3, 4))] or "a"
    if kind == 1:  # around the length at which a name becomes a digest
        return chance.choice(("a", "é", "/", "A")) * chance.choice((40, 41, 81, 82, 243, 244, 245, 246, 247, 5000))
    if kind == 2:
        return "".join(chr(chance.choice((*range(1, 0xD800, 97), *range(0xE000, 0x110000, 4099)))) for _ in range(3))
    if kind == 3:  # a name that passes for an encoded one
        return file_name(_id(chance)).removesuffix(".json")
    return "".join(chance.choice(CLOSE) for _ in range(chance.randint(1, 6)))


def _near(one: str, chance: random.Random) -> str:
    """Return an id that differs from another by little, or not at all."""
    spot = chance.randrange(len(one))
    changes = (one, one.swapcase(), one + chance.choice(CLOSE), one[:spot] + one[spot + 1 :], one[::-1], _id(chance))
    return chance.choice(changes) or "a"


def _name(chance: random.Random) -> str:
    if chance.random() < 0.3:
        name = file_name(_id(chance), chance.choice(SYSTEMS))
        spot = chance.randrange(len(name))
        return name[:spot] + chance.choice(("", "%", "A", "a", "0", name[spot].swapcase())) + name[spot + 1 :]
    return "".join(chance.choice(CLOSE + "sh256") for _ in range(chance.randint(0, 12))) + chance.choice((".json", ""))


def try_ids(_folder: Path) -> Ran:
    """Try pairs of ids, names of files, and ids that a disk takes for one."""
    chance = random.Random(SEED)
    counts = {"pairs of ids": PAIRS, "names of files": NAMES, "ids that a disk takes for one": FOLDED}
    found = next(itertools.chain(_wrong_pairs(chance), _wrong_names(chance), _wrong_folds(chance)), None)
    return Ran(counts, found)


def _wrong_pairs(chance: random.Random) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    places = [_files(system) for system in SYSTEMS]
    for _ in range(PAIRS):
        one = check_id(_id(chance))
        for session_id, place in itertools.product((one, _near(one, chance)), places):
            path = place.path(session_id)
            folder, name = os.path.split(path)
            other = taken.setdefault(path, session_id)
            if other != session_id:
                yield Finding(f"The ids {other!r} and {session_id!r} share the file {path!r}.")
            if folder != place.directory or not re.fullmatch(r"[A-Za-z0-9_%-]{1,245}\.json", name):
                yield Finding(f"The id {session_id!r} has the file {path!r}, which is no plain name in its directory.")
            system = place.disk.reserved_names
            if id_of(name, system) != (None if name.startswith("%sha256-") else session_id):
                yield Finding(f"The name {name!r} of {session_id!r} gives back {id_of(name, system)!r}.")
            if name.removesuffix(".json").lower() in system:
                yield Finding(f"The id {session_id!r} has the name {name!r}, which is a device's.")


def _files(reserved: frozenset[str]) -> SessionFiles[Any]:
    """Return the files of a system that gives names to devices; each system has a directory of its own."""
    disk = MemoryDisk({})
    disk.reserved_names = reserved
    return files_of(DefaultSessionStore(DIRECTORY / ("windows" if reserved else "posix"), disk=disk))


def _wrong_names(chance: random.Random) -> Iterator[Finding]:
    for _ in range(NAMES):
        name, system = _name(chance), chance.choice(SYSTEMS)
        session_id = id_of(name, system)
        if session_id is not None and file_name(check_id(session_id), system) != name:
            yield Finding(f"The name {name!r} passes for that of {session_id!r}, whose name is another.")


def _wrong_folds(chance: random.Random) -> Iterator[Finding]:
    for _ in range(FOLDED):
        one = "".join(chance.choice("aAbB-_1") for _ in range(6)) + "a"
        other = one.swapcase()
        disk = FoldingDisk({})
        store = DefaultSessionStore(DIRECTORY, durability="process", disk=disk)
        store.add_user_message(one, "one")
        before = dict(disk.files)
        try:
            store.add_user_message(other, "other")
        except SessionMismatch:
            if disk.files == before:
                continue
        except Exception as error:
            yield Finding(f"On a disk that folds case, {other!r} beside {one!r} raises {error!r}.")
        yield Finding(f"On a disk that folds case, {other!r} is written where {one!r} is.")
