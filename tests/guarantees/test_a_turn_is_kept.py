"""A turn of an agent or a bot is kept, executed or streamed, also when the consumer of the stream stops early, the
model fails half-way, or a second worker answers the same user.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from readfresh import BotSessionManager, LocalManagedAgent, Usage, turns_of
from tests.agents.support import (
    HISTORY_KINDS,
    Given,
    Held,
    join_late_keepers,
    kept,
    make_store,
    messages_of,
    run,
    until,
)
from tests.agents.worker import TurnWorker

WAYS = ("chat", "execute", "stream")
SESSION = "bot_test_ada"  # of the user "ada" of the platform "test", so that bots and agents meet in one session


@pytest.fixture(params=HISTORY_KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of store in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def store(kind: str, folder: Path) -> Any:
    """A store."""
    return make_store(kind, folder)


@pytest.fixture
def turn_worker(kind: str, folder: Path) -> Iterator[TurnWorker]:
    """Another process that answers, on the same sessions."""
    make_store(kind, folder)
    running = TurnWorker(kind, folder)
    yield running
    running.kill()


async def take(store: Any, how: str, model: Callable[..., Any], prompt: str, user: str = "ada") -> str:
    """Take a turn, as a bot or as an agent does."""
    if how == "chat":
        return await BotSessionManager(store, "test").chat(model, user, prompt)
    agent = LocalManagedAgent(model, store, SESSION)
    if how == "execute":
        return await agent.execute(prompt)
    return "".join([piece async for piece in agent.stream(prompt)])


async def counting(_messages: list[dict[str, Any]]) -> AsyncIterator[str | Usage]:
    """Give three pieces, and tell first what they cost."""
    yield Usage(10, 3)
    for word in ("one ", "two ", "three"):
        yield word


async def failing(_messages: list[dict[str, Any]]) -> AsyncIterator[str | Usage]:
    """Give one piece and fail."""
    yield Usage(10, 1)
    yield "one "
    raise ConnectionError("the model hung up")


@pytest.mark.parametrize("how", WAYS)
def test_prompt_is_kept_before_the_model_is_called(store: Any, how: str) -> None:
    """A model that looks into the session finds the prompt that it is asked, and no answer.

    Kills: a prompt that is kept together with the answer.
    """
    seen: list[Any] = []

    def look(_messages: list[dict[str, Any]]) -> str:
        seen.extend(kept(store, SESSION))
        return "Porto"

    run(take(store, how, look, "Where to?"))
    assert seen == [("unanswered", "Where to?", "")]
    assert kept(store, SESSION) == [("answered", "Where to?", "Porto")]


@pytest.mark.parametrize("how", WAYS)
def test_turn_is_kept_when_it_has_returned(store: Any, how: str) -> None:
    """Prompt, answer and usage are kept, each once, in two messages of one turn.

    Kills: a stream that is not persisted (PraisonAI #1768); usage that is counted twice.
    """
    assert run(take(store, how, counting, "Count")) == "one two three"
    assert kept(store, SESSION) == [("answered", "Count", "one two three")]
    assert len(messages_of(store, SESSION)) == 2
    assert run(LocalManagedAgent(counting, store, SESSION).usage()) == Usage(10, 3)


@pytest.mark.parametrize("close", [True, False], ids=["closed", "dropped"])
def test_stream_whose_consumer_stops_keeps_what_there_is(store: Any, close: bool) -> None:
    """A consumer that leaves after two pieces leaves them, marked as a part of an answer.

    Kills: a stream that is kept only at its end; a partial answer that looks like a whole one.
    """

    async def leave() -> None:
        stream = LocalManagedAgent(counting, store, SESSION).stream("Count")
        if close:
            async with aclosing(stream):
                assert [await anext(stream), await anext(stream)] == ["one ", "two "]
        else:
            async for piece in stream:
                if piece == "two ":
                    break

    run(leave())
    join_late_keepers()
    assert kept(store, SESSION) == [("stopped", "Count", "one two ")]
    assert messages_of(store, SESSION)[-1].metadata["partial"] is True
    assert turns_of(store.get_session(SESSION))[0].usage == Usage(10, 3)


@pytest.mark.parametrize("how", WAYS)
def test_model_that_fails_half_way_leaves_prompt_and_part(store: Any, how: str) -> None:
    """What a model has said before it fails is kept, and so is that it failed; the error reaches the caller.

    Kills: a failed turn that leaves no trace; a partial answer that looks like a whole one.
    """
    with pytest.raises(ConnectionError, match="hung up"):
        run(take(store, how, failing, "Count"))
    assert kept(store, SESSION) == [("failed", "Count", "one ")]
    assert messages_of(store, SESSION)[-1].metadata["partial"] is True
    turn = turns_of(store.get_session(SESSION))[0]
    assert (turn.error, turn.usage) == ("ConnectionError: the model hung up", Usage(10, 1))
    assert run(take(store, how, lambda _: "yes", "Again?")) == "yes"


@pytest.mark.parametrize("how", WAYS)
def test_model_that_fails_at_once_leaves_the_prompt(store: Any, how: str) -> None:
    """A turn that fails without a word is kept as failed.

    Kills: a prompt that is kept together with the answer, or taken back.
    """

    def fail(_messages: list[dict[str, Any]]) -> str:
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError):
        run(take(store, how, fail, "Hi"))
    assert kept(store, SESSION) == [("failed", "Hi", "")]


@pytest.mark.parametrize("how", WAYS)
def test_cancelled_turn_keeps_what_there_is(store: Any, how: str) -> None:
    """A task that is cancelled while it waits for the model leaves the prompt and what was said, marked.

    Kills: a cancelled turn that keeps nothing of the answer.
    """

    async def cancel() -> None:
        waiting = asyncio.Event()

        async def hangs(_messages: list[dict[str, Any]]) -> AsyncIterator[str]:
            yield "one "
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(take(store, how, hangs, "Count"))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancel())
    assert kept(store, SESSION) == [("cancelled", "Count", "one ")]


@pytest.mark.parametrize("skip", [0, 1], ids=["the prompt", "the answer"])
@pytest.mark.parametrize("how", WAYS)
def test_cancelling_an_append_neither_loses_nor_doubles_it(folder: Path, how: str, skip: int) -> None:
    """A task that is cancelled while it writes has written once.

    Kills: an append that is given up, or made again, when its task is cancelled.
    """
    store = make_store("default", folder)
    held = Held(store, "add_message")
    held.skip = skip

    async def cancel() -> None:
        task = asyncio.create_task(take(held, how, lambda _: "Porto", "Where to?"))
        await until(held.entered)
        task.cancel()
        held.go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(messages_of(store, SESSION)) == 2  # when the task has ended, not a moment later

    run(cancel())
    expected = ("answered", "Where to?", "Porto") if skip else ("cancelled", "Where to?", "")
    assert kept(store, SESSION) == [expected]


def test_state_is_saved_by_name(store: Any, folder: Path, kind: str) -> None:
    """What one worker saves leaves alone what another one has saved since the first one read.

    Kills: state that is saved as a whole, from an earlier read (PraisonAI #1727).
    """
    first = LocalManagedAgent(counting, store, SESSION)
    run(first.save_state(compute_instance_id="i-1", compute_provider="docker", mood="calm"))
    second = LocalManagedAgent(counting, make_store(kind, folder), "elsewhere")
    second.resume_session(SESSION)
    assert (second.compute_instance_id, second.compute_provider) == ("i-1", "docker")
    run(second.shutdown())
    run(first.save_state(mood="merry"))
    run(first.execute("Count"))
    assert dict(store.get_session(SESSION).metadata) == {
        "compute_instance_id": None,
        "compute_provider": None,
        "mood": "merry",
    }


def test_what_is_freed_stays_freed(store: Any, folder: Path, kind: str) -> None:
    """After shutdown, an agent that resumes the session finds no instance and no provider.

    Kills: None that is skipped (PraisonAI #1727): the freed instance came back.
    """
    agent = LocalManagedAgent(counting, store, SESSION)
    run(agent.save_state(compute_instance_id="i-1", compute_provider="docker"))
    run(agent.shutdown())
    resumed = LocalManagedAgent(counting, make_store(kind, folder), "elsewhere")
    resumed.resume_session(SESSION)
    assert (resumed.session_id, resumed.compute_instance_id, resumed.compute_provider) == (SESSION, None, None)
    assert dict(store.get_session(SESSION).metadata) == {"compute_instance_id": None, "compute_provider": None}


def test_turns_of_one_user_run_in_the_order_in_which_they_were_asked(store: Any) -> None:
    """In one process a second message of a user waits for the answer to the first one, and is given it.

    Kills: a manager without order: the second model would not see the first answer.
    """

    async def two() -> list[str]:
        manager, begun, go = BotSessionManager(store, "test"), asyncio.Event(), asyncio.Event()
        quick = Given()

        async def slow(_messages: list[dict[str, Any]]) -> str:
            begun.set()
            await go.wait()
            return "slow"

        first = asyncio.create_task(manager.chat(slow, "ada", "first"))
        await begun.wait()
        second = asyncio.create_task(manager.chat(quick, "ada", "second"))
        assert await manager.chat(quick, "bob", "other") == "answer 1"  # another user does not wait
        go.set()
        await asyncio.gather(first, second)
        return quick.last

    assert run(two()) == ["first", "slow", "second"]


def test_no_two_users_share_a_session(store: Any) -> None:
    """A turn is kept with its user, however platforms and users are named.

    Kills: a session id that joins platform and user by a character that both may hold.
    """

    async def speak() -> None:
        for platform, user in (("a", "b_c"), ("a_b", "c"), ("", "a_b_c"), ("", "a/b"), ("", "a_2fb"), ("a", "b/c")):
            model = Given()
            await BotSessionManager(store, platform).chat(model, user, "Hi")
            assert model.last == ["Hi"]

    run(speak())


def test_model_is_given_no_half_of_a_tool_call(store: Any) -> None:
    """A limit of the history, or a turn that was stopped, never gives a model a call without its results.

    Kills: a limit that counts messages and cuts where it falls.
    """
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function"}]}
    result = {"role": "tool", "content": "21 °C", "tool_call_id": "call_1"}

    async def looks_up(_messages: list[dict[str, Any]]) -> AsyncIterator[str | dict[str, Any]]:
        yield call
        yield result
        yield "It is warm."

    async def stops_in_between(_messages: list[dict[str, Any]]) -> AsyncIterator[str | dict[str, Any]]:
        yield call
        raise ConnectionError("hung up")

    run(take(store, "chat", looks_up, "How warm?"))
    assert messages_of(store, SESSION)[1].for_model() == call
    with pytest.raises(ConnectionError):
        run(take(store, "chat", stops_in_between, "And now?"))
    for limit, roles in (
        (None, ["user", "assistant", "tool", "assistant", "user", "user"]),
        (5, ["user", "assistant", "tool", "assistant", "user", "user"]),
        (4, ["user", "user"]),
        (0, ["user"]),
    ):
        model = Given()
        run(LocalManagedAgent(model, store, SESSION, max_history=limit).execute("Hm?"))
        assert [message["role"] for message in model.calls[0]] == roles
        store.set_chat_history(SESSION, [each.to_dict() for each in messages_of(store, SESSION)[:-2]])


# Another process: these tests come last, so that a fault that the others see costs no process


@pytest.mark.parametrize("how", WAYS)
def test_two_workers_that_answer_one_user_at_once_lose_nothing(store: Any, turn_worker: TurnWorker, how: str) -> None:
    """Of two turns that overlap in two processes, both are kept, each prompt with its own answer.

    Kills: a history that is cleared and added again, or replaced, when the answer is there (PraisonAI #1768).
    """
    run(take(store, how, lambda _: "Hello.", "Hi"))
    given = turn_worker.begin(how, "ada" if how == "chat" else SESSION, "theirs")
    assert [message["content"] for message in given] == ["Hi", "Hello.", "theirs"]
    turn_worker.say("their ")
    run(take(store, how, lambda _: "my answer", "mine"))
    turn_worker.say("answer")
    assert turn_worker.end() == "their answer"
    assert kept(store, SESSION) == [
        ("answered", "Hi", "Hello."),
        ("answered", "theirs", "their answer"),
        ("answered", "mine", "my answer"),
    ]
    model = Given()
    run(take(store, how, model, "And now?"))
    assert model.last == ["Hi", "Hello.", "theirs", "their answer", "mine", "my answer", "And now?"]


def test_usage_of_two_workers_is_counted_once_each(store: Any, turn_worker: TurnWorker) -> None:
    """What two overlapping turns have cost is the sum of both.

    Kills: totals that each worker adds to what it has read.
    """
    turn_worker.begin("execute", SESSION, "theirs")
    run(take(store, "execute", counting, "mine"))
    turn_worker.end(usage=(5, 7))
    assert run(LocalManagedAgent(counting, store, SESSION).usage()) == Usage(15, 10)


@pytest.mark.parametrize("how", WAYS)
def test_worker_that_is_killed_leaves_its_prompt(store: Any, turn_worker: TurnWorker, how: str) -> None:
    """A worker that is killed between prompt and answer leaves a turn that reads as unanswered.

    Kills: a prompt that is kept together with the answer.
    """
    turn_worker.begin(how, "ada" if how == "chat" else SESSION, "Where to?")
    turn_worker.say("Por")
    turn_worker.kill()
    assert kept(store, SESSION) == [("unanswered", "Where to?", "")]
