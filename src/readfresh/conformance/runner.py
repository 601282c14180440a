"""Runs the checks, one after another, whatever each of them meets."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from readfresh.conformance.arena import PATIENCE_SECONDS, Broken, NotApplicable, Run
from readfresh.conformance.capabilities import CAPABILITIES, methods_of
from readfresh.conformance.checks import CHECKS
from readfresh.conformance.crew import Crew, WorkerFailed
from readfresh.conformance.factory import FactoryError, StoreFactory
from readfresh.conformance.guarantees import GUARANTEES
from readfresh.conformance.report import Report, Result
from readfresh.conformance.worker import FIVE

__all__ = ["check"]


def check(
    factory: StoreFactory | str,
    guarantees: Iterable[str] | None = None,
    progress: Callable[[str, int, int], object] | None = None,
    *,
    patience: float = PATIENCE_SECONDS,
    appends: int = 200,
) -> Report:
    """Check a store, and return what was found.

    Nothing of the store runs in this process: workers are started, stopped and killed, and all are gone at the end.

    Args:
        factory: makes the stores: a function of a module, an object with more to it (see `StoreFactory`), or the name
            of either, ``pkg.module:factory``.
        guarantees: the slugs of those to check; None for all.
        progress: called before each check with its slug, its number from 0, and how many there are.
        patience: after how many seconds a call counts as one that waits for ever; more than the store's lock timeout.
        appends: how many messages each of two processes adds at once.

    Raises:
        FactoryError: the factory cannot be had in another process, raises, or makes something without the five methods.
        ValueError: there is no such guarantee.
    """
    wanted = list(GUARANTEES) if guarantees is None else list(guarantees)
    if unknown := [slug for slug in wanted if slug not in GUARANTEES]:
        raise ValueError(f"guarantees names {unknown[0]!r}; there are {', '.join(GUARANTEES)}")
    wanted = [slug for slug in GUARANTEES if slug in wanted]
    with tempfile.TemporaryDirectory(prefix="readfresh-conformance-", ignore_cleanup_errors=True) as folder:
        crew = Crew(factory, Path(folder, "workers.log"))
        try:
            run = Run(crew, Path(folder).resolve(), patience=patience, appends=appends)
            opened = _first_look(run)
            results = {}
            for number, slug in enumerate(wanted):
                if progress:
                    progress(slug, number, len(wanted))
                results[slug] = _result(slug, run)
            return Report(opened["class"], results, opened["description"], crew.forks)
        finally:
            crew.end()


def _first_look(run: Run) -> dict[str, Any]:
    """Open a store, and see what it has."""
    place = run.folder / "first" / "place"
    place.mkdir(parents=True)
    lane = run.crew.fork()
    known = [name for capability in CAPABILITIES for name in methods_of(capability)]
    lane.tell("open", place=str(place), folder=str(place.parent), methods=[*FIVE, *known])
    ended = lane.outcome(120.0)
    lane.end()
    if ended.kind != "returned":
        raise FactoryError(f"the factory makes no store: {ended} ({ended.where})")
    opened: dict[str, Any] = ended.value
    run.methods = frozenset(opened["methods"])
    run.extras = frozenset(opened["extras"])
    if missing := [name for name in FIVE if name not in run.methods]:
        raise FactoryError(
            f"the factory makes a {opened['class']}, which has no {', '.join(missing)}; "
            f"a session store has {', '.join(FIVE)}"
        )
    if opened["unfit"]:
        raise FactoryError(f"the factory makes a {opened['class']}, {opened['unfit']}")
    return opened


def _result(slug: str, run: Run) -> Result:
    began, schedules, kills = time.monotonic(), run.schedules, run.kills

    def result(status: Any, reason: str, history: tuple[str, ...] = (), mermaid: str = "") -> Result:
        tried = (run.schedules - schedules, run.kills - kills, time.monotonic() - began)
        return Result(slug, status, reason, history, mermaid, *tried)

    try:
        return result("kept", CHECKS[slug](run))
    except Broken as broken:
        run.forget_workers()  # a worker may still be stopped
        return result("broken", str(broken), tuple(broken.history.lines()), broken.history.mermaid())
    except NotApplicable as reason:
        return result("not applicable", str(reason))
    except Exception as error:
        run.forget_workers()
        said = str(error) if isinstance(error, WorkerFailed) else f"{type(error).__name__}: {error}"
        return result("could not run", said)
