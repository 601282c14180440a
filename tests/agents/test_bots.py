"""Bots: whose session it is, who waits for whom, and what a store of five methods keeps."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readfresh import BotSessionManager, DefaultSessionStore, OutcomeUnknown, SessionStoreProtocol, StoreMisused
from tests.agents.support import (
    KINDS,
    PATIENCE_SECONDS,
    ROOT,
    Before,
    FiveMethods,
    Given,
    Held,
    kept,
    make_store,
    run,
    said,
    until,
)
from tests.agents.worker import TurnWorker

PARTS = st.text(st.sampled_from("abAB5f-_:/. é"), max_size=4)


# Any store


def test_history_is_per_user_and_fresh(any_store: Any) -> None:
    """A model is given what its user has said so far, whoever else speaks, and whatever others have added."""

    async def main() -> None:
        manager, model = BotSessionManager(any_store, "web"), Given()
        await manager.chat(model, "ada", "Hi")
        await manager.chat(model, "bob", "Hello")
        any_store.add_message("bot_web_ada", "system", "from elsewhere")
        assert await manager.chat(model, "ada", "Again") == "answer 3"
        assert model.last == ["Hi", "answer 1", "from elsewhere", "Again"]
        await BotSessionManager(any_store, "web").chat(model, "ada", "Anew")
        assert model.last == ["Hi", "answer 1", "from elsewhere", "Again", "answer 3", "Anew"]

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_two_workers_that_answer_one_user_at_once_lose_nothing(kind: str, folder: Path) -> None:
    """Over any store, the prompts and answers of two processes that overlap are all there, once each."""
    store = make_store(kind, folder)
    worker = TurnWorker(kind, folder)
    try:
        worker.begin("chat", "ada", "theirs")
        run(BotSessionManager(store, "test").chat(lambda _: "my answer", "ada", "mine"))
        worker.say("their answer")
        worker.end()
    finally:
        worker.kill()
    assert said(store, "bot_test_ada") == [
        ("user", "theirs"),
        ("user", "mine"),
        ("assistant", "my answer"),
        ("assistant", "their answer"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_worker_that_is_killed_leaves_its_prompt(kind: str, folder: Path) -> None:
    """Over any store, a worker that is killed in the middle of an answer leaves the prompt."""
    store = make_store(kind, folder)
    worker = TurnWorker(kind, folder)
    worker.begin("chat", "ada", "Where to?")
    worker.say("Por")
    worker.kill()
    assert said(store, "bot_test_ada") == [("user", "Where to?")]
    model = Given()
    run(BotSessionManager(store, "test").chat(model, "ada", "Hello?"))
    assert model.last == ["Where to?", "Hello?"]


def test_what_is_said_before_a_failure_is_kept(any_store: Any) -> None:
    """Over any store, an agent that fails half-way leaves the prompt and what it has said."""

    async def fails(_messages: object) -> AsyncIterator[str]:
        yield "one "
        raise ConnectionError("hung up")

    with pytest.raises(ConnectionError):
        run(BotSessionManager(any_store).chat(fails, "ada", "Count"))
    assert said(any_store, "bot_ada") == [("user", "Count"), ("assistant", "one ")]


def test_limit_deletes_nothing(any_store: Any) -> None:
    """The model is given the newest messages, and the store keeps all."""

    async def main() -> None:
        manager, model = BotSessionManager(any_store, max_history=2), Given()
        for text in ("one", "two", "three"):
            await manager.chat(model, "ada", text)
        assert model.last == ["two", "answer 2", "three"]

    run(main())
    assert len(any_store.get_chat_history("bot_ada")) == 6


def test_reset_takes_the_messages_of_one_user(any_store: Any) -> None:
    """A reset takes out what one user and the bot have said, and tells whether there was a session."""

    async def main() -> None:
        manager, model = BotSessionManager(any_store), Given()
        await manager.chat(model, "ada", "Hi")
        await manager.chat(model, "bob", "Hello")
        assert await manager.reset("ada") is True
        assert await manager.reset("nobody") is False
        await manager.chat(model, "ada", "Anew")
        assert model.last == ["Anew"]

    run(main())
    assert said(any_store, "bot_bob") == [("user", "Hello"), ("assistant", "answer 2")]


# Who waits for whom


def test_reset_waits_for_the_turn_that_is_under_way(any_store: Any) -> None:
    """A reset that is asked for during a turn comes after its answer, and before the next turn."""

    async def main() -> None:
        manager, begun, go, model = BotSessionManager(any_store), asyncio.Event(), asyncio.Event(), Given()

        async def slow(_messages: object) -> str:
            begun.set()
            await go.wait()
            return "slow"

        turn = asyncio.create_task(manager.chat(slow, "ada", "first"))
        await begun.wait()
        reset = asyncio.create_task(manager.reset("ada"))
        after = asyncio.create_task(manager.chat(model, "ada", "second"))
        go.set()
        assert (await turn, await reset, await after) == ("slow", True, "answer 1")
        assert model.last == ["second"]

    run(main())


def test_answer_of_another_worker_after_a_reset_reaches_no_model(store: Any) -> None:
    """An answer that another manager adds after a reset is kept, and no model is given it."""

    async def main() -> None:
        begun, go, model = asyncio.Event(), asyncio.Event(), Given()

        async def slow(_messages: object) -> str:
            begun.set()
            await go.wait()
            return "late"

        turn = asyncio.create_task(BotSessionManager(store).chat(slow, "ada", "first"))
        await begun.wait()
        manager = BotSessionManager(store)
        assert await manager.reset("ada") is True
        go.set()
        await turn
        await manager.chat(model, "ada", "second")
        assert model.last == ["second"]

    run(main())
    assert kept(store, "bot_ada") == [("answered", None, "late"), ("answered", "second", "answer 1")]


def test_turns_are_answered_in_the_order_in_which_they_were_asked(files: DefaultSessionStore) -> None:
    """Of many turns of one user that are asked for at once, each model is given all before it."""

    async def main() -> None:
        manager, model = BotSessionManager(files), Given()
        await asyncio.gather(*(manager.chat(model, "ada", str(number)) for number in range(10)))
        assert [call[-1]["content"] for call in model.calls] == [str(number) for number in range(10)]
        assert [len(call) for call in model.calls] == list(range(1, 20, 2))

    run(main())


def test_order_holds_among_event_loops(files: DefaultSessionStore) -> None:
    """A turn in another thread's loop waits for the turn of the same user in this one."""
    manager, model = BotSessionManager(files), Given()
    begun, asked, go = threading.Event(), threading.Event(), threading.Event()

    def slow(_messages: object) -> str:
        begun.set()
        assert go.wait(PATIENCE_SECONDS)
        return "slow"

    async def second() -> None:
        task = asyncio.create_task(manager.chat(model, "ada", "second"))
        asyncio.get_running_loop().call_soon(asked.set)  # after the first step of the task, which takes its place
        await task

    first = threading.Thread(target=run, args=(manager.chat(slow, "ada", "first"),))
    first.start()
    assert begun.wait(PATIENCE_SECONDS)
    other = threading.Thread(target=run, args=(second(),))
    other.start()
    assert asked.wait(PATIENCE_SECONDS)
    assert model.calls == []
    go.set()
    first.join(PATIENCE_SECONDS)
    other.join(PATIENCE_SECONDS)
    assert model.last == ["first", "slow", "second"]


