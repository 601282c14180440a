"""A check of turns: a bot's manager over the store, two workers, models that fail and tasks that are cancelled.

A turn is two appends, the prompt and the answer; another worker's turn is put into each step of each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from readfresh.bots import BotSessionManager
from readfresh.conformance.arena import Arena, Broken, Run, next_point, setting_of, thinned
from readfresh.conformance.crew import Lane, Outcome, WorkerFailed
from readfresh.conformance.history import History
from readfresh.conformance.operations import State
from readfresh.conformance.points import Points, own_folders

__all__ = ["a_turn_is_kept", "chat", "short_turn"]

_APPENDS = ("prompt", "answer")


def chat(store: Any, lane: Any, user: str, text: str, ending: str) -> str:
    """Let a bot answer a user, in a worker; the model stops in the midst of its answer, and ends as it is told to."""
    manager = BotSessionManager(store, platform="kit")

    async def model(_messages: list[dict[str, Any]]) -> AsyncIterator[str]:
        yield f"answer {text}"
        await asyncio.to_thread(lane.stop, manager.session_id(user))  # which the kit takes note of
        if ending == "fails":
            raise RuntimeError("the model has failed")
        if ending == "is cancelled":
            running[0].cancel()
            await asyncio.Event().wait()
        yield "."

    async def turn() -> str:
        running.append(asyncio.create_task(manager.chat(model, user, text)))
        try:
            return await running[0]
        except asyncio.CancelledError:
            return "cancelled"
        except RuntimeError as error:
            return str(error)

    running: list[asyncio.Task[str]] = []
    return asyncio.run(turn())


class _Stopping:
    """The store; one of its appends is stopped at one of its points.

    Args:
        store: the store.
        lane: the lane of the worker.
        append: the number of the append, from 0, whose points are counted; None for a rival, which tells when it waits.
        point: the number of the point; None for no stop.
    """

    def __init__(self, store: Any, lane: Any, append: int | None, point: int | None) -> None:
        self._store, self._lane, self._append, self._point = store, lane, append, point
        self._appends = -1
        self.found: list[tuple[str, bool]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def add_message(self, *args: Any) -> Any:
        self._appends += 1
        if self._append is None:
            with Points(waiting=self._lane.teller()):
                return self._store.add_message(*args)
        if self._appends != self._append:
            return self._store.add_message(*args)

        def reached(number: int, where: str) -> Callable[[], object] | None:
            return (lambda: self._lane.stop(where)) if number == self._point else None

        with Points(own_folders(self._store, None), reached=reached) as points:
            added = self._store.add_message(*args)
        self.found = points.found
        return added


def short_turn(store: Any, lane: Any, user: str, text: str, append: int | None, point: int | None) -> dict[str, Any]:
    """Let a bot answer a user at once, in a worker, and stop at a point of one of the two appends."""
    stopping = _Stopping(store, lane, append, point)
    manager = BotSessionManager(stopping, platform="kit")
    asyncio.run(manager.chat(lambda _messages: f"answer {text}", user, text))
    return {"session": manager.session_id(user), "found": stopping.found}


def a_turn_is_kept(run: Run) -> str:
    """Prompt and answer stand in the session, whatever becomes of the model and whoever answers too."""
    arena = run.arena()
    for ending in ("ends well", "fails", "is cancelled"):
        _one_turn(arena, ending)
    for where in ("process", "thread"):
        _two_turns(arena, where)
    _killed(arena)
    for append in range(len(_APPENDS)):
        _turns_that_race(arena, append)
    return (
        "turns that overlap, at each step of their appends too, a model that fails, a task that is cancelled, "
        "a worker that is killed"
    )


def _begin(arena: Arena, lane: Lane, who: str, user: str, text: str, ending: str, history: History) -> str:
    """Start a turn, wait until its model is called, and return the id of the session."""
    lane.tell("run", function=f"{__name__}:chat", args=[user, text, ending])
    answer = lane.hear(arena.run.patience)
    if "stopped" not in answer:
        said = answer.get("raised", answer)
        raise WorkerFailed(f"a bot, which calls add_message(session_id, role, content, metadata), meets {said}")
    history.calls(who, f"add_message({text}), through the bot")
    history.does(who, "is in its model")
    session: str = answer["stopped"]
    return session


def _finish(arena: Arena, lane: Lane, who: str, history: History) -> None:
    lane.tell("go")
    ended = lane.outcome(arena.run.patience)
    if ended.kind != "returned":
        raise WorkerFailed(f"the turn's end: {ended}")
    history.does(who, f"ends its turn: {ended.value}")
    arena.run.schedules += 1


def _one_turn(arena: Arena, ending: str) -> None:
    user, history = arena.session(), History("Worker A has one store object")
    session = _begin(arena, arena.a, "A", user, "q1", ending, history)
    history.does("A", f"finds that its model {ending}" if ending != "ends well" else "hears its model out")
    _finish(arena, arena.a, "A", history)
    _holds(arena, session, ("q1", "answer q1"), history)


def _two_turns(arena: Arena, where: str) -> None:
    user, history = arena.session(), History(setting_of(where))
    session = _begin(arena, arena.a, "A", user, "q1", "ends well", history)
    _begin(arena, arena.rivals[where], "B", user, "q2", "ends well", history)
    _finish(arena, arena.rivals[where], "B", history)
    _finish(arena, arena.a, "A", history)
    _holds(arena, session, ("q1", "answer q1", "q2", "answer q2"), history)


def _killed(arena: Arena) -> None:
    user, history = arena.session(), History("Worker A and worker B are two processes")
    victim = arena.run.crew.fork()
    arena.open(victim)
    session = _begin(arena, victim, "A", user, "q1", "ends well", history)
    victim.end()
    arena.run.kills += 1
    history.does("A", "is killed")
    _holds(arena, session, ("q1",), history)


def _turns_that_race(arena: Arena, append: int) -> None:
    """Stop a turn at each step of one of its appends, and let another worker make a whole one meanwhile."""
    a, b, patience = arena.a, arena.rivals["process"], arena.run.patience
    alone = _short(arena, a, arena.session(), "q1", append, None)
    points = thinned([(where, released) for where, released in alone["found"]])
    at = 0
    while at < len(points):
        user, history = arena.session(), History(setting_of("process"))
        a.tell("run", function=f"{__name__}:short_turn", args=[user, "q1", append, points[at][0]])
        answer = a.hear(patience)
        if "stopped" not in answer:  # this time it had fewer points
            return
        history.calls("A", f"add_message({('q1', 'answer q1')[append]}), through the bot")
        history.does("A", f"is stopped {answer['stopped']}")
        b.tell("run", function=f"{__name__}:short_turn", args=[user, "q2", None, None])
        history.calls("B", "add_message(q2) and add_message(answer q2), through the bot")
        blocked = arena.settle(b, look=False)
        if blocked:
            history.does("B", "waits")
        else:
            ended_b = b.outcome(0)
            history.answers("B", _told(ended_b))
        a.tell("go")
        ended_a = a.outcome(patience)
        history.answers("A", _told(ended_a))
        if blocked:
            ended_b = b.outcome(patience)
            history.answers("B", _told(ended_b))
        arena.run.schedules += 1
        if "hung" in (ended_a.kind, ended_b.kind):
            raise Broken(f"a turn has not ended after {patience:g} s", history)
        # Of a turn that has raised, the caller knows.
        wanted = [("q1", "answer q1") if ended_a.done else (), ("q2", "answer q2") if ended_b.done else ()]
        _holds(arena, f"bot_kit_{user}", sum(wanted, ()), history)
        at = next_point(points, at, blocked=blocked)


def _short(arena: Arena, lane: Lane, user: str, text: str, append: int, point: int | None) -> dict[str, Any]:
    lane.tell("run", function=f"{__name__}:short_turn", args=[user, text, append, point])
    ended = lane.outcome(arena.run.patience)
    if ended.kind != "returned":
        raise WorkerFailed(f"a turn of one worker alone: {ended}")
    made: dict[str, Any] = ended.value
    return made


def _told(ended: Outcome) -> object:
    return "its answer" if ended.done else ended


def _holds(arena: Arena, session: str, wanted: tuple[str, ...], history: History) -> None:
    found = arena.truth(session)
    history.calls("B", "get_chat_history()")
    history.answers("B", found)
    if not isinstance(found, State):
        raise Broken("the session cannot be read after the turn", history)
    texts = [text.rstrip(".") for text in found.messages]
    for text in wanted:
        if texts.count(text) != 1:
            raise Broken(f"{text} is {'lost' if text not in texts else 'kept twice'}", history)
