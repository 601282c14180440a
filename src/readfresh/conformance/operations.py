"""What the kit does to a session, and what the session is then: the sequential specification, in few lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from readfresh.conformance.crew import Outcome

__all__ = [
    "EMPTY",
    "Operation",
    "State",
    "add",
    "clear",
    "contents",
    "delete",
    "either_order",
    "replace_all",
    "set_field",
]


@dataclass(frozen=True)
class State:
    """A session as far as the kit looks: the contents of its messages, oldest first, and a metadata field."""

    messages: tuple[str, ...] = ()
    field: str | None = None

    def __str__(self) -> str:
        said = ", ".join(self.messages) if self.messages else "no message"
        return said if self.field is None else f"{said}; mood is {self.field}"


EMPTY = State()


@dataclass(frozen=True)
class Operation:
    """A call that changes a session.

    Args:
        verb: the method.
        args: its arguments after the session id.
        after: what the session is then.
        options: its keyword arguments.
        on: the session that it is called with, where that is another one.
        shown: how a history shows it, where not by its arguments.
    """

    verb: str
    args: tuple[Any, ...]
    after: Callable[[State], State]
    options: Mapping[str, Any] = field(default_factory=dict)
    on: str = ""
    shown: str = ""

    def __str__(self) -> str:
        if self.shown:
            return self.shown
        if self.verb == "set_chat_history":
            said = [f"[{', '.join(message['content'] for message in self.args[0])}]"]
        else:
            said = [str(argument) for argument in self.args if argument not in ("user", "assistant")]

        said += [f"{name}={value}" for name, value in self.options.items()]
        return f"{self.verb}({', '.join(said)})"


def add(content: str) -> Operation:
    """Add a message of the user."""
    return Operation(
        "add_message", ("user", content), lambda state: replace(state, messages=(*state.messages, content))
    )


def clear() -> Operation:
    """Take all messages out."""
    return Operation("clear_session", (), lambda state: replace(state, messages=()))


def delete() -> Operation:
    """Delete the session."""
    return Operation("delete_session", (), lambda _state: EMPTY)


def replace_all(*contents: str) -> Operation:
    """Replace the history."""
    messages = [{"role": "user", "content": content} for content in contents]
    return Operation("set_chat_history", (messages,), lambda state: replace(state, messages=contents))


def set_field(value: str | None) -> Operation:
    """Set the metadata field `mood`."""
    return Operation("update_session_metadata", (), lambda state: replace(state, field=value), {"mood": value})


def either_order(state: State, one: Operation, outcome: Outcome, two: Operation, other: Outcome) -> set[State]:
    """Return what a session may be after two calls at once.

    A call that has returned has happened; one that raised, or whose worker died, has happened or not.
    """

    def after(states: Iterable[State], operation: Operation, ended: Outcome) -> set[State]:
        before = set(states)
        happened = {operation.after(each) for each in before}
        return happened if ended.done else happened | before

    return after(after({state}, one, outcome), two, other) | after(after({state}, two, other), one, outcome)


def contents(messages: Any) -> tuple[str, ...]:
    """Return the texts of the messages that a store gave."""
    if not isinstance(messages, list):
        return (f"{type(messages).__name__} instead of a list",)
    return tuple(str(one.get("content") if isinstance(one, dict) else one) for one in messages)