def test_turn_that_is_cancelled_while_it_waits_leaves_nothing_and_holds_up_nobody(files: DefaultSessionStore) -> None:
    """Of three turns in a row the second one, cancelled before it began, is not kept; the third waits for the first."""

    async def main() -> None:
        manager, begun, go, model = BotSessionManager(files), asyncio.Event(), asyncio.Event(), Given()

        async def slow(_messages: object) -> str:
            begun.set()
            await go.wait()
            return "slow"

        first = asyncio.create_task(manager.chat(slow, "ada", "first"))
        await begun.wait()
        second = asyncio.create_task(manager.chat(model, "ada", "second"))
        third = asyncio.create_task(manager.chat(model, "ada", "third"))
        waits = asyncio.Event()
        asyncio.get_running_loop().call_soon(waits.set)
        await waits.wait()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        for _ in range(5):  # time enough for the third turn to begin, if it could
            await manager.chat(Given(), "bob", "Hi")
        assert model.calls == []
        go.set()
        await asyncio.gather(first, third)
        assert model.last == ["first", "slow", "third"]

    run(main())


def test_thousand_turns_that_are_cancelled_while_they_wait_hold_up_nobody(files: DefaultSessionStore) -> None:
    """The turn behind a thousand that gave up begins when the first one has ended.

    Kills: a place that is handed on by a call inside a call, as deep as there are turns that gave up.
    """

    async def main() -> None:
        manager, begun, go, model = BotSessionManager(files), asyncio.Event(), asyncio.Event(), Given()

        async def slow(_messages: object) -> str:
            begun.set()
            await go.wait()
            return "slow"

        first = asyncio.create_task(manager.chat(slow, "ada", "first"))
        await begun.wait()
        given_up = [asyncio.create_task(manager.chat(model, "ada", "given up")) for _ in range(1000)]
        waits = asyncio.Event()
        asyncio.get_running_loop().call_soon(waits.set)
        await waits.wait()
        for task in given_up:
            task.cancel()
        await asyncio.wait(given_up)
        last = asyncio.create_task(manager.chat(model, "ada", "last"))
        go.set()
        await asyncio.gather(first, last)
        assert model.last == ["first", "slow", "last"]

    run(main())


