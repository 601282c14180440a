"""What the specification of the orders leaves out, because one client shows it as well as two.

Limits on messages, tool calls, and titles. Each is written as the documentation says it, not as the stores do it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from tests.proofs.orders.spec import EXTENDED, Answer, Call, Json, Then, World, begin, run, text


def answer(world: World, call: Call) -> tuple[World, str]:
    """Return the world after a call that nobody interrupts, and what the call answers."""
    if call.verb in BEYOND:
        after = World(world.sessions)
        return after, BEYOND[call.verb](after, call)
    at: Then | Answer = begin(call)
    while isinstance(at, Then):
        world, at = run(world, call, at)
    return world, at.value


def whole(session: Json) -> Json:
    """Return a session with every field of both stores: one that is not in its file has its default."""
    return {**EXTENDED, **session}


def changed(world: World, call: Call, session_id: str, **fields: object) -> None:
    """Let a session that exists have these fields, and the time of the call."""
    now = datetime.fromtimestamp(call.time, UTC).isoformat()
    world.put(session_id, {**(world.get(session_id) or {}), **fields, "updated_at": now})


def newest(messages: list[Json], limit: int | None) -> list[Json]:
    """Return the newest `limit` messages, without a tool call that is parted from its results.

    A limit that falls into such an exchange leaves it out; where nothing would be left, it stays whole.
    """
    if limit is None or limit >= len(messages):
        return messages
    fits, exceeds = range(len(messages) - limit, len(messages)), range(len(messages) - limit - 1, -1, -1)
    start = next(start for start in (*fits, *exceeds) if _parts_nothing(messages, start))
    return messages[start:]


def _parts_nothing(messages: list[Json], start: int) -> bool:
    for index, message in enumerate(messages[start:], start):
        wanted = message.get("tool_call_id")
        asked = [
            number
            for number, other in enumerate(messages[:index])
            if any(call["id"] == wanted for call in other.get("tool_calls") or [])
        ]
        belongs_to = asked[-1] if asked else index - (message["role"] == "tool")
        if 0 <= belongs_to < start:
            return False
    return True


def for_model(messages: list[Json]) -> list[Json]:
    """Return the messages ready for a chat model: role, content, and the tool fields that a message has."""
    names = ("role", "content", "tool_calls", "tool_call_id")
    return [{name: message[name] for name in names if name in message} for message in messages]


def _history(world: World, call: Call) -> str:
    session_id, limit = call.arguments
    return text(for_model(newest((world.get(session_id) or EXTENDED)["messages"], limit)))


def _agents_history(world: World, call: Call) -> str:
    agent, limit, sessions = call.arguments
    found = json.loads(answer(world, Call("list_sessions_by_agent", text([agent]), True, call.time, ""))[1])
    return text(
        [
            {**message, "session_id": session_id, "agent_name": agent}
            for session_id in found[:sessions]
            for message in for_model(newest((world.get(session_id) or EXTENDED)["messages"], limit))
        ]
    )


def _auto_title(world: World, call: Call) -> str:
    (session_id,) = call.arguments
    session = world.get(session_id)
    if session is None or session["title"]:
        return "false"
    said = [(message["role"], " ".join((message["content"] or "").split())) for message in session["messages"]]
    said = [(role, words) for role, words in said if words]
    user = next((number for number, (role, _) in enumerate(said) if role == "user"), len(said))
    if "assistant" not in [role for role, _ in said[user:]]:
        return "false"
    changed(world, call, session_id, title=said[user][1])
    return "true"


BEYOND: dict[str, Callable[[World, Call], str]] = {
    "get_chat_history": _history,
    "get_agent_chat_history": _agents_history,
    "auto_title": _auto_title,
}
"""Verbs of which more is said here than in the specification."""
