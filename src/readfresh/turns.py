"""A turn: what a user says and what answers it, as a session holds it.

1. Every message of a turn carries its id; the last one says how it ended: answered, stopped, cancelled or failed.
2. A model is given whole turns, and of tool calls those that have their results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from readfresh.model import SessionData, SessionMessage
from readfresh.respond import Usage
from readfresh.values import EMPTY

__all__ = ["ENDINGS", "Ending", "Turn", "for_model", "turns_among", "turns_of"]

Ending = Literal["answered", "stopped", "cancelled", "failed"]
ENDINGS: tuple[Ending, ...] = ("answered", "stopped", "cancelled", "failed")


@dataclass(frozen=True)
class Turn:
    """What a user has said and what has answered it, as a session holds it.

    Args:
        id: the id that its messages carry in their metadata; None for a message of a writer that marks no turns.
        messages: oldest first; the messages of other turns that stand between them in the session are left out.
    """

    id: str | None
    messages: tuple[SessionMessage, ...]

    @property
    def status(self) -> Literal["answered", "stopped", "cancelled", "failed", "unanswered", "unmarked"]:
        """How it ended.

        ``unanswered`` when nothing says so: it is under way, or its worker was killed.
        ``unmarked`` for a message of a writer that marks no turns.
        """
        if self.id is None:
            return "unmarked"
        end = self._last.get("end")
        return end if end in ENDINGS else "unanswered"

    @property
    def prompt(self) -> str | None:
        """What the user has said; None when that message is gone: cleared, replaced or trimmed."""
        return next((_text_of(message) for message in self.messages if message.role == "user"), None)

    @property
    def answer(self) -> str:
        """All text that has answered it; a part of one when `status` is not ``answered``."""
        return "".join(_text_of(message) for message in self.messages if message.role == "assistant")

    @property
    def usage(self) -> Usage:
        """What it has cost, as the model has told."""
        told = self._last.get("usage")
        if not isinstance(told, Mapping):
            return Usage()
        return Usage(told.get("input_tokens", 0), told.get("output_tokens", 0))

    @property
    def error(self) -> str | None:
        """What the model raised, when `status` is ``failed``."""
        return self._last.get("error")

    @property
    def _last(self) -> Mapping[str, Any]:
        """What stands at its last message; a model may write what it likes to those before it."""
        return self.messages[-1].metadata if self.id is not None else EMPTY


def turns_of(session: SessionData) -> list[Turn]:
    """Return the turns of a session in the order of their first messages, overlapping turns untangled.

    Messages of writers that mark no turns stand between them, each as a turn with `id` None; the results of a tool
    call stand with the call.
    """
    return turns_among(session.messages)


def turns_among(messages: Iterable[SessionMessage]) -> list[Turn]:
    """Return the turns of these messages, as `turns_of` does."""
    groups: list[tuple[str | None, list[SessionMessage]]] = []
    marked: dict[str, list[SessionMessage]] = {}
    asked: dict[object, list[SessionMessage]] = {}  # by the id of a call of a message without a turn
    for message in messages:
        turn = message.metadata.get("turn")
        if isinstance(turn, str):
            home = marked.get(turn)
        else:
            turn = None
            home = None if message.tool_call_id is None else asked.get(message.tool_call_id)
        if home is None:
            home = []
            groups.append((turn, home))
        home.append(message)
        if turn is not None:
            marked[turn] = home
        else:
            asked.update((call.get("id"), home) for call in message.tool_calls or ())
    return [Turn(turn, tuple(home)) for turn, home in groups]


def for_model(turns: Iterable[Turn], max_history: int | None) -> list[dict[str, Any]]:
    """Return the newest whole turns that `max_history` messages hold, without what no model takes."""
    # An answer whose prompt is gone answers nothing.
    shown = [_shown(turn.messages) for turn in turns if turn.id is None or turn.prompt is not None]
    start, count = len(shown), 0
    while start and (max_history is None or count + len(shown[start - 1]) <= max_history):
        start -= 1
        count += len(shown[start])
    return [message.for_model() for messages in shown[start:] for message in messages]


def _shown(messages: Iterable[SessionMessage]) -> list[SessionMessage]:
    """Leave out tool calls that lack a result, results that lack their call, and messages that say nothing."""
    exchanges: list[list[SessionMessage]] = []  # a call and its results, or one message
    waiting: list[set[object]] = []  # of each exchange: the calls that have no result yet
    for message in messages:
        if message.tool_calls:
            exchanges.append([message])
            waiting.append({call.get("id") for call in message.tool_calls})
        elif message.tool_call_id is None:
            exchanges.append([message])
            waiting.append(set())
        else:
            for exchange, open_calls in zip(reversed(exchanges), reversed(waiting), strict=True):
                if message.tool_call_id in open_calls:
                    exchange.append(message)
                    open_calls.discard(message.tool_call_id)
                    break
    whole = [exchange for exchange, open_calls in zip(exchanges, waiting, strict=True) if not open_calls]
    return [message for exchange in whole for message in exchange if message.content or len(exchange) > 1]


def _text_of(message: SessionMessage) -> str:
    if isinstance(message.content, list):
        parts = (part.get("text") for part in message.content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return message.content or ""
