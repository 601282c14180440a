"""The parts of this rung."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from tests.proofs.model import places
from tests.proofs.model.places import Place
from tests.proofs.model.play import play
from tests.proofs.rung import Part, Ran
from tests.store.support import scaled

Where = Callable[[Path], AbstractContextManager[Place]]


def _played(where: Where, programs: int, steps: int, folder: Path) -> Ran:
    with where(folder) as place:
        return play(place, programs, steps)


def _part(name: str, where: Where, what: str, *, programs: int, steps: int) -> Part:
    run = partial(_played, where, programs, steps)
    return Part("model", name, f"random verbs of five store objects on {what}, against a model", run)


PARTS = (
    _part("files", places.files, "a directory", programs=scaled(200, 2000), steps=scaled(30, 60)),
    _part("sqlite", places.sqlite, "a SQLite database", programs=scaled(20, 1000), steps=scaled(40, 60)),
    _part("postgresql", places.postgresql, "a PostgreSQL database", programs=scaled(20, 1000), steps=scaled(40, 60)),
)
