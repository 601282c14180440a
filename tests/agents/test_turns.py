"""Turns: how they are told apart, what a model is given of them, and when a stream keeps what."""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readfresh import (
    AnswerStream,
    BotSessionManager,
    DefaultSessionStore,
    LocalManagedAgent,
    LockTimeout,
    OutcomeUnknown,
    SessionData,
    SessionMessage,
    Usage,
    turns_of,
)
from tests.agents.support import (
    PATIENCE_SECONDS,
    ROOT,
    Before,
    Given,
    Held,
    join_late_keepers,
    kept,
    make_store,
    messages_of,
    run,
    said,
    told,
    until,
)

CALL: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function"}]}
RESULT: dict[str, Any] = {"role": "tool", "content": "21 °C", "tool_call_id": "call_1"}


def message(role: str, content: str | None, turn: str | None = None, **fields: Any) -> SessionMessage:
    """Return a message of a turn."""
    tools = {name: fields.pop(name) for name in ("tool_calls", "tool_call_id") if name in fields}
    metadata = {**fields, **({"turn": turn} if turn else {})}
    return SessionMessage(role, content, metadata=metadata, **tools)


def session_of(*messages: SessionMessage) -> SessionData:
    """Return a session of these messages."""
    return SessionData("trip", messages)


def test_turns_are_told_apart_by_their_marks() -> None:
    """Messages of one turn stand together, in the place of its first one; those of nobody's turn stand alone."""
    session = session_of(
        message("system", "Be kind."),
        message("user", "A", "a"),
        message("user", "B", "b"),
        message("assistant", "to B", "b", end="answered", usage={"input_tokens": 1, "output_tokens": 2}),
        message("assistant", "Somebody else.", None),
        message("assistant", "to ", "a"),
        message("assistant", "A", "a", end="failed", partial=True, error="E: x"),
    )
    turns = turns_of(session)
    assert [told(turn) for turn in turns] == [
        ("unmarked", None, "Be kind."[:0]),
        ("failed", "A", "to A"),
        ("answered", "B", "to B"),
        ("unmarked", None, "Somebody else."),
    ]
    assert [turn.id for turn in turns] == [None, "a", "b", None]
    assert [turn.usage for turn in turns] == [Usage(), Usage(), Usage(1, 2), Usage()]
    assert [turn.error for turn in turns] == [None, "E: x", None, None]


def test_content_parts_are_text_too() -> None:
    """A prompt or an answer that is a list of parts has the text of its parts."""
    parts = SessionMessage("user", [{"type": "text", "text": "What is "}, {"type": "image"}, {"text": "this?"}])
    assert turns_of(session_of(parts))[0].prompt == "What is this?"


def test_turn_of_another_type_is_nobodys() -> None:
    """Metadata of other programs under the same name does not make a turn."""
    assert [turn.id for turn in turns_of(session_of(SessionMessage("user", "Hi", metadata={"turn": 7})))] == [None]


A, TO_A = message("user", "A", "a"), message("assistant", "1", "a")
B, TO_B = message("user", "B", "b"), message("assistant", "2", "b")

