"""A check of turns: a bot's manager over the store, two workers, models that fail and tasks that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from readfresh.bots import BotSessionManager
from readfresh.conformance.arena import Arena, Broken, Run, setting_of
from readfresh.conformance.crew import Lane, WorkerFailed
from readfresh.conformance.history import History
from readfresh.conformance.operations import State

__all__ = ["a_turn_is_kept", "chat"]

_HERE = f"{__name__}:chat"


def chat(store: Any, stop: Callable[[str], None], user: str, text: str, ending: str) -> str:
    """Let a bot answer a user, in a worker; the model stops in the midst of its answer, and ends as it is told to."""
    manager = BotSessionManager(store, platform="kit")

    async def model(_messages: list[dict[str, Any]]) -> AsyncIterator[str]:
        yield f"answer {text}"
        await asyncio.to_thread(stop, manager.session_id(user))  # which the kit takes note of
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


def a_turn_is_kept(run: Run) -> str:
    """Prompt and answer stand in the session, whatever becomes of the model and whoever answers too."""
    arena = run.arena()
    for ending in ("ends well", "fails", "is cancelled"):
        _one_turn(arena, ending)
    for where in ("process", "thread"):
        _two_turns(arena, where)
    _killed(arena)
    return "turns that overlap, a model that fails, a task that is cancelled, a worker that is killed"


def _begin(arena: Arena, lane: Lane, who: str, user: str, text: str, ending: str, history: History) -> str:
    """Start a turn, wait until its model is called, and return the id of the session."""
    lane.tell("run", function=_HERE, args=[user, text, ending])
    answer = lane.hear(arena.run.patience)
    if "stopped" not in answer:
        raise WorkerFailed(f"a turn of one worker alone: {answer.get('raised', answer)}")
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
