"""A check of waiting: for a lock that is held, and for one whose holder is dead."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass

from readfresh.conformance.arena import BLOCKED_SECONDS, READ, Arena, Broken, Run, kills, setting_of
from readfresh.conformance.crew import Outcome
from readfresh.conformance.history import History
from readfresh.conformance.operations import State, add, either_order

__all__ = ["Held", "beside_a_holder", "waiting_is_bounded"]

SOME = (add("m1"),)
# A holder that is dead is known to be dead at once; whoever waits for longer waits for nobody.
DEAD_HOLDER_SECONDS = 3.0


def waiting_is_bounded(run: Run) -> str:
    """Nobody waits for a dead holder; whoever waits for a live one says so in the end, and has changed nothing."""
    arena = run.arena()
    for session, _, _, history in kills(arena, SOME, add("a1")):
        _after_a_death(arena, session, history)
    return f"workers killed at each step of an append; {_beside_a_live_one(arena)}"


def _after_a_death(arena: Arena, session: str, history: History) -> None:
    arena.open(arena.judge)
    for operation in (READ, add("b1")):
        arena.start(arena.judge, session, operation)
        ended = arena.judge.outcome(arena.run.patience)
        if ended.waited or ended.seconds > DEAD_HOLDER_SECONDS:
            history.calls("B", str(operation))
            history.answers("B", "no answer" if ended.kind == "hung" else ended)
            raise Broken("worker B waits for a worker that is dead", history)


def _beside_a_live_one(arena: Arena) -> str:
    held = beside_a_holder(arena.run)
    if held is None:
        return "no call has to wait for another"
    if held.hung:
        held.history.does("B", f"still waits for {held.hung} after {arena.run.patience:g} s")
        raise Broken("a call waits for ever", held.history)
    if held.b.done:
        if held.b.seconds < BLOCKED_SECONDS:  # it was only slow when the point was looked for, and waits for nobody
            return "no call has to wait for another"
        if isinstance(held.found, State) and held.found not in held.legal:
            raise Broken("the call has waited in vain, and does not say so", held.history)
    elif isinstance(held.found, State) and "b1" in held.found.messages:
        raise Broken("the call says that it has waited in vain, and b1 has been added", held.history)
    return f"a call that another one holds up ends within {arena.run.patience:g} s"


@dataclass
class Held:
    """What came of a call that met a lock whose holder was stopped until the call had ended."""

    b: Outcome
    hung: str
    found: State | Outcome
    legal: set[State]
    history: History


def beside_a_holder(run: Run) -> Held | None:
    """Stop a worker where another one is blocked, and leave it there; None when there is no such point.

    It takes as long as the store waits for a lock, and is done once for a run.
    """
    if "beside a holder" not in run.memory:
        run.memory["beside a holder"] = _beside_a_holder(run.arena())
    found: Held | None = deepcopy(run.memory["beside a holder"])
    return found


def _beside_a_holder(arena: Arena) -> Held | None:
    number = _blocking_point(arena)
    if number is None:
        return None
    session, history = arena.session(), History(setting_of("process"))
    state = arena.begin(session, SOME, history)
    arena.start(arena.a, session, add("a1"), stop=number)
    history.calls("A", str(add("a1")))
    history.does("A", f"is stopped {arena.a.hear(arena.run.patience).get('stopped')}")
    writer, reader = arena.rivals["process"], arena.judge
    arena.open(reader)
    arena.start(writer, session, add("b1"))
    arena.start(reader, session, READ)
    wrote, read = writer.outcome(arena.run.patience), reader.outcome(arena.run.patience)
    history.calls("B", str(add("b1")))
    hung = next(
        (verb for verb, ended in (("add_message", wrote), ("get_chat_history", read)) if ended.kind == "hung"), ""
    )
    if not hung:
        history.answers("B", wrote)
    arena.a.tell("go")
    first = arena.a.outcome(arena.run.patience)
    for lane, ended in ((writer, wrote), (reader, read)):
        if ended.kind == "hung":
            lane.outcome(arena.run.patience)
    found = arena.truth(session)
    if not hung:
        history.answers("A", first)
        history.calls("B", "get_chat_history()")
        history.answers("B", found)
    arena.run.schedules += 1
    return Held(wrote, hung, found, either_order(state, add("a1"), first, add("b1"), wrote), history)


def _blocking_point(arena: Arena) -> int | None:
    """Return the number of a point of an append at which an append of another process is blocked.

    It is the one before the change is put in place, where there is one; whoever goes on without the lock shows there.
    """
    session = arena.session()
    arena.begin(session, SOME, History())
    arena.start(arena.a, session, add("a1"))
    points = [where for where, _ in arena.a.outcome(arena.run.patience).points]
    writing = [
        number for number, where in enumerate(points) if re.match(r"before (replace|rename|write|execute)", where)
    ]
    rival = arena.rivals["process"]
    number: int
    for number in [*writing, *range(len(points))]:
        arena.start(arena.a, session, add("a1"), stop=number)
        if "stopped" not in arena.a.hear(arena.run.patience):
            return None
        arena.start(rival, session, add("b1"), rival=True)
        blocked = arena.settle(rival)
        arena.a.tell("go")
        arena.a.outcome(arena.run.patience)
        rival.outcome(arena.run.patience)
        arena.run.schedules += 1
        if blocked:
            return number
    return None
