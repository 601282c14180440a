"""Workers that are stopped and killed, as processes of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from tests.recordings.of_files import A, B, F, asked
from tests.recordings.projections import locks
from tests.recordings.scenarios import scenario
from tests.recordings.stage import Stage

HASTY = 0.05


def inside_change(stage: Stage, then: Callable[[], object]) -> Callable[[Callable[[], None]], None]:
    """Return what a worker of a process of its own does: it takes the lock, says so, and does something else."""

    def act(here: Callable[[], None]) -> None:
        def change(session: Any) -> Any:
            here()
            then()
            return session.with_metadata({"cost": 1})

        worker = stage.worker("A")
        worker.does("update", worker.store.update, "trip", change)

    return act


@scenario(locks, A=A, F=F, B=B)
def waiting_is_bounded(stage: Stage) -> None:
    """Worker B waits for its timeout while worker A holds the lock, and finds it free when worker A is killed."""
    asked(stage)
    a, b = stage.process("A", inside_change(stage, signal.pause)), stage.worker("B", lock_timeout=HASTY)
    a.hear()
    b.call("add_assistant_message", "trip", "Porto it is.")
    a.kill()
    b.call("get_chat_history", "trip")


@scenario(locks, A=A, F=F, B=B)
def a_stopped_holder(stage: Stage) -> None:
    """Worker A is stopped by a signal while it holds the lock, and later killed."""
    asked(stage)
    stop = inside_change(stage, lambda: os.kill(os.getpid(), signal.SIGSTOP))
    a, b = stage.process("A", stop), stage.worker("B", lock_timeout=HASTY)
    a.hear()
    a.stopped()
    b.call("add_assistant_message", "trip", "Porto it is.")
    a.kill()
    b.call("add_assistant_message", "trip", "Porto it is.")