GIVEN: list[tuple[str, list[SessionMessage], int | None, list[str | None]]] = [
    ("all", [A, TO_A], None, ["A", "1"]),
    ("an answer without its prompt", [TO_A, B], None, ["B"]),
    ("a mark without text", [A, message("assistant", "", "a", end="failed")], None, ["A"]),
    ("part of an answer", [A, message("assistant", "1", "a", partial=True)], None, ["A", "1"]),
    (
        "overlapping turns",
        [A, B, TO_B, TO_A],
        None,
        ["A", "1", "B", "2"],
    ),
    (
        "a whole turn, or nothing of it",
        [A, TO_A, B, TO_B],
        3,
        ["B", "2"],
    ),
    ("a turn that is longer than the limit", [A, TO_A], 1, []),
    (
        "messages of nobody's turn",
        [message("user", "A"), message("assistant", "1"), message("user", "B")],
        2,
        ["1", "B"],
    ),
    (
        "a call and its result, of nobody's turn",
        [SessionMessage.from_dict(CALL), A, SessionMessage.from_dict(RESULT)],
        None,
        [None, "21 °C", "A"],
    ),
    ("a call without its result", [SessionMessage.from_dict(CALL), A], None, ["A"]),
    ("a result without its call", [SessionMessage.from_dict(RESULT), A], None, ["A"]),
    (
        "an empty result",
        [SessionMessage.from_dict(CALL), SessionMessage("tool", "", tool_call_id="call_1")],
        None,
        [None, ""],
    ),
    (
        "the second of two calls with one id",
        [SessionMessage.from_dict(CALL), SessionMessage.from_dict(RESULT), SessionMessage.from_dict(CALL)],
        None,
        [None, "21 °C"],
    ),
    (
        "two calls, one without its result",
        [
            A,
            message("assistant", None, "a", tool_calls=[{"id": "1"}, {"id": "2"}]),
            message("tool", "one", "a", tool_call_id="1"),
        ],
        None,
        ["A"],
    ),
]


@pytest.mark.parametrize(
    ("messages", "limit", "contents"), [each[1:] for each in GIVEN], ids=[each[0] for each in GIVEN]
)
def test_model_is_given_whole_turns(
    files: DefaultSessionStore, messages: list[SessionMessage], limit: int | None, contents: list[str | None]
) -> None:
    """A model is given turns in their order, untangled, without what no model takes, and the prompt last."""
    files.set_chat_history("trip", messages)
    model = Given()
    run(LocalManagedAgent(model, files, "trip", max_history=limit).execute("Hm?"))
    assert model.last == [*contents, "Hm?"]
    assert list(messages_of(files, "trip")[: len(messages)]) == [
        SessionMessage.from_dict({**before.to_dict(), "timestamp": after.timestamp})
        for before, after in zip(messages, messages_of(files, "trip"), strict=False)
    ]


def test_model_is_not_given_what_was_begun_later(store: Any) -> None:
    """A turn whose prompt was added after ours is later than ours, even when it is there when the history is read."""
    model = Given()

    later = Before(store, "get_session", lambda: store.add_user_message("trip", "later"))
    run(LocalManagedAgent(model, later, "trip").execute("Hi"))
    assert model.last == ["Hi"]


def test_session_that_is_cleared_meanwhile_takes_no_prompt_from_the_model(store: Any) -> None:
    """A model is given its prompt, also when the session was cleared right after it was added."""
    model = Given()

    cleared = Before(store, "get_session", lambda: store.clear_session("trip"))
    run(LocalManagedAgent(model, cleared, "trip").execute("Hi"))
    assert model.last == ["Hi"]
    assert said(store, "trip") == [("assistant", "answer 1")]


def test_messages_of_a_model_are_kept_in_their_order(store: Any) -> None:
    """Text, a tool call, its result and text are four messages of one turn, and only text reaches the consumer."""

    def model(_messages: object) -> Iterator[Any]:
        yield "Let me "
        yield "see."
        yield {**CALL, "metadata": {"tool": "weather", "end": "failed", "usage": {"input_tokens": 99}}}
        yield Usage(3, 1)
        yield RESULT
        yield ""
        yield "Warm."
        yield Usage(4, 1)

    async def stream() -> list[str]:
        return [piece async for piece in LocalManagedAgent(model, store, "trip").stream("How warm?")]

    assert run(stream()) == ["Let me ", "see.", "Warm."]
    assert [each.for_model() for each in messages_of(store, "trip")] == [
        {"role": "user", "content": "How warm?"},
        {"role": "assistant", "content": "Let me see."},
        CALL,
        RESULT,
        {"role": "assistant", "content": "Warm."},
    ]
    (turn,) = turns_of(store.get_session("trip"))
    assert (turn.status, turn.usage) == ("answered", Usage(7, 2))
    assert turn.messages[2].metadata["tool"] == "weather"
    assert turn.messages[2].metadata["turn"] == turn.id
    assert dict(turn.messages[-1].metadata) == {
        "turn": turn.id,
        "end": "answered",
        "usage": {"input_tokens": 7, "output_tokens": 2},
    }


