"""PraisonAI's processes and ours share one directory, live, and nobody's message is lost.

Its processes run the package that `requirements.lock` names, with its limit on messages and its lock timeout lifted.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.peers.live import LIFTED, PATIENT, Process, Raised, needs_peers, processes

needs_peers()

THEIRS = "praisonaiagents.session"
KINDS = ("DefaultSessionStore", "HierarchicalSessionStore")
ROUNDS, EACH = 25, 4
# Long enough for a write that waits for nobody to return, and short beside the timeouts of the stores.
MOMENT_SECONDS = 2.0
EACH_PAIR = pytest.mark.parametrize(("ours", "theirs"), list(product(KINDS, KINDS)))


@EACH_PAIR
def test_nothing_is_lost(tmp_path: Path, ours: str, theirs: str) -> None:
    """Two of its processes and two of ours append to one session at once, and every message is there once, in order.

    A waiting process of its looks every 50 ms, so one that comes first could be through before another has begun:
    all four begin each round together.
    Kills: a lock of another kind or on another file than PraisonAI's; a file that it cannot read.
    """
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", "readfresh", THEIRS, THEIRS) as everybody:
        options: list[dict[str, Any]] = [PATIENT, PATIENT, LIFTED, LIFTED]
        stores = list(zip(everybody, [ours, ours, theirs, theirs], options, strict=True))
        for begin in range(0, ROUNDS * EACH, EACH):
            for number, (process, kind, its) in enumerate(stores):
                process.start(kind, chats, its, "append", "trip", f"w{number}", begin, begin + EACH)
            assert [process.result() for process in everybody] == [[True] * EACH] * 4
        histories = [process.call(kind, chats, its, "get_chat_history", "trip") for process, kind, its in stores]
        listed = [process.call(kind, chats, its, "list_sessions") for process, kind, its in stores]
    assert all(history == histories[0] for history in histories)
    assert len(histories[0]) == 4 * ROUNDS * EACH
    for number in range(4):
        mine = [message["content"] for message in histories[0] if message["role"] == f"w{number}"]
        assert mine == [str(index) for index in range(ROUNDS * EACH)]
    assert [[each["message_count"] for each in sessions] for sessions in listed] == [[4 * ROUNDS * EACH]] * 4
    assert sorted(path.name for path in chats.iterdir()) == ["trip.json", "trip.json.lock"]


@EACH_PAIR
def test_its_write_waits_for_ours(tmp_path: Path, ours: str, theirs: str) -> None:
    """A write of its that starts in the middle of ours waits, and both are in the file afterwards."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        assert we.call(ours, chats, PATIENT, "add_user_message", "trip", "first")
        we.start(ours, chats, PATIENT, "hold", "trip")
        we.held()
        they.start(theirs, chats, LIFTED, "add_user_message", "trip", "second")
        assert they.is_silent(MOMENT_SECONDS), "it did not wait"
        assert we.let_go()
        assert they.result() is True
        assert texts(we, ours, chats) == ["first", "second"]


@EACH_PAIR
def test_our_write_waits_for_its(tmp_path: Path, ours: str, theirs: str) -> None:
    """A write of ours that starts in the middle of its waits, and both are in the file afterwards."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        assert they.call(theirs, chats, LIFTED, "add_user_message", "trip", "first")
        they.start(theirs, chats, LIFTED, "hold", "trip")
        they.held()
        with pytest.raises(Raised, match="LockTimeout"):
            we.call(ours, chats, {"lock_timeout": 0.1}, "add_user_message", "trip", "too soon")
        we.start(ours, chats, PATIENT, "add_user_message", "trip", "second")
        assert we.is_silent(MOMENT_SECONDS), "it did not wait"
        assert they.let_go() is True
        assert we.result()
        assert texts(we, ours, chats) == ["first", "second"]


def test_without_our_lock_the_wait_is_gone(tmp_path: Path) -> None:
    """The tests above can fail: without the lock that excludes processes, our write comes in the middle of its."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS, fault="lock-among-threads-only") as (we, they):
        they.call(KINDS[0], chats, LIFTED, "add_user_message", "trip", "first")
        they.start(KINDS[0], chats, LIFTED, "hold", "trip")
        they.held()
        assert we.call(KINDS[0], chats, PATIENT, "add_user_message", "trip", "lost")
        they.let_go()
        assert texts(we, KINDS[0], chats) == ["first"]


def test_its_timeout_is_an_error_and_its_message_is_not_there(tmp_path: Path) -> None:
    """With a short lock timeout its write gives up with an OSError while ours goes on, and has written nothing."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        we.start(KINDS[0], chats, PATIENT, "hold", "trip")
        we.held()
        with pytest.raises(Raised, match="OSError: Failed to acquire file lock"):
            they.call(KINDS[0], chats, {"lock_timeout": 0.1}, "add_user_message", "trip", "no")
        we.let_go()
        assert texts(we, KINDS[0], chats) == []


def test_its_delete_does_not_wait(tmp_path: Path) -> None:
    """Its `delete_session` takes no lock: in the middle of our write it returns True, and our write brings all back."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        we.call(KINDS[0], chats, PATIENT, "add_user_message", "trip", "first")
        we.start(KINDS[0], chats, PATIENT, "hold", "trip")
        we.held()
        assert they.call(KINDS[0], chats, LIFTED, "delete_session", "trip") is True
        assert not (chats / "trip.json").exists()
        we.let_go()
        assert texts(we, KINDS[0], chats) == ["first"]