def test_turn_that_is_under_way_holds_up_no_fork(folder: Path) -> None:
    """A process that is forked while a user is answered answers the same user at once.

    Kills: a child that waits for a turn that only its parent can end.
    """
    program = (
        "import asyncio, os, sys, threading\n"
        "from readfresh import BotSessionManager, DefaultSessionStore\n"
        "manager = BotSessionManager(DefaultSessionStore(sys.argv[1]))\n"
        "begun, go = threading.Event(), threading.Event()\n"
        "def slow(_messages):\n"
        "    begun.set()\n"
        "    go.wait()\n"
        "    return 'slow'\n"
        "def answered(agent, prompt):\n"
        "    asyncio.run(asyncio.wait_for(manager.chat(agent, 'ada', prompt), 20))\n"
        "parent = threading.Thread(target=answered, args=(slow, 'parent'))\n"
        "parent.start()\n"
        "begun.wait()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    answered(lambda _messages: 'at once', 'child')\n"
        "    os._exit(0)\n"
        "status = os.waitpid(child, 0)[1]\n"
        "go.set()\n"
        "parent.join()\n"
        "sys.exit(os.waitstatus_to_exitcode(status))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, folder], cwd=ROOT, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = [("answered", "parent", "slow"), ("answered", "child", "at once")]
    assert kept(make_store("default", folder), "bot_ada") == expected


def test_nothing_is_left_of_users_who_are_answered(files: DefaultSessionStore) -> None:
    """A manager holds no more when it has answered a hundred users than before."""

    async def main() -> None:
        manager = BotSessionManager(files)
        await asyncio.gather(*(manager.chat(Given(), f"user-{number}", "Hi") for number in range(100)))
        await manager.reset("user-1")
        assert manager._order._queues == {}

    run(main())


def test_agent_that_chats_with_the_user_it_is_answering_is_told(any_store: Any) -> None:
    """A turn inside a turn of the same user raises at once instead of waiting for itself; other users are no matter."""

    async def main() -> None:
        manager, inner = BotSessionManager(any_store), Given()

        async def nested(_messages: object) -> str:
            assert await manager.chat(inner, "bob", "from ada") == "answer 1"
            with pytest.raises(StoreMisused, match="would wait for itself"):
                await manager.chat(inner, "ada", "again")
            with pytest.raises(StoreMisused):
                await manager.reset("ada")
            assert await BotSessionManager(any_store).chat(inner, "carl", "another manager") == "answer 2"
            return "done"

        assert await manager.chat(nested, "ada", "Hi") == "done"
        assert await manager.chat(inner, "ada", "afterwards") == "answer 3"

    run(main())


def test_slow_user_holds_up_nobody(files: DefaultSessionStore) -> None:
    """While the store waits for one user's lock, another user is answered."""
    held = Held(files, "add_message")
    held.only = "bot_ada"

    async def main() -> None:
        manager = BotSessionManager(held)
        task = asyncio.create_task(manager.chat(Given(), "ada", "Hi"))
        await until(held.entered)
        assert await manager.chat(Given(), "bob", "Hi") == "answer 1"
        held.go.set()
        await task

    run(main())


# Sessions


@given(st.tuples(PARTS, PARTS), st.tuples(PARTS, PARTS))
def test_no_two_pairs_share_a_session(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Two pairs of platform and user that differ have ids that differ, also for a disk that knows no case."""
    store = FiveMethods(Path("never-written"))
    if not one[1] or not other[1]:
        return
    ids = [BotSessionManager(store, platform).session_id(user) for platform, user in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)
    assert all(id_.replace("_", "").replace("-", "").isalnum() and id_.isascii() for id_ in ids)


def test_plain_pairs_have_praisonais_ids(files: DefaultSessionStore) -> None:
    """Where nothing is ambiguous the id is PraisonAI's, so its histories go on."""
    assert BotSessionManager(files, "telegram").session_id("-100123") == "bot_telegram_-100123"
    assert BotSessionManager(files).session_id("42") == "bot_42"


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"platform": 3}, TypeError, "platform must be text"),
        ({"max_history": -1}, ValueError, "max_history must be 0 or more"),
        ({"max_history": True}, TypeError, "max_history must be a whole number"),
        ({"new_id": "t"}, TypeError, "new_id must be a function"),
    ],
)
def test_wrong_arguments_are_named(
    files: DefaultSessionStore, arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    """A manager is not made of what makes no sense."""
    with pytest.raises(error, match=match):
        BotSessionManager(files, **arguments)


@pytest.mark.parametrize(
    ("agent", "user_id", "text", "error", "match"),
    [
        (Given(), "", "Hi", ValueError, "user_id must not be empty"),
        (Given(), 42, "Hi", TypeError, "user_id must be text"),
        (Given(), "ada", None, TypeError, "the prompt must be text, not NoneType"),
        (Given(), "ada", "\ud800", ValueError, "the prompt contains a lone surrogate"),
        ("gpt", "ada", "Hi", TypeError, "the model must be a function of the messages, not str"),
    ],
)
def test_wrong_turns_leave_nothing(
    any_store: Any, agent: Any, user_id: Any, text: Any, error: type[Exception], match: str
) -> None:
    """A wrong argument is named, and nothing is kept of the turn."""
    manager = BotSessionManager(any_store)
    with pytest.raises(error, match=match):
        run(manager.chat(agent, user_id, text))
    assert not any_store.session_exists("bot_ada")
    assert manager._order._queues == {}


# What is not kept


def test_store_that_keeps_all_is_told_nothing(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Over a store of readfresh nothing is missing, and nothing is logged."""
    manager = BotSessionManager(store, "web")
    assert manager.not_kept == ()
    assert repr(manager) == f"<BotSessionManager 'web' over {type(store).__name__}>"
    assert caplog.text == ""


def test_what_five_methods_cannot_keep_is_said(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A store of five methods is told what it does not keep: in the log, in `repr` and in `not_kept`."""
    store = FiveMethods(folder)
    assert isinstance(store, SessionStoreProtocol)
    manager = BotSessionManager(store)
    assert [sentence.split(":")[0] for sentence in manager.not_kept] == [
        "Which answer belongs to which prompt",
        "That a turn was stopped, was cancelled or has failed",
        "What a turn has cost.",
        "Tool calls and their results",
    ]
    for sentence in manager.not_kept:
        assert sentence in repr(manager)
        assert sentence in caplog.text


def test_five_methods_keep_what_not_kept_does_not_name(folder: Path) -> None:
    """Over five methods the text of a turn is kept, a failure without a word leaves the prompt, and tools nothing."""
    store = FiveMethods(folder)
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
    result = {"role": "tool", "content": "21 °C", "tool_call_id": "c"}

    def fails(_messages: object) -> str:
        raise ConnectionError("no route")

    async def main() -> None:
        manager = BotSessionManager(store)
        await manager.chat(lambda _: ("Let me see. ", call, result, "Warm."), "ada", "How warm?")
        with pytest.raises(ConnectionError):
            await manager.chat(fails, "ada", "And now?")

    run(main())
    assert said(store, "bot_ada") == [
        ("user", "How warm?"),
        ("assistant", "Let me see. "),
        ("assistant", "Warm."),
        ("user", "And now?"),
    ]


@pytest.mark.parametrize("missing", ["add_message", "get_chat_history", "clear_session", "session_exists"])
def test_store_that_lacks_one_of_the_five_is_refused(missing: str) -> None:
    """A store without one of the five methods is refused when the manager is made, by name."""
    methods = {name: lambda *_: None for name in dir(SessionStoreProtocol) if not name.startswith("_")}
    del methods[missing]
    lacking = type("Lacking", (), methods)
    with pytest.raises(TypeError, match=f"store must have five methods; Lacking has no {missing}"):
        BotSessionManager(lacking())


def test_class_is_no_store() -> None:
    """A class that was never called is refused when the manager is made, not at the first turn."""
    with pytest.raises(TypeError, match="store must be a store object, not the class FiveMethods"):
        BotSessionManager(FiveMethods)  # type: ignore[arg-type]


def test_asynchronous_store_is_refused() -> None:
    """A store of coroutine functions is refused when the manager is made.

    Kills: a prompt that is taken for kept when a coroutine was made that nobody awaits.
    """

    class Asynchronous(FiveMethods):
        async def add_message(self, *_args: Any) -> bool:  # type: ignore[override]
            return True

    with pytest.raises(TypeError, match=r"must not be asynchronous; Asynchronous\.add_message is"):
        BotSessionManager(Asynchronous(Path("never-written")))  # type: ignore[arg-type]


def test_id_of_a_turn_is_text(files: DefaultSessionStore) -> None:
    """A turn whose id is no text could not be told from others, so nothing is asked."""
    model = Given()
    numbered: Any = iter(range(9)).__next__
    with pytest.raises(TypeError, match="what new_id returns must be text, not int"):
        run(BotSessionManager(files, new_id=numbered).chat(model, "ada", "Hi"))
    assert model.calls == []
    assert not files.session_exists("bot_ada")


def test_store_that_answers_false_has_failed() -> None:
    """A store that returns False instead of raising has failed, and no model is called after that."""
    model = Given()

    class Failing(FiveMethods):
        def add_message(self, *_args: Any) -> bool:
            return False

    with pytest.raises(OutcomeUnknown, match="add_message of Failing returned False") as raised:
        run(BotSessionManager(Failing(Path("never-written"))).chat(model, "ada", "Hi"))
    assert raised.value.session_id == "bot_ada"
    assert model.calls == []


def test_store_of_other_messages_keeps_turns_too(files: DefaultSessionStore) -> None:
    """A store whose session holds messages of a class of its own, or dicts, is read as ours."""

    @dataclasses.dataclass
    class Message:
        role: str
        content: str
        metadata: dict[str, Any]

    class Theirs(Before):
        as_dicts = False

        def get_session(self, session_id: str) -> Any:
            messages = [each.to_dict() for each in files.get_session(session_id).messages]
            plain = [Message(each["role"], each["content"], dict(each["metadata"])) for each in messages]
            return dataclasses.make_dataclass("Session", ["messages"])(messages if self.as_dicts else plain)

    async def main() -> None:
        theirs = Theirs(files, "", lambda: None)
        manager, model = BotSessionManager(theirs), Given()
        assert manager.not_kept == ()
        await manager.chat(model, "ada", "Hi")
        await manager.chat(model, "ada", "Again")
        theirs.as_dicts = True
        await manager.chat(model, "ada", "And again")
        assert model.last == ["Hi", "answer 1", "Again", "answer 2", "And again"]

    run(main())
