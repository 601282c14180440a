"""Any callable as a model: a function, a coroutine function, a generator or an async generator.

A model is called with the messages, a list of dicts ready for a model, the prompt last, and gives pieces of an answer.

1. A piece is text; or a dict with role and content, for tool calls and their results; or a `Usage`.
2. What is not async runs in a thread of its own, so a slow model stops neither the event loop nor a store.
3. A consumer that stops closes the generator; what a thread is doing then runs to its end, and is dropped.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, TypeVar

from readfresh.model import SessionMessage
from readfresh.values import text, whole_number

__all__ = ["Respond", "Usage", "pieces"]

T = TypeVar("T")

Respond = Callable[[list[dict[str, Any]]], Any]

logger = logging.getLogger("readfresh")

_END = object()


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer has cost, in tokens. A model gives one as a piece; those of one turn are added up.

    Args:
        input_tokens: what the model was given.
        output_tokens: what it has answered.

    Raises:
        TypeError, ValueError: a count is no whole number, or is negative; the message names it.
    """

    input_tokens: int = 0
    output_tokens: int = 0

    def __post_init__(self) -> None:
        whole_number(self.input_tokens, "input_tokens", least=0)
        whole_number(self.output_tokens, "output_tokens", least=0)

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)

    def to_dict(self) -> dict[str, int]:
        """Return the JSON object that stands for it in the metadata of a message."""
        return {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens}


async def pieces(
    respond: Respond, messages: list[dict[str, Any]]
) -> AsyncGenerator[str | SessionMessage | Usage, None]:
    """Yield the pieces of the answer of a model, whatever kind of callable it is.

    Raises:
        TypeError, ValueError: the model gave what is no piece; the message names it.
        Exception: whatever the model raises.
    """
    thread = _Thread()
    iterator: Any = None
    try:
        answer = respond(messages) if _is_async(respond) else await thread.run(respond, messages)
        if inspect.isawaitable(answer):
            answer = await answer
        if isinstance(answer, str | Mapping | SessionMessage | Usage):
            yield _piece(answer)
        elif hasattr(answer, "__aiter__"):
            iterator = aiter(answer)
            async for piece in iterator:
                yield _piece(piece)
        elif isinstance(answer, Iterable) and not isinstance(answer, bytes | bytearray):
            iterator = await thread.run(iter, answer)
            while (piece := await thread.run(next, iterator, _END)) is not _END:
                yield _piece(piece)
        else:
            raise TypeError(f"the model returned {_named(answer)}; it must return text, or an iterable of pieces")
    finally:
        thread.end(getattr(iterator, "close", None))
        if hasattr(iterator, "aclose"):
            await iterator.aclose()


class _Thread:
    """A thread that starts when it is needed, so that a generator runs in one thread from its start to its close."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="readfresh-model")
        call = functools.partial(copy_context().run, _without_stop_iteration, function, *args)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def end(self, last: Callable[[], object] | None) -> None:
        """Let `last` be the last thing that runs in it, and wait for nothing."""
        if self._executor is not None:
            if last is not None:
                self._executor.submit(
                    _closed, last
                )  # after the step that may be running: a running generator cannot be closed
            self._executor.shutdown(wait=False)


def _without_stop_iteration(function: Callable[..., T], *args: Any) -> T:
    try:
        return function(*args)
    except StopIteration as error:  # a future cannot carry it, and whoever awaits would wait for ever
        raise RuntimeError("the model raised StopIteration") from error


def _closed(close: Callable[[], object]) -> None:
    try:
        close()
    except Exception:
        logger.exception("the model raised while it was closed")


def _is_async(respond: Respond) -> bool:
    """Return whether calling it only makes a coroutine or an async generator, and so blocks nothing."""
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return any(is_kind(each) for is_kind in kinds for each in (respond, getattr(respond, "__call__", None)))  # noqa: B004


def _piece(value: object) -> str | SessionMessage | Usage:
    if isinstance(value, Usage):
        return value
    if isinstance(value, str):
        return text(value, "a piece of the answer")
    if isinstance(value, Mapping):
        value = SessionMessage.from_dict(value)
    if isinstance(value, SessionMessage):
        if value.role not in ("assistant", "tool"):
            raise ValueError(f"the model gave a message of role {value.role!r}; it may give 'assistant' and 'tool'")
        return value
    raise TypeError(f"the model gave {_named(value)}; a piece is text, a dict with role and content, or a Usage")


def _named(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