@pytest.mark.parametrize("theirs", KINDS)
def test_each_lists_the_sessions_of_the_other(tmp_path: Path, theirs: str) -> None:
    """A session that one makes is listed by the other, and is there for it."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        we.call(KINDS[1], chats, PATIENT, "add_user_message", "ours", "Where to?")
        they.call(theirs, chats, LIFTED, "add_user_message", "theirs", "Where to?")
        both: list[tuple[Process, str, dict[str, Any]]] = [(we, KINDS[1], PATIENT), (they, theirs, LIFTED)]
        for process, kind, options in both:
            listed = process.call(kind, chats, options, "list_sessions")
            assert sorted((each["session_id"], each["message_count"]) for each in listed) == [
                ("ours", 1),
                ("theirs", 1),
            ]
            assert process.call(kind, chats, options, "session_exists", "ours") is True
            assert process.call(kind, chats, options, "session_exists", "theirs") is True


@pytest.mark.parametrize("theirs", KINDS)
def test_ours_are_read_by_it(tmp_path: Path, theirs: str) -> None:
    """Its stores read our messages with tool calls, metadata and None, our agent, gateway and metadata fields."""
    chats = tmp_path / "chats"
    call = [{"id": "call_1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}]
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        made = filled(we, chats)
        we.call(KINDS[1], chats, PATIENT, "add_message", "trip", "assistant", None, tool_calls=call)
        we.call(KINDS[1], chats, PATIENT, "add_message", "trip", "tool", "high", tool_call_id="call_1")
        history = they.call(theirs, chats, LIFTED, "get_chat_history", "trip")
        assert history == we.call(KINDS[1], chats, PATIENT, "get_chat_history", "trip")
        assert history[3:] == [
            {"role": "assistant", "content": None, "tool_calls": call},
            {"role": "tool", "content": "high", "tool_call_id": "call_1"},
        ]
        session = they.call(theirs, chats, LIFTED, "get_session", "trip")
        ours = we.call(KINDS[1], chats, PATIENT, "get_session", "trip")
        for name in ("agent_name", "user_id", "gateway_session_id", "agent_id", "metadata", "created_at", "updated_at"):
            assert session[name] == ours[name], name
        for theirs_, ours_ in zip(session["messages"], ours["messages"], strict=True):
            assert {name: theirs_[name] for name in ("role", "content", "timestamp", "metadata")} == {
                name: ours_[name] for name in ("role", "content", "timestamp", "metadata")
            }
        if theirs == KINDS[1]:
            assert they.call(theirs, chats, LIFTED, "get_children", "trip") == ["detour", made["fork"]]
            assert they.call(theirs, chats, LIFTED, "get_parent", "detour") == "trip"
            assert they.call(theirs, chats, LIFTED, "is_shared", "trip") is True
            (snapshot,) = they.call(theirs, chats, LIFTED, "get_snapshots", "trip")
            assert (snapshot["id"], snapshot["label"]) == (made["snapshot"], "before")
            assert they.call(theirs, chats, LIFTED, "revert_to_snapshot", "trip", made["snapshot"]) is True
            assert texts(we, KINDS[1], chats) == ["Where to?", "Porto."]
            fork = they.call(theirs, chats, LIFTED, "fork_session", "trip", 0)
            assert texts(we, KINDS[1], chats, fork) == ["Where to?"]
            assert we.call(KINDS[1], chats, PATIENT, "get_parent", fork) == "trip"


def test_its_sessions_are_read_by_us(tmp_path: Path) -> None:
    """What its hierarchical store has made, tree, snapshots, title and metadata, our verbs answer alike."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        made = filled(they, chats, LIFTED)
        for verb in ("get_chat_history", "get_children", "get_parent", "is_shared"):
            theirs = they.call(KINDS[1], chats, LIFTED, verb, "trip")
            assert we.call(KINDS[1], chats, PATIENT, verb, "trip") == theirs, verb
        theirs = they.call(KINDS[1], chats, LIFTED, "get_session", "trip")
        ours = we.call(KINDS[1], chats, PATIENT, "get_session", "trip")
        for name in ("agent_name", "user_id", "metadata", "title", "children_ids", "created_at", "updated_at"):
            assert ours[name] == theirs[name], name
        assert we.call(KINDS[0], chats, PATIENT, "get_chat_history", "trip") == [
            {"role": message["role"], "content": message["content"]} for message in theirs["messages"]
        ]
        assert we.call(KINDS[1], chats, PATIENT, "revert_to_snapshot", "trip", made["snapshot"]) is True
        assert texts(they, KINDS[1], chats, options=LIFTED) == ["Where to?", "Porto."]


