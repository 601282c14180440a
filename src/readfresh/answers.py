"""Answering: a turn is kept by appends, while a model answers.

1. The prompt is appended before the model is called, and the answer when it ends. Nothing is ever replaced.
2. Every message carries the id of its turn, so what other workers append meanwhile is told apart.
3. An append that has begun is waited for, in a cancelled task too, so that none is lost and none is made twice.
"""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
import functools
import inspect
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from itertools import takewhile
from types import AsyncGeneratorType
from typing import Any, TypeVar, cast
from weakref import WeakSet

from readfresh.chat import function
from readfresh.errors import OutcomeUnknown
from readfresh.model import SessionMessage
from readfresh.protocols import HistoryStoreProtocol, SessionStoreProtocol
from readfresh.respond import Respond, Usage, pieces
from readfresh.turns import Ending, Turn, for_model, turns_among
from readfresh.values import text, thaw

__all__ = ["AnswerStream", "TurnKeeper", "made", "missing", "to_the_end"]

T = TypeVar("T")

MAX_ERROR_LENGTH = 500

FIVE_METHODS = ("add_message", "get_chat_history", "clear_session", "delete_session", "session_exists")
HISTORY_METHODS = (*FIVE_METHODS, "set_chat_history", "update_session_metadata", "get_session")

logger = logging.getLogger("readfresh")


class TurnKeeper:
    """What runs turns on a store, and knows what that store can keep of them.

    Args:
        store: any store of five methods; one of `HistoryStoreProtocol` keeps all of a turn.
        max_history: how many messages a model is given beside the prompt, in whole turns; None for all.
        new_id: makes the ids of turns.

    Raises:
        TypeError: the store lacks one of the five methods, is a class or is asynchronous; the message names it.
    """

    def __init__(self, store: SessionStoreProtocol, max_history: int | None, new_id: Callable[[], str]) -> None:
        if lacks := missing(store, FIVE_METHODS):
            raise TypeError(f"store must have five methods; {type(store).__name__} has no {lacks}")
        if isinstance(store, type):
            raise TypeError(f"store must be a store object, not the class {store.__name__}")
        if inspect.iscoroutinefunction(store.add_message):
            raise TypeError(
                f"store must not be asynchronous; {type(store).__name__}.add_message is a coroutine function"
            )
        self._store = store
        # Not by `isinstance`: since Python 3.12 that does not see the methods of a wrapper that passes calls on.
        self._history = None if missing(store, HISTORY_METHODS) else cast(HistoryStoreProtocol, store)
        self._takes_tools = _takes_tools(store.add_message)
        self._max_history = max_history
        self._new_id = function(new_id, "new_id")

    @property
    def marks(self) -> bool:
        """Whether the marks of messages can be read again."""
        return self._history is not None

    @property
    def not_kept(self) -> tuple[str, ...]:
        """What of a turn this store does not keep, a sentence each; empty for a store that keeps all of it."""
        name = type(self._store).__name__
        without_marks = (
            f"Which answer belongs to which prompt: {name} has no {missing(self._store, HISTORY_METHODS)}, "
            "so a model is given turns that overlap in the order of their messages.",
            "That a turn was stopped, was cancelled or has failed: what there is of its answer reads as a whole one.",
            "What a turn has cost.",
        )
        without_tools = (f"Tool calls and their results: {name}.add_message takes no tool_calls.",)
        return (() if self.marks else without_marks) + (() if self._takes_tools else without_tools)

    def ask(self, session_id: str, prompt: str, respond: Respond) -> AnswerStream:
        """Return the answer to a prompt as a stream; nothing happens before its first piece is asked for."""
        if not callable(respond):
            raise TypeError(f"the model must be a function of the messages, not {type(respond).__name__}")
        turn = text(self._new_id(), "what new_id returns")
        return AnswerStream(self, session_id, text(prompt, "the prompt"), respond, turn)

    def turns(self, session_id: str) -> list[Turn]:
        """Return the turns of the session as it is now; of a store of five methods, its messages, each unmarked."""
        if self._history is None:
            return turns_among(map(SessionMessage.from_dict, self._store.get_chat_history(session_id)))
        return turns_among(map(_as_message, self._history.get_session(session_id).messages))

    def for_model(self, before: Iterable[Turn], prompt: SessionMessage) -> list[dict[str, Any]]:
        """Return the newest whole turns that `max_history` messages hold, and the prompt at the end."""
        return [*for_model(before, self._max_history), prompt.for_model()]

    def add(self, session_id: str, message: SessionMessage) -> None:
        """Append one message; a tool call and its results only where the store takes them."""
        tools: dict[str, Any] = {}
        if message.tool_calls is not None or message.tool_call_id is not None:
            if not self._takes_tools:
                return  # said in `not_kept`
            tools = {"tool_calls": thaw(message.tool_calls), "tool_call_id": message.tool_call_id}
        content: Any = thaw(message.content)
        added = self._store.add_message(session_id, message.role, content, thaw(message.metadata), **tools)
        made(added, self._store, "add_message", session_id)


