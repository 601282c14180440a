"""Agents: a session, its state, and what it has cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, LocalManagedAgent, SessionNotFound, Usage
from tests.agents.support import FiveMethods, Given, kept, run


def answer(_messages: list[dict[str, Any]]) -> tuple[str, Usage]:
    """Answer, and tell what it has cost."""
    return "Porto.", Usage(10, 1)


# Sessions


def test_agent_without_a_session_gets_one_of_its_own(store: Any) -> None:
    """A new agent has a new session, which is created by its first turn."""
    one, other = LocalManagedAgent(answer, store), LocalManagedAgent(answer, store)
    assert one.session_id != other.session_id
    assert one.session_id.startswith("session_")
    assert not store.session_exists(one.session_id)
    assert run(one.execute("Where to?")) == "Porto."
    assert kept(store, one.session_id) == [("answered", "Where to?", "Porto.")]


def test_agent_goes_on_with_the_messages_of_its_session(store: Any) -> None:
    """An agent that is given a session id gives its model what is in that session."""
    store.add_user_message("trip", "Hi")
    model = Given()
    run(LocalManagedAgent(model, store, "trip").execute("Again"))
    assert model.last == ["Hi", "Again"]


def test_ids_come_from_the_caller_where_it_wants(files: DefaultSessionStore) -> None:
    """Ids of turns and sessions are made by a function that the caller may give."""
    ids = iter(["s", "t"])
    agent = LocalManagedAgent(answer, files, new_id=lambda: next(ids))
    run(agent.execute("Where to?"))
    assert repr(agent) == "<LocalManagedAgent in session 'session_s' of DefaultSessionStore>"
    assert [each.metadata["turn"] for each in files.get_session("session_s").messages] == ["t", "t"]
    assert agent.not_kept == ()


def test_agents_of_one_session_overlap(store: Any) -> None:
    """Two turns of one agent that run at once are both kept, each with its own answer."""

    async def main() -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def model(messages: list[dict[str, Any]]) -> str:
            if messages[-1]["content"] == "slow":
                begun.set()
                await go.wait()
            return f"to {messages[-1]['content']}"

        agent = LocalManagedAgent(model, store, "trip")
        slow = asyncio.create_task(agent.execute("slow"))
        await begun.wait()
        assert await agent.execute("quick") == "to quick"
        go.set()
        assert await slow == "to slow"

    run(main())
    assert kept(store, "trip") == [("answered", "slow", "to slow"), ("answered", "quick", "to quick")]


# What is refused


def test_store_of_five_methods_is_refused(folder: Path) -> None:
    """An agent has state, so a store without metadata is refused, and told what it lacks."""
    lacks = "FiveMethods has no set_chat_history, update_session_metadata, get_session"
    with pytest.raises(TypeError, match=f"session_store must be a HistoryStoreProtocol; {lacks}"):
        LocalManagedAgent(answer, FiveMethods(folder))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"respond": "gpt"}, TypeError, "respond must be a function of the messages, not str"),
        ({"session_id": 3}, TypeError, "session_id must be text"),
        ({"session_id": ""}, ValueError, "session_id"),
        ({"max_history": -1}, ValueError, "max_history must be 0 or more"),
    ],
)
def test_wrong_arguments_are_named(
    files: DefaultSessionStore, arguments: dict[str, Any], error: type[Exception], match: str
) -> None:
    """An agent is not made of what makes no sense."""
    with pytest.raises(error, match=match):
        LocalManagedAgent(**{"respond": answer, "session_store": files, **arguments})


def test_prompt_that_is_no_text_is_named(store: Any) -> None:
    """A prompt that is no text is refused before anything is kept."""
    agent = LocalManagedAgent(answer, store, "trip")
    with pytest.raises(TypeError, match="the prompt must be text, not int"):
        run(agent.execute(3))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the prompt must be text, not int"):
        agent.stream(3)  # type: ignore[arg-type]
    assert not store.session_exists("trip")


# Usage


def test_usage_is_of_all_turns_however_they_ended(store: Any) -> None:
    """What stopped and failed turns have cost counts too, each once; text without usage costs nothing."""

    async def fails(_messages: object) -> AsyncIterator[str | Usage]:
        yield Usage(3, 2)
        yield "one "
        raise ConnectionError("hung up")

    async def main() -> None:
        await LocalManagedAgent(answer, store, "trip").execute("1")
        with pytest.raises(ConnectionError):
            await LocalManagedAgent(fails, store, "trip").execute("2")
        await LocalManagedAgent(Given(), store, "trip").execute("3")
        stream = LocalManagedAgent(fails, store, "trip").stream("4")
        await anext(stream)
        await stream.aclose()
        assert await LocalManagedAgent(answer, store, "trip").usage() == Usage(16, 5)
        assert await LocalManagedAgent(answer, store, "elsewhere").usage() == Usage()

    run(main())


# State


def test_state_names_what_it_changes(store: Any) -> None:
    """Saving fields leaves messages and all other fields alone; no field is no change."""

    async def main() -> None:
        agent = LocalManagedAgent(answer, store, "trip")
        assert await agent.save_state() is False
        assert not store.session_exists("trip")
        await agent.execute("Where to?")
        store.update_session_metadata("trip", theirs=[1])
        assert await agent.save_state(mine={"a": 1}) is True
        assert dict(store.get_session("trip").metadata) == {"theirs": [1], "mine": {"a": 1}}

    run(main())
    assert kept(store, "trip") == [("answered", "Where to?", "Porto.")]


def test_state_is_a_copy(store: Any) -> None:
    """What a caller does to the state that it was given, or has saved, changes nothing."""
    agent, mine = LocalManagedAgent(answer, store, "trip"), {"a": [1]}
    run(agent.save_state(mine=mine))
    mine["a"].append(2)
    agent.state["mine"]["a"].append(3)
    assert agent.state == {"mine": {"a": [1]}}
    agent.resume_session("trip")
    agent.state["mine"]["a"].append(3)
    assert agent.state == {"mine": {"a": [1]}}


def test_state_that_cannot_be_saved_stays(store: Any) -> None:
    """A field that JSON cannot keep, or that is no field, is refused, and the state is as it was."""
    agent = LocalManagedAgent(answer, store, "trip")
    run(agent.save_state(mine=1))
    with pytest.raises(TypeError, match="metadata"):
        run(agent.save_state(mine=2, wrong={1, 2}))
    with pytest.raises(TypeError, match="session_id is no field of the state"):
        run(agent.save_state(session_id="other"))
    assert agent.state == dict(store.get_session("trip").metadata) == {"mine": 1}


def test_resume_needs_a_session(store: Any) -> None:
    """A session that does not exist is not resumed, and the agent stays where it is."""
    agent = LocalManagedAgent(answer, store, "trip")
    run(agent.save_state(mine=1))
    with pytest.raises(SessionNotFound, match="nothing to resume"):
        agent.resume_session("wrong")
    assert (agent.session_id, agent.state) == ("trip", {"mine": 1})


def test_resume_leaves_the_state_of_the_session_before(store: Any) -> None:
    """An agent that goes to another session has its state, and nothing of the one before."""
    store.update_session_metadata("one", compute_instance_id="i-1", mood="calm")
    store.update_session_metadata("two", mood="merry")
    agent = LocalManagedAgent(answer, store)
    agent.resume_session("one")
    assert (agent.compute_instance_id, agent.compute_provider) == ("i-1", None)
    agent.resume_session("two")
    assert (agent.compute_instance_id, agent.state) == (None, {"mood": "merry"})


def freed_by_function(freed: list[str]) -> Any:
    """Return what frees in a thread."""
    return freed.append


def freed_by_coroutine(freed: list[str]) -> Any:
    """Return what frees in the loop."""

    async def free(instance: str) -> None:
        freed.append(instance)

    return free


@pytest.mark.parametrize("kind", [freed_by_function, freed_by_coroutine])
def test_shutdown_frees_and_clears(store: Any, kind: Any) -> None:
    """What frees is called once, with the id; then both fields are None, and turns go on."""
    freed: list[str] = []
    agent = LocalManagedAgent(answer, store, "trip")
    run(agent.save_state(compute_instance_id="i-1", compute_provider="docker"))
    run(agent.shutdown(kind(freed)))
    run(agent.shutdown(kind(freed)))
    assert freed == ["i-1"]
    assert dict(store.get_session("trip").metadata) == {"compute_instance_id": None, "compute_provider": None}
    assert (agent.compute_instance_id, agent.compute_provider) == (None, None)
    assert run(agent.execute("Still there?")) == "Porto."


@pytest.mark.parametrize("asynchronous", [False, True])
def test_instance_that_cannot_be_freed_stays(store: Any, asynchronous: bool) -> None:
    """When freeing fails, the error reaches the caller and the fields still name the instance."""

    def fail(_instance: str) -> None:
        raise ConnectionError("no route")

    async def fail_async(instance: str) -> None:
        fail(instance)

    agent = LocalManagedAgent(answer, store, "trip")
    run(agent.save_state(compute_instance_id="i-1", compute_provider="docker"))
    with pytest.raises(ConnectionError):
        run(agent.shutdown(fail_async if asynchronous else fail))
    assert agent.compute_instance_id == "i-1"
    assert store.get_session("trip").metadata["compute_instance_id"] == "i-1"


def test_what_frees_is_a_function(store: Any) -> None:
    """What is no function is named, also where there is nothing to free."""
    with pytest.raises(TypeError, match="free must be a function"):
        run(LocalManagedAgent(answer, store, "trip").shutdown("docker"))  # type: ignore[arg-type]
    assert not store.session_exists("trip")
