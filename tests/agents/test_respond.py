"""Any callable is a model: what it may give, where it runs, and when it is closed."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import pytest

from readfresh import SessionMessage, Usage
from readfresh.respond import pieces
from tests.agents.support import PATIENCE_SECONDS, run, until

PROMPT = [{"role": "user", "content": "Hi"}]


def function(messages: list[dict[str, Any]]) -> str:
    """Answer."""
    return f"to {messages[-1]['content']}"


async def coroutine(messages: list[dict[str, Any]]) -> str:
    """Answer."""
    return function(messages)


def generator(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Answer in two pieces."""
    yield "to "
    yield str(messages[-1]["content"])


async def async_generator(messages: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Answer in two pieces."""
    for piece in generator(messages):
        yield piece


class Called:
    """An object that is called."""

    def __call__(self, messages: list[dict[str, Any]]) -> str:
        """Answer."""
        return function(messages)


class CalledAsync:
    """An object whose call is async."""

    async def __call__(self, messages: list[dict[str, Any]]) -> str:
        """Answer."""
        asyncio.get_running_loop()
        return function(messages)


class CalledAsyncGenerator:
    """An object whose call is an async generator."""

    async def __call__(self, messages: list[dict[str, Any]]) -> AsyncIterator[str]:
        """Answer."""
        for piece in generator(messages):
            yield piece


def prefixed(_prefix: str, messages: list[dict[str, Any]]) -> str:
    """Answer; for a partial."""
    return function(messages)


MODELS: dict[str, Callable[..., Any]] = {
    "function": function,
    "coroutine function": coroutine,
    "generator": generator,
    "async generator": async_generator,
    "object": Called(),
    "async object": CalledAsync(),
    "async generator object": CalledAsyncGenerator(),
    "method": Called().__call__,
    "partial": functools.partial(prefixed, "x"),
    "function that returns a coroutine": lambda messages: coroutine(messages),
    "function that returns a generator": lambda messages: generator(messages),
    "function that returns an async generator": lambda messages: async_generator(messages),
    "function that returns a list": lambda messages: list(generator(messages)),
    "function that returns a tuple": lambda messages: tuple(generator(messages)),
}


async def all_of(respond: Callable[..., Any]) -> list[Any]:
    """Return all pieces."""
    return [piece async for piece in pieces(respond, PROMPT)]


@pytest.mark.parametrize("name", MODELS)
def test_any_callable_is_a_model(name: str) -> None:
    """Whatever kind of callable it is, its text is the same."""
    assert "".join(run(all_of(MODELS[name]))) == "to Hi"


def test_a_piece_is_text_a_message_or_a_usage() -> None:
    """Messages come as `SessionMessage`, and a usage as it is; alone, too."""
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
    assert run(all_of(lambda _: ["a", call, Usage(1, 2)])) == ["a", SessionMessage.from_dict(call), Usage(1, 2)]
    assert run(all_of(lambda _: call)) == [SessionMessage.from_dict(call)]
    assert run(all_of(lambda _: Usage(1))) == [Usage(1)]
    assert run(all_of(lambda _: SessionMessage("tool", "x", tool_call_id="c")))[0].role == "tool"


@pytest.mark.parametrize(
    ("answer", "error", "match"),
    [
        (None, TypeError, "returned None; it must return text"),
        (3, TypeError, "returned a value of type int"),
        (b"bytes", TypeError, "returned a value of type bytes"),
        ([None], TypeError, "gave None; a piece is text"),
        (["a", b"b"], TypeError, "gave a value of type bytes"),
        ({"content": "x"}, ValueError, "has no 'role'"),
        ({"role": "user", "content": "x"}, ValueError, "role 'user'; it may give 'assistant' and 'tool'"),
        ("\ud800", ValueError, "a piece of the answer contains a lone surrogate"),
    ],
)
def test_what_is_no_answer_is_named(answer: object, error: type[Exception], match: str) -> None:
    """A model that gives what is no piece is told what it gave."""
    with pytest.raises(error, match=match):
        run(all_of(lambda _: answer))


def test_usage_is_counted_in_whole_numbers() -> None:
    """A count that is negative or no whole number is refused by name; usages add up."""
    assert Usage(1, 2) + Usage(3, 4) == Usage(4, 6)
    assert Usage(1, 2).to_dict() == {"input_tokens": 1, "output_tokens": 2}
    with pytest.raises(ValueError, match="output_tokens must be 0 or more"):
        Usage(1, -1)
    with pytest.raises(TypeError, match="input_tokens must be a whole number"):
        Usage(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["function", "generator"])
def test_slow_function_stops_no_loop(kind: str) -> None:
    """While a model that is not async waits, the event loop runs.

    Kills: a model that is called in the loop: it would wait for what the loop is to do.
    """
    go = threading.Event()

    def waits(_messages: object) -> str:
        assert go.wait(PATIENCE_SECONDS)
        return "done"

    def yields(messages: object) -> Iterator[str]:
        yield waits(messages)

    async def main() -> list[Any]:
        task = asyncio.create_task(all_of(waits if kind == "function" else yields))
        asyncio.get_running_loop().call_soon(go.set)
        return await task

    assert run(main()) == ["done"]


def test_many_slow_models_keep_no_write_waiting() -> None:
    """Models run in threads of their own, and leave those that the stores write in alone.

    Kills: one pool of threads for both: forty models would fill it.
    """
    together = threading.Barrier(41)

    def waits(_messages: object) -> str:
        together.wait(PATIENCE_SECONDS)
        return "done"

    async def main() -> None:
        tasks = [asyncio.create_task(all_of(waits)) for _ in range(40)]
        await asyncio.to_thread(together.wait, PATIENCE_SECONDS)
        await asyncio.gather(*tasks)

    run(main())


def test_generator_runs_in_one_thread_and_sees_the_context() -> None:
    """From its start to its close a generator is in one thread, with the caller's context variables."""
    threads: list[int] = []
    user: ContextVar[str] = ContextVar("user")

    def model(_messages: object) -> Iterator[str]:
        try:
            for _ in range(3):
                threads.append(threading.get_ident())
                yield user.get()
        finally:
            threads.append(threading.get_ident())
            closed.set()

    closed = threading.Event()

    async def main() -> None:
        user.set("ada")
        async with aclosing(pieces(model, PROMPT)) as stream:
            assert [await anext(stream), await anext(stream)] == ["ada", "ada"]
        await until(closed)

    run(main())
    assert len(threads) == 3
    assert len({*threads, threading.get_ident()}) == 2


def test_async_generator_is_closed_before_the_consumer_goes_on() -> None:
    """Closing the pieces closes the model's async generator, and waits for it."""
    closed = False

    async def model(_messages: object) -> AsyncIterator[str]:
        nonlocal closed
        try:
            yield "a"
            yield "b"
        finally:
            closed = True

    async def main() -> None:
        async with aclosing(pieces(model, PROMPT)) as stream:
            await anext(stream)
        assert closed

    run(main())


def test_cancelling_does_not_wait_for_a_thread() -> None:
    """A task that is cancelled while a model's thread is busy ends at once; the generator is closed when it can be."""
    busy, go, closed = threading.Event(), threading.Event(), threading.Event()

    def model(_messages: object) -> Iterator[str]:
        try:
            busy.set()
            assert go.wait(PATIENCE_SECONDS)
            yield "late"
        finally:
            closed.set()

    async def main() -> None:
        task = asyncio.create_task(all_of(model))
        await until(busy)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not closed.is_set()
        go.set()
        await until(closed)

    run(main())


def test_error_of_a_close_is_logged() -> None:
    """A generator that raises while it is closed raises to nobody, so the log has it."""
    logged, records = threading.Event(), []

    class Noticing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())
            logged.set()

    def model(_messages: object) -> Iterator[str]:
        try:
            yield "a"
        finally:
            raise OSError("the connection is gone")

    async def main() -> None:
        async with aclosing(pieces(model, PROMPT)) as stream:
            await anext(stream)
        await until(logged)

    noticing = Noticing()
    logging.getLogger("readfresh").addHandler(noticing)
    try:
        run(main())
    finally:
        logging.getLogger("readfresh").removeHandler(noticing)
    assert records == ["the model raised while it was closed"]


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
def test_model_that_raises_the_end_of_an_iteration_is_no_end(error: type[Exception]) -> None:
    """StopIteration out of a function is an error, and nobody waits for ever."""

    def model(_messages: object) -> str:
        raise error

    with pytest.raises(RuntimeError, match=f"raised {error.__name__}"):
        run(all_of(model))
