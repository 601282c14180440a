"""A check of waiting: for a lock that is held, and for one whose holder is dead."""

from __future__ import annotations

from readfresh.conformance.arena import READ, Arena, Broken, Run, kills, setting_of
from readfresh.conformance.crew import Outcome
from readfresh.conformance.history import History
from readfresh.conformance.operations import State, add

__all__ = ["waiting_is_bounded"]

SOME = (add("m1"),)
# A holder that is dead is known to be dead at once; whoever waits for longer waits for nobody.
DEAD_HOLDER_SECONDS = 3.0


def waiting_is_bounded(run: Run) -> str:
    """Nobody waits for a dead holder; whoever waits for a live one says so in the end, and has changed nothing."""
    arena = run.arena()
    for session, _, _, history in kills(arena, SOME, add("a1")):
        _after_a_death(arena, session, history)
    waited = _beside_a_holder(arena)
    return "workers killed at each step of an append; " + (
        f"a call that met a held lock gave up within {run.patience:g} s"
        if waited
        else "no call had to wait for another"
    )


def _after_a_death(arena: Arena, session: str, history: History) -> None:
    arena.open(arena.judge)
    for operation in (READ, add("b1")):
        arena.start(arena.judge, session, operation)
        ended = arena.judge.outcome(arena.run.patience)
        if ended.waited or ended.seconds > DEAD_HOLDER_SECONDS:
            history.calls("B", str(operation))
            history.answers("B", "no answer" if ended.kind == "hung" else ended)
            raise Broken("worker B waits for a worker that is dead", history)


def _beside_a_holder(arena: Arena) -> bool:
    """Stop a worker where another one is blocked, and leave it there; return whether there was such a point."""
    number = _blocking_point(arena)
    if number is None:
        return False
    session, history = arena.session(), History(setting_of("process"))
    arena.begin(session, SOME, history)
    arena.start(arena.a, session, add("a1"), stop=number)
    history.calls("A", str(add("a1")))
    history.does("A", f"is stopped {arena.a.hear(arena.run.patience).get('stopped')}")
    writer, reader = arena.rivals["process"], arena.judge
    arena.open(reader)
    arena.start(writer, session, add("b1"))
    arena.start(reader, session, READ)
    wrote, read = writer.outcome(arena.run.patience), reader.outcome(arena.run.patience)
    for operation, ended in ((READ, read), (add("b1"), wrote)):
        if ended.kind == "hung":
            history.calls("B", str(operation))
            history.does("B", f"still waits after {arena.run.patience:g} s")
            raise Broken("a call waits for ever", history)
    history.calls("B", str(add("b1")))
    history.answers("B", wrote)
    arena.a.tell("go")
    history.answers("A", arena.a.outcome(arena.run.patience))
    found = arena.truth(session)
    history.calls("B", "get_chat_history()")
    history.answers("B", found)
    arena.run.schedules += 1
    if wrote.done or isinstance(found, Outcome):  # what became of it is for no-lost-update and all-or-nothing
        return True
    if isinstance(found, State) and "b1" in found.messages:
        raise Broken("the call said that it had waited in vain, and b1 has been added", history)
    return True


def _blocking_point(arena: Arena) -> int | None:
    """Return the number of the first point of an append at which an append of another process is blocked."""
    session = arena.session()
    arena.begin(session, SOME, History())
    arena.start(arena.a, session, add("a1"))
    points = arena.a.outcome(arena.run.patience).points
    rival = arena.rivals["process"]
    for number in range(len(points)):
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