def test_each_message_of_a_model_is_kept_when_it_is_given(store: Any) -> None:
    """A tool call is in the session before the model goes on to its result."""
    seen: list[int] = []

    def model(_messages: object) -> Iterator[Any]:
        yield "Let me see."
        yield CALL
        seen.append(len(messages_of(store, "trip")))
        yield RESULT
        seen.append(len(messages_of(store, "trip")))

    run(LocalManagedAgent(model, store, "trip").execute("How warm?"))
    assert seen == [3, 4]
    assert kept(store, "trip") == [("answered", "How warm?", "Let me see.")]


def test_turn_that_says_nothing_is_answered(any_store: Any) -> None:
    """An answer without text is an answer."""
    assert run(BotSessionManager(any_store).chat(lambda _: "", "ada", "Hi")) == ""
    assert said(any_store, "bot_ada") == [("user", "Hi"), ("assistant", "")]


# Streams


async def counting(_messages: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Give three pieces."""
    for word in ("one ", "two ", "three"):
        yield word


def test_stream_that_nobody_reads_asks_nothing(store: Any) -> None:
    """Nothing is kept and no model is called before the first piece is asked for."""
    model = Given()
    stream = LocalManagedAgent(model, store, "trip").stream("Hi")
    run(stream.aclose())
    del stream
    gc.collect()
    join_late_keepers()
    assert not store.session_exists("trip")
    assert model.calls == []


def test_stream_tells_its_state(files: DefaultSessionStore) -> None:
    """`repr` says whether it has begun and ended, and of what turn and session it is."""

    async def main() -> list[str]:
        stream = LocalManagedAgent(counting, files, "trip", new_id=lambda: "t1").stream("Count")
        states = [repr(stream)]
        await anext(stream)
        states.append(repr(stream))
        await stream.aclose()
        return [*states, repr(stream)]

    assert run(main()) == [
        f"<AnswerStream {state}, turn 't1' of session 'trip'>" for state in ("not begun", "under way", "ended")
    ]


def test_ended_stream_stays_ended(files: DefaultSessionStore) -> None:
    """After its end a stream gives nothing more, and closing it again, or dropping it, keeps nothing more."""

    async def main() -> None:
        stream = LocalManagedAgent(counting, files, "trip").stream("Count")
        assert [piece async for piece in stream] == ["one ", "two ", "three"]
        assert [piece async for piece in stream] == []
        await stream.aclose()
        await stream.aclose()

    run(main())
    gc.collect()
    join_late_keepers()
    assert kept(files, "trip") == [("answered", "Count", "one two three")]
    assert len(messages_of(files, "trip")) == 2


def test_closed_stream_has_closed_its_model(files: DefaultSessionStore) -> None:
    """When `aclose` has returned, the model's generator is closed, and what it has said is kept."""
    closed = False

    async def model(_messages: object) -> AsyncIterator[str]:
        nonlocal closed
        try:
            yield "a"
            yield "b"
        finally:
            closed = True

    async def main() -> None:
        stream = LocalManagedAgent(model, files, "trip").stream("Hi")
        await anext(stream)
        await stream.aclose()
        assert closed
        assert kept(files, "trip") == [("stopped", "Hi", "a")]

    run(main())


def test_stream_that_is_closed_by_its_model_failing_is_kept_all_the_same(files: DefaultSessionStore) -> None:
    """A model that raises while it is closed raises to whoever closes, after the part is kept."""

    async def model(_messages: object) -> AsyncIterator[str]:
        try:
            yield "a"
        finally:
            raise OSError("the connection is gone")

    async def main() -> None:
        stream = LocalManagedAgent(model, files, "trip").stream("Hi")
        await anext(stream)
        with pytest.raises(OSError, match="gone"):
            await stream.aclose()

    run(main())
    assert kept(files, "trip") == [("stopped", "Hi", "a")]


def test_stream_is_read_by_one_task(files: DefaultSessionStore) -> None:
    """A second task that reads or closes a stream while a first one waits for a piece is told."""

    async def main() -> None:
        go = asyncio.Event()
        waiting = asyncio.Event()

        async def model(_messages: object) -> AsyncIterator[str]:
            waiting.set()
            await go.wait()
            yield "a"

        stream = LocalManagedAgent(model, files, "trip").stream("Hi")
        first = asyncio.ensure_future(anext(stream))
        await waiting.wait()
        with pytest.raises(RuntimeError, match="read by another task"):
            await anext(stream)
        with pytest.raises(RuntimeError, match="read by another task"):
            await stream.aclose()
        go.set()
        assert await first == "a"
        await stream.aclose()

    run(main())
    assert kept(files, "trip") == [("stopped", "Hi", "a")]


def test_stream_that_is_read_in_two_loops_fails(store: Any) -> None:
    """A stream whose event loop has ended, which closes its model, does not pass for one that was answered.

    Kills: the end of a generator taken for the end of an answer.
    """
    stream = LocalManagedAgent(counting, store, "trip").stream("Count")

    async def piece() -> str:
        return await anext(stream)

    assert run(piece()) == "one "
    with pytest.raises(RuntimeError, match="read a stream in one event loop"):
        run(piece())
    assert kept(store, "trip") == [("failed", "Count", "one ")]


def test_error_in_the_loop_of_the_consumer_stops_the_stream(files: DefaultSessionStore) -> None:
    """A consumer that fails is a consumer that stops: what it was given is kept."""

    async def main() -> None:
        async for piece in LocalManagedAgent(counting, files, "trip").stream("Count"):
            raise ValueError(piece)

    with pytest.raises(ValueError, match="one"):
        run(main())
    gc.collect()
    join_late_keepers()
    assert kept(files, "trip") == [("stopped", "Count", "one ")]


def test_timeout_is_a_cancellation(store: Any) -> None:
    """A turn that runs into a timeout is kept as cancelled, and the caller gets TimeoutError."""

    async def hangs(_messages: object) -> AsyncIterator[str]:
        yield "one "
        await asyncio.Event().wait()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await BotSessionManager(store).chat(hangs, "ada", "Count")

    run(main())
    # The clock may run out before the first piece.
    assert kept(store, "bot_ada")[0][:2] == ("cancelled", "Count")


def test_dropped_stream_is_kept_before_the_process_ends(folder: Path) -> None:
    """A program whose last act is to leave a stream keeps what there is of the answer, whatever its loop does.

    Kills: a part that is kept by a task which the end of the loop cancels.
    """
    program = (
        "import asyncio, sys\n"
        "from readfresh import DefaultSessionStore, LocalManagedAgent\n"
        "def model(_messages):\n"
        "    yield 'one '\n"
        "    yield 'two '\n"
        "async def main():\n"
        "    async for _piece in LocalManagedAgent(model, DefaultSessionStore(sys.argv[1]), 'trip').stream('Count'):\n"
        "        break\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, folder], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert kept(make_store("default", folder), "trip") == [("stopped", "Count", "one ")]


def test_stream_that_outlives_its_loop_is_kept_when_the_interpreter_ends(folder: Path) -> None:
    """A stream that a global name holds to the very end is kept all the same."""
    program = (
        "import asyncio, sys\n"
        "from readfresh import DefaultSessionStore, LocalManagedAgent\n"
        "def model(_messages):\n"
        "    yield 'one '\n"
        "    yield 'two '\n"
        "stream = LocalManagedAgent(model, DefaultSessionStore(sys.argv[1]), 'trip').stream('Count')\n"
        "async def main():\n"
        "    await anext(stream)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, folder], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert kept(make_store("default", folder), "trip") == [("stopped", "Count", "one ")]


def test_copy_of_a_stream_in_a_fork_keeps_nothing(folder: Path) -> None:
    """A process that is forked while a stream is under way ends without a word about it.

    Kills: a mark that each process adds to the one turn.
    """
    program = (
        "import asyncio, os, sys\n"
        "from readfresh import DefaultSessionStore, LocalManagedAgent\n"
        "async def model(_messages):\n"
        "    yield 'one '\n"
        "    yield 'two '\n"
        "stream = LocalManagedAgent(model, DefaultSessionStore(sys.argv[1]), 'trip').stream('Count')\n"
        "async def main():\n"
        "    await anext(stream)\n"
        "asyncio.run(main())\n"
        "child = os.fork()\n"
        "if child:\n"
        "    os.waitpid(child, 0)\n"
        "    del stream\n"
    )
    done = subprocess.run([sys.executable, "-c", program, folder], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert said(make_store("default", folder), "trip") == [("user", "Count"), ("assistant", "one ")]


def test_stream_that_is_dropped_inside_a_change_waits_for_its_lock(files: DefaultSessionStore) -> None:
    """A stream that is dropped while its thread holds the session's lock is kept when the lock is free."""

    async def begin() -> AnswerStream:
        stream = LocalManagedAgent(lambda _: ("one ", "two "), files, "trip").stream("Count")
        await anext(stream)
        return stream

    held = [run(begin())]

    def change(session: Any) -> Any:
        held.clear()
        gc.collect()
        return session.with_message(SessionMessage("system", "changed"))

    files.update("trip", change)
    join_late_keepers()
    assert said(files, "trip") == [("user", "Count"), ("system", "changed"), ("assistant", "one ")]


def test_dropped_stream_that_cannot_be_kept_is_logged(
    files: DefaultSessionStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is left to raise to, so the log has it."""

    async def main() -> None:
        async for _piece in LocalManagedAgent(counting, files, "trip").stream("Count"):
            (folder / "trip.json").write_text("")
            break

    run(main())
    gc.collect()
    join_late_keepers()
    assert "could not be kept as stopped, in session 'trip'" in caplog.text
    assert "SessionDamaged" in caplog.text


# When the store refuses


class Refusing:
    """A store that refuses to add one message, counted from 0."""

    def __init__(self, inner: Any, at: int, error: Callable[[], Any]) -> None:
        self._inner = inner
        self._left = at
        self._error = error

    def __getattr__(self, name: str) -> Any:
        """Return the inner store's, or what refuses."""
        if name != "add_message":
            return getattr(self._inner, name)

        def add_message(*args: Any, tool_calls: Any = None, tool_call_id: Any = None) -> Any:
            self._left -= 1
            if self._left == -1:
                return self._error()
            return self._inner.add_message(*args, tool_calls=tool_calls, tool_call_id=tool_call_id)

        return add_message


def locked() -> None:
    """Raise what a store raises that waited too long."""
    raise LockTimeout("another worker holds its lock", session_id="trip")


def test_prompt_that_is_refused_calls_no_model(files: DefaultSessionStore) -> None:
    """Where the prompt cannot be kept, nothing is asked, and the caller knows."""
    model = Given()
    with pytest.raises(LockTimeout):
        run(LocalManagedAgent(model, Refusing(files, 0, locked), "trip").execute("Hi"))
    assert model.calls == []
    assert not files.session_exists("trip")


def test_answer_that_is_refused_raises(files: DefaultSessionStore) -> None:
    """Where the answer cannot be kept, the caller gets the store's error, and the turn reads as unanswered."""
    with pytest.raises(LockTimeout):
        run(LocalManagedAgent(Given(), Refusing(files, 1, locked), "trip").execute("Hi"))
    assert kept(files, "trip") == [("unanswered", "Hi", "")]


def test_tool_call_that_is_refused_fails_the_turn(files: DefaultSessionStore) -> None:
    """A message of the model that cannot be kept ends the turn as failed, and what was said before it stays."""

    def model(_messages: object) -> Iterator[Any]:
        yield "Let me see."
        yield CALL
        yield RESULT

    with pytest.raises(LockTimeout):
        run(LocalManagedAgent(model, Refusing(files, 2, locked), "trip").execute("Hi"))
    assert kept(files, "trip") == [("failed", "Hi", "Let me see.")]


def test_text_that_may_be_kept_is_not_kept_again(files: DefaultSessionStore) -> None:
    """Text whose append ends with OutcomeUnknown, and was made, stands in the session once.

    Kills: a mark that repeats it.
    """

    def model(_messages: object) -> Iterator[Any]:
        yield "Let me see."
        yield CALL

    class Doubtful(Refusing):
        def __getattr__(self, name: str) -> Any:
            made = getattr(self._inner, name)
            asked = super().__getattr__(name)

            def add_message(*args: Any, **tools: Any) -> Any:
                if self._left == 0:
                    made(*args, **tools)
                return asked(*args, **tools)

            return add_message if name == "add_message" else made

    def doubt() -> None:
        raise OutcomeUnknown("the answer was lost", session_id="trip")

    with pytest.raises(OutcomeUnknown):
        run(LocalManagedAgent(model, Doubtful(files, 1, doubt), "trip").execute("Hi"))
    assert kept(files, "trip") == [("failed", "Hi", "Let me see.")]


def test_refused_mark_is_a_note_on_the_error_of_the_model(files: DefaultSessionStore) -> None:
    """Where a model fails and the store too, the model's error reaches the caller, with a note of the store's."""

    def fails(_messages: object) -> str:
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError, match="no route") as raised:
        run(LocalManagedAgent(fails, Refusing(files, 1, locked), "trip").execute("Hi"))
    assert "The turn could not be kept as 'failed': Session 'trip'" in raised.value.__notes__[0]


def test_refused_write_of_a_cancelled_task_is_logged(
    files: DefaultSessionStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A task that is cancelled while the store refuses ends as cancelled, and the log has the store's error."""
    held = Held(Refusing(files, 0, locked), "add_message")

    async def main() -> None:
        task = asyncio.create_task(LocalManagedAgent(Given(), held, "trip").execute("Hi"))
        await until(held.entered)
        task.cancel()
        held.go.set()
        with pytest.raises(asyncio.CancelledError) as raised:
            await task
        assert "another worker holds its lock" in raised.value.__notes__[0]

    with caplog.at_level(logging.ERROR, "readfresh"):
        run(main())
    assert "in a cancelled task: Session 'trip'" in caplog.text


def test_slow_lock_stops_no_loop(files: DefaultSessionStore) -> None:
    """While the store waits for a lock, the event loop runs.

    Kills: a store that is called in the loop: it would wait for what the loop is to do.
    """
    held = Held(files, "add_message")

    async def main() -> None:
        task = asyncio.create_task(BotSessionManager(held).chat(Given(), "ada", "Hi"))
        await until(held.entered)
        asyncio.get_running_loop().call_soon(held.go.set)
        await task

    run(main())
    assert kept(files, "bot_ada") == [("answered", "Hi", "answer 1")]


def test_loop_that_ends_keeps_what_there_is(store: Any) -> None:
    """A turn that ends when its event loop starts no more threads is kept all the same."""

    async def main() -> None:
        stream = LocalManagedAgent(counting, store, "trip").stream("Count")
        await anext(stream)
        await asyncio.get_running_loop().shutdown_default_executor()
        await stream.aclose()

    run(main())
    assert kept(store, "trip") == [("stopped", "Count", "one ")]


def test_long_or_odd_error_is_kept_as_text(files: DefaultSessionStore) -> None:
    """The error of a model is kept as text that a file can hold, 500 characters at most."""

    def fails(_messages: object) -> str:
        raise ValueError("\ud800" + "x" * 1000)

    with pytest.raises(ValueError, match="xxx"):
        run(LocalManagedAgent(fails, files, "trip").execute("Hi"))
    error = turns_of(files.get_session("trip"))[0].error
    assert error is not None
    assert len(error) == 500
    assert error.startswith("ValueError: \\ud800xxx")


def test_threads_end(files: DefaultSessionStore) -> None:
    """No thread of a model is left when its turn is over."""

    def model(_messages: object) -> Iterator[str]:
        yield "a"

    run(LocalManagedAgent(model, files, "trip").execute("Hi"))
    for thread in threading.enumerate():
        if thread.name.startswith("readfresh-model"):
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive()