@pytest.mark.parametrize("theirs", KINDS)
def test_a_damaged_file_between_both(tmp_path: Path, theirs: str) -> None:
    """We refuse a damaged file and leave it; the first read of its moves it aside, and it is a missing session to us.

    A file that it has put aside is no session to us.
    """
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        they.call(theirs, chats, LIFTED, "add_user_message", "trip", "Where to?")
        file = chats / "trip.json"
        half = file.read_bytes()[:-20]
        file.write_bytes(half)
        with pytest.raises(Raised, match="SessionDamaged"):
            we.call(KINDS[1], chats, PATIENT, "get_chat_history", "trip")
        assert file.read_bytes() == half
        assert they.call(theirs, chats, LIFTED, "get_chat_history", "trip") == []
        (aside,) = chats.glob("trip.json.corrupt-*")
        assert aside.read_bytes() == half
        assert texts(we, KINDS[1], chats) == []
        assert we.call(KINDS[1], chats, PATIENT, "list_sessions") == []


def test_its_limit_summarises_what_both_wrote(tmp_path: Path) -> None:
    """With its limit as it comes, its write puts a summary in front and the rest into its archive, which we keep."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        for number in range(110):
            we.call(KINDS[0], chats, {**PATIENT, "durability": "process"}, "add_user_message", "trip", str(number))
        they.call(KINDS[0], chats, {}, "add_user_message", "trip", "110")
        history = we.call(KINDS[0], chats, PATIENT, "get_chat_history", "trip")
        assert len(history) == 101
        assert history[0]["role"] == "system"
        we.call(KINDS[0], chats, PATIENT, "add_user_message", "trip", "111")
        archived = json.loads((chats / "trip.json").read_bytes())["archived_messages"]
        assert [message["content"] for message in archived] == [str(number) for number in range(11)]


def test_its_working_history_after_our_replacement(tmp_path: Path) -> None:
    """Its compaction checkpoint outlives our `set_chat_history`: its working history is the old summary then."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        they.call(KINDS[0], chats, LIFTED, "add_user_message", "trip", "old")
        they.call(KINDS[0], chats, LIFTED, "append_compaction_checkpoint", "trip", "They talked.")
        new = [{"role": "user", "content": "new"}]
        we.call(KINDS[0], chats, PATIENT, "set_chat_history", "trip", new)
        assert they.call(KINDS[0], chats, LIFTED, "get_chat_history", "trip") == new
        working = they.call(KINDS[0], chats, LIFTED, "get_working_history", "trip")
        assert [message["content"] for message in working] == ["They talked."]


def test_an_id_that_we_encode_is_another_session_to_it(tmp_path: Path) -> None:
    """It lists our session `a/b`, since the id is in the file, and reads and writes `a/b` in a file of its own."""
    chats = tmp_path / "chats"
    with processes(tmp_path, "readfresh", THEIRS) as (we, they):
        we.call(KINDS[0], chats, PATIENT, "add_user_message", "a/b", "ours")
        assert [each["session_id"] for each in they.call(KINDS[0], chats, LIFTED, "list_sessions")] == ["a/b"]
        assert they.call(KINDS[0], chats, LIFTED, "get_chat_history", "a/b") == []
        they.call(KINDS[0], chats, LIFTED, "add_user_message", "a/b", "theirs")
        assert texts(we, KINDS[0], chats, "a/b") == ["ours"]
        assert sorted(path.name for path in chats.glob("*.json")) == ["a%2Fb.json", "a_b.json"]


def texts(
    process: Process, kind: str, directory: Path, session_id: str = "trip", options: dict[str, Any] = PATIENT
) -> list[str]:
    """Return what the messages of a session say, as a process reads it."""
    history = process.call(kind, directory, options, "get_chat_history", session_id)
    return [message["content"] for message in history]


def filled(process: Process, directory: Path, options: dict[str, Any] = PATIENT) -> dict[str, str]:
    """Make a session of everything that both packages know; return the ids of its snapshot and fork."""

    def do(verb: str, *arguments: Any, **named: Any) -> Any:
        return process.call(KINDS[1], directory, options, verb, *arguments, **named)

    do("create_session", "trip", title="A trip", agent_name="Ann", metadata={"k": [1, None]})
    do("add_user_message", "trip", "Where to?", {"number": 1})
    do("add_assistant_message", "trip", "Porto.")
    do("create_session", "detour", parent_id="trip")
    snapshot = do("create_snapshot", "trip", label="before")
    do("add_user_message", "trip", "When? où? 日本 🎈")
    fork = do("fork_session", "trip", 1, title="Fork")
    do("share_session", "trip")
    do("set_agent_info", "trip", user_id="u1")
    do("set_gateway_info", "trip", gateway_session_id="g1", agent_id="a1")
    do("update_session_metadata", "trip", compute={"id": "c1"}, model="some-model")
    return {"snapshot": snapshot, "fork": fork}
