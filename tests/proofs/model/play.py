"""How the model is played, and what is told of a failure: the shortest program that shows it."""

from __future__ import annotations

import traceback
from collections import Counter
from typing import ClassVar

from hypothesis.reporting import with_reporter
from hypothesis.stateful import run_state_machine_as_test

from tests.proofs.model import machine
from tests.proofs.model.machine import Sessions
from tests.proofs.model.places import Place
from tests.proofs.repeatable import drawing_the_same, repeatable
from tests.proofs.rung import Finding, Ran

SHRINK_SECONDS = 10


def play(where: Place, programs: int, steps: int) -> Ran:
    """Play random programs in a place, the same in every run; end at the first that shows a fault."""

    class Playing(Sessions):
        place = where
        tried: ClassVar[Counter[str]] = Counter()

    said: list[object] = []
    finding = None
    with drawing_the_same(SHRINK_SECONDS), with_reporter(said.append):
        try:
            run_state_machine_as_test(Playing, settings=repeatable(programs, steps))
        except Exception as error:
            finding = Finding(what_of(error), program(said, error))
    counts = {"programs": Playing.tried.pop("open", 0), "calls": Playing.tried.total(), "verbs": len(Playing.tried)}
    return Ran(counts, finding)


def what_of(error: BaseException) -> str:
    """Return what is wrong, as one sentence: the error, or the comparison that failed."""
    place = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == machine.__file__][-1]
    said = str(error) or place.line
    return f"A store does not do what the model does, in `{place.name}`: {type(error).__name__}: {said}"


def program(said: list[object], error: BaseException) -> tuple[str, ...]:
    """Return the calls of the shortest program that Hypothesis has found, one a line."""
    lines = "\n".join([*map(str, said), *getattr(error, "__notes__", ())]).splitlines()
    return tuple(line for line in lines if line.startswith("state.") and "stores_read_the_model" not in line)