_under_way: WeakSet[AnswerStream] = WeakSet()


class AnswerStream:
    """The answer to a prompt, piece by piece: ``async for piece in stream``.

    The prompt is kept before the model is called, and the answer before the loop ends.
    A loop that is left early leaves a partial answer, kept as ``stopped``: when `aclose` returns, or, where nobody
    calls it, by a thread that the process waits for before it ends.
    """

    def __init__(self, keeper: TurnKeeper, session_id: str, prompt: str, respond: Respond, turn: str) -> None:
        self._keeper = keeper
        self._session_id = session_id
        self._prompt = prompt
        self._respond = respond
        self._turn = turn
        self._pieces: AsyncGenerator[str | SessionMessage | Usage, None] | None = None
        self._said: list[str] = []  # text that is in no message yet
        self._usage: Usage | None = None
        self._asked = False  # the prompt is kept, so there is something to end
        self._ended = False
        self._busy = False
        self._pid = os.getpid()

    def __repr__(self) -> str:
        state = "ended" if self._ended else "under way" if self._asked else "not begun"
        return f"<AnswerStream {state}, turn {self._turn!r} of session {self._session_id!r}>"

    def __aiter__(self) -> AnswerStream:
        return self

    async def __anext__(self) -> str:
        """Return the next piece of text that is not empty.

        Raises:
            StopAsyncIteration: the answer has ended and is kept.
            SessionStoreError: the store refused; what has been written the error says.
            RuntimeError: another task is reading it, or the event loop that it was begun in has ended.
            TypeError, ValueError: the model gave what is no piece; the message names it.
            Exception: whatever the model raises; the turn is kept as ``failed``, with what there is of the answer.
        """
        with self._alone():
            if self._ended:
                raise StopAsyncIteration
            try:
                if self._pieces is None:
                    self._pieces = pieces(self._respond, await to_the_end(self._begin))
                elif cast(AsyncGeneratorType[Any, None], self._pieces).ag_frame is None:
                    # `asyncio.run` has closed it, which is not the end of the answer.
                    raise RuntimeError("the event loop that it was begun in has ended; read a stream in one event loop")
                return await self._next_text(self._pieces)
            except StopAsyncIteration:
                await self._end("answered")
                raise
            except asyncio.CancelledError as error:
                await self._end("cancelled", error)
                raise
            except Exception as error:
                await self._end("failed", error)
                raise

    async def aclose(self) -> None:
        """Stop: keep what there is of the answer as ``stopped``, and close the model. After the end it does nothing.

        Raises:
            RuntimeError: another task is reading it.
            SessionStoreError: the store refused; the turn reads as ``unanswered``.
            Exception: whatever an asynchronous model raises while it is closed; the turn is kept all the same.
        """
        with self._alone():
            await self._end("stopped")

    def __del__(self) -> None:
        if keep := self._late():
            # In a thread: whoever drops the stream may be an event loop, or hold the very lock that the store needs.
            try:
                threading.Thread(target=keep, name="readfresh-turn").start()
            except RuntimeError:  # the interpreter is ending and starts no more threads
                keep()

    def _late(self) -> Callable[[], None] | None:
        """Return what keeps a turn that is still under way as stopped, once; None for any other."""
        # A stream that was copied by a fork belongs to the process that began it.
        if not getattr(self, "_asked", False) or self._ended or self._pid != os.getpid():
            return None
        self._ended = True
        return functools.partial(_keep_late, self._keeper, self._session_id, self._last("stopped", None))

    def _begin(self) -> list[dict[str, Any]]:
        keeper, prompt = self._keeper, SessionMessage("user", self._prompt, metadata={"turn": self._turn})
        # Where nothing can be marked, nobody could tell the prompt from other messages after it has been added.
        before = [] if keeper.marks else keeper.turns(self._session_id)
        keeper.add(self._session_id, prompt)
        self._asked = True
        _under_way.add(self)
        if keeper.marks:
            before = list(takewhile(lambda each: each.id != self._turn, keeper.turns(self._session_id)))
        return keeper.for_model(before, prompt)

    async def _next_text(self, source: AsyncGenerator[str | SessionMessage | Usage, None]) -> str:
        while True:
            piece = await anext(source)
            if isinstance(piece, Usage):
                self._usage = piece + (self._usage or Usage())
            elif isinstance(piece, SessionMessage):
                await to_the_end(self._keep_message, piece)
            elif piece:
                self._said.append(piece)
                return piece

    def _keep_message(self, message: SessionMessage) -> None:
        metadata = {"turn": self._turn}
        if self._said:
            try:
                self._keeper.add(self._session_id, SessionMessage("assistant", "".join(self._said), metadata=metadata))
            except OutcomeUnknown:
                self._said.clear()  # it may be kept, and would be kept twice by the message that ends the turn
                raise
            self._said.clear()
        metadata = {**message.metadata, **metadata}
        self._keeper.add(self._session_id, dataclasses.replace(message, metadata=metadata))

    async def _end(self, ending: Ending, error: BaseException | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        _under_way.discard(self)
        try:
            if self._asked:
                await to_the_end(self._keep_last, ending, error)
        except Exception as refused:
            if error is None:
                raise
            error.add_note(f"The turn could not be kept as {ending!r}: {refused}")
        finally:
            if self._pieces is not None:
                await self._pieces.aclose()

    def _keep_last(self, ending: Ending, error: BaseException | None) -> None:
        if self._keeper.marks or self._said or ending == "answered":  # a mark that nobody can read is no message
            self._keeper.add(self._session_id, self._last(ending, error))

    def _last(self, ending: Ending, error: BaseException | None) -> SessionMessage:
        metadata: dict[str, Any] = {"turn": self._turn, "end": ending}
        if ending != "answered":
            metadata["partial"] = True
        if ending == "failed":
            told = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode()
            metadata["error"] = told[:MAX_ERROR_LENGTH]
        if self._usage is not None:
            metadata["usage"] = self._usage.to_dict()
        return SessionMessage("assistant", "".join(self._said), metadata=metadata)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._busy:
            raise RuntimeError(f"{self!r} is being read by another task; read it in one")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False


async def to_the_end(function: Callable[..., T], *args: Any) -> T:
    """Run `function` in a thread and return what it returns; when cancelled meanwhile, wait for its end first.

    Raises:
        asyncio.CancelledError: the task was cancelled; `function` has run to its end, once.
        Exception: whatever `function` raises; in a cancelled task it is logged, and a note of the cancellation.
    """
    call = functools.partial(copy_context().run, function, *args)
    try:
        running = asyncio.get_running_loop().run_in_executor(None, call)
    except RuntimeError:  # the loop is ending and starts no more threads; what is to be kept is kept all the same
        return call()
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return running.result()
    if (refused := running.exception()) is not None:
        logger.error("in a cancelled task: %s", refused)
        cancelled.add_note(f"In the cancelled task: {refused}")
    raise cancelled


def made(answer: object, store: object, verb: str, session_id: str) -> None:
    """Raise OutcomeUnknown when a verb of a store has answered False, which is how some stores tell a failure."""
    if answer is False:
        raise OutcomeUnknown(f"{verb} of {type(store).__name__} returned False", session_id=session_id)


def missing(store: object, methods: Iterable[str]) -> str:
    """Return those of the methods that the store does not have, for an error; an empty text when it has all."""
    return ", ".join(name for name in methods if not callable(getattr(store, name, None)))


@atexit.register
def _keep_all() -> None:
    """Keep what a program that ends has left under way; threads cannot be started any more when its names are gone."""
    for stream in list(_under_way):
        if keep := stream._late():
            keep()


def _keep_late(keeper: TurnKeeper, session_id: str, message: SessionMessage) -> None:
    if not keeper.marks and not message.content:
        return
    try:
        keeper.add(session_id, message)
    except Exception:
        logger.exception("a stream that nobody closed could not be kept as stopped, in session %r", session_id)


def _takes_tools(add_message: Callable[..., object]) -> bool:
    try:
        parameters = inspect.signature(add_message).parameters.values()
    except ValueError:  # a function without a signature that Python can read
        return False
    names = {each.name for each in parameters}
    return {"tool_calls", "tool_call_id"} <= names or any(each.kind is each.VAR_KEYWORD for each in parameters)


def _as_message(message: Any) -> SessionMessage:
    """Return a message of any store as ours."""
    if isinstance(message, SessionMessage):
        return message
    if isinstance(message, Mapping):
        return SessionMessage.from_dict(message)
    names = ("role", "content", "timestamp", "metadata", "tool_calls", "tool_call_id")
    return SessionMessage.from_dict({name: getattr(message, name, None) for name in names})
