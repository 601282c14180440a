"""The worked example of a store on Redis, over a real server: what its docstrings say."""

import asyncio
import os
import runpy
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from readfresh import (
    BotSessionManager,
    HistoryStoreProtocol,
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SessionDamaged,
    SessionData,
    SessionStoreError,
    WriteFailed,
    turns_of,
)
from readfresh.conformance import check
from tests.servers.keeper import descendants
from tests.servers.own import RedisServer

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

if TYPE_CHECKING:
    from redis_store import RedisStore
else:  # not put on the path of Python, where the pages would find it without showing it
    RedisStore = runpy.run_path(str(EXAMPLES / "redis_store.py"), run_name="redis_store")["RedisStore"]

Call = Callable[[RedisStore], Any]
READS: dict[str, Call] = {
    "get_session": lambda store: store.get_session("trip"),
    "get_chat_history": lambda store: store.get_chat_history("trip"),
}
WRITES: dict[str, Call] = {
    "add_message": lambda store: store.add_message("trip", "user", "new"),
    "clear_session": lambda store: store.clear_session("trip"),
    "set_chat_history": lambda store: store.set_chat_history("trip", [{"role": "user", "content": "new"}]),
    "update_session_metadata": lambda store: store.update_session_metadata("trip", mood="new"),
}


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisStore]:
    """Give a store on an empty database."""
    made = RedisStore(redis_url)
    yield made
    made.close()


@pytest.fixture
def other(redis_url: str) -> Iterator[RedisStore]:
    """Give another store object on the same database."""
    made = RedisStore(redis_url)
    yield made
    made.close()


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    """Give a client that writes past the store."""
    with redis.Redis.from_url(redis_url) as made:
        yield made


def contents(store: RedisStore, session_id: str = "trip") -> list[Any]:
    """Return what the messages say."""
    return [message["content"] for message in store.get_chat_history(session_id)]


def test_it_is_a_store_that_keeps_all_of_a_turn(store: RedisStore) -> None:
    """A type checker and `isinstance` both see the five methods and the three that bots rely on."""
    typed: HistoryStoreProtocol = store
    assert isinstance(typed, HistoryStoreProtocol)
    assert BotSessionManager(store).not_kept == ()


def test_five_methods(store: RedisStore, other: RedisStore) -> None:
    """Each does what the protocol says, and the other store object sees it at once."""
    assert other.get_chat_history("trip") == []
    assert not other.session_exists("trip")
    assert store.add_message("trip", "user", "Where to?", {"via": "web"})
    assert other.add_message("trip", "assistant", "Porto it is.")
    assert contents(store) == contents(other) == ["Where to?", "Porto it is."]
    assert store.get_chat_history("trip", 1) == [{"role": "assistant", "content": "Porto it is."}]
    assert other.get_session("trip").messages[0].metadata == {"via": "web"}
    assert store.clear_session("trip")
    assert other.session_exists("trip")
    assert contents(other) == []
    assert other.delete_session("trip")
    assert not store.session_exists("trip")
    assert not store.delete_session("trip")
    assert not store.clear_session("trip")
    assert not other.session_exists("trip"), "clearing what does not exist has created it"


def test_three_more(store: RedisStore, other: RedisStore) -> None:
    """A history is replaced with its timestamps and fields, metadata is set field by field, and None is a value."""
    store.add_message("trip", "user", "old")
    given = [{"role": "user", "content": "new", "timestamp": 1.5, "metadata": {"a": [1]}, "unheard": {"of": None}}]
    assert other.set_chat_history("trip", given)
    assert [message.to_dict() for message in store.get_session("trip").messages] == given
    assert store.update_session_metadata("trip", mood="calm", left="alone")
    assert other.update_session_metadata("trip", mood=None)
    assert store.get_session("trip").metadata == {"mood": None, "left": "alone"}
    assert not store.update_session_metadata("trip")
    session = store.get_session("trip")
    assert session.created_at is not None
    assert session.updated_at is not None
    assert session.created_at < session.updated_at
    assert other.get_session("nobody") == SessionData("nobody")


def test_a_tool_call_is_kept(store: RedisStore) -> None:
    """A call and its result read back as a model takes them."""
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    store.add_message("trip", "assistant", None, tool_calls=calls)
    store.add_message("trip", "tool", "42", tool_call_id="1")
    assert store.get_chat_history("trip") == [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]


@pytest.mark.parametrize("name", WRITES)
def test_fields_of_others_survive(store: RedisStore, client: "redis.Redis", name: str) -> None:
    """Fields that the store has never heard of, and the time at which a key expires, survive every change."""
    client.set("chats:trip", b'{"session_id": "trip", "messages": [], "unheard": {"of": [1, null]}}', ex=1000)
    WRITES[name](store)
    assert store.get_session("trip").extra == {"unheard": {"of": [1, None]}}
    assert 0 < int(str(client.ttl("chats:trip"))) <= 1000


@pytest.mark.parametrize("name", WRITES)
def test_a_change_that_was_overtaken_begins_again(
    store: RedisStore, other: RedisStore, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A message that another writer adds between the read and the set is seen by the change, not overwritten."""
    store.add_message("trip", "user", "first")
    read: list[bytes | None] = []

    def get(session_id: str) -> bytes | None:
        value = RedisStore._get(store, session_id)
        read.append(value)
        if len(read) == 1:
            other.add_message("trip", "user", "rival's")
        return value

    monkeypatch.setattr(store, "_get", get)
    WRITES[name](store)
    monkeypatch.undo()
    assert len(read) == 2
    kept = {
        "add_message": ["first", "rival's", "new"],
        "clear_session": [],
        "set_chat_history": ["new"],
        "update_session_metadata": ["first", "rival's"],
    }
    assert contents(other) == kept[name]


def test_who_never_wins_is_told(redis_url: str, other: RedisStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that others overtake until its time is up raises, and has written nothing."""
    store = RedisStore(redis_url, timeout=0.2)

    def get(session_id: str) -> bytes | None:
        value = RedisStore._get(store, session_id)
        other.add_message("trip", "user", "rival's")
        return value

    monkeypatch.setattr(store, "_get", get)
    with pytest.raises(LockTimeout, match=r"other writers were faster for 0\.2 s") as told:
        store.add_message("trip", "user", "new")
    assert (told.value.session_id, told.value.path, told.value.written) == ("trip", "chats:trip", "nothing")
    assert set(contents(other)) == {"rival's"}
    store.close()


def test_two_processes_lose_nothing(redis_url: str, store: RedisStore) -> None:
    """Writers in two processes, started at once, keep every message, each in its own order."""
    from multiprocessing import get_context

    context = get_context("fork")
    start = context.Barrier(2)

    def work(name: str) -> None:
        mine = RedisStore(redis_url, timeout=30)
        start.wait(30)
        for number in range(100):
            mine.add_message("trip", name, str(number))

    workers = [context.Process(target=work, args=(name,)) for name in ("ada", "bob")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    history = store.get_chat_history("trip")
    for name in ("ada", "bob"):
        assert [each["content"] for each in history if each["role"] == name] == [str(n) for n in range(100)]
    assert len(history) == 200


def test_ids_and_prefixes_are_apart(redis_url: str, store: RedisStore) -> None:
    """Every id has a key of its own, whatever is in it, and no key of one prefix is a key of another."""
    ids = ["a", "A", "a ", "a:b", "a\n", "é", "e\u0301", "../a", "a" * 1000, "*", "a/b", "a_b"]
    for session_id in ids:
        store.add_message(session_id, "user", session_id)
    for session_id in ids:
        assert contents(store, session_id) == [session_id]
    elsewhere = RedisStore(redis_url, prefix="chats2")
    assert contents(elsewhere, "a") == []
    elsewhere.close()
    with pytest.raises(ValueError, match="prefix"):
        RedisStore(redis_url, prefix="chats:a")
    with pytest.raises(TypeError, match="session_id"):
        store.add_message(1, "user", "x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="session_id"):
        store.get_session("\ud800")


DAMAGED = {
    "cut": b'{"session_id": "trip", "mess',
    "empty": b"",
    "no object": b"[]",
    "no session": b"{}",
    "another session's": b'{"session_id": "food", "messages": []}',
    "not text": b"\xff\xfe\xfd",
    "a message without a role": b'{"session_id": "trip", "messages": [{"content": "x"}]}',
    "endless": b"[" * 100_000,
}


@pytest.mark.parametrize("value", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_damage_is_kept(store: RedisStore, client: "redis.Redis", name: str, value: bytes) -> None:
    """Reading and writing a damaged session raise an error that names it, and leave it as it is."""
    client.set("chats:trip", value)
    with pytest.raises(SessionDamaged) as told:
        (READS | WRITES)[name](store)
    assert (told.value.session_id, told.value.path) == ("trip", "chats:trip")
    assert client.get("chats:trip") == value
    assert store.session_exists("trip")
    assert store.delete_session("trip")
    assert not store.session_exists("trip")


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_a_key_of_another_kind_is_damage(store: RedisStore, client: "redis.Redis", name: str) -> None:
    """A list that stands where a session belongs is not overwritten."""
    client.rpush("chats:trip", "x")
    with pytest.raises(SessionDamaged, match="WRONGTYPE"):
        (READS | WRITES)[name](store)
    assert client.lrange("chats:trip", 0, -1) == [b"x"]


@pytest.mark.parametrize("name", WRITES)
def test_a_wrong_argument_changes_nothing(store: RedisStore, client: "redis.Redis", name: str) -> None:
    """An argument that JSON cannot keep is named, and the key is as it was."""
    store.add_message("trip", "user", "kept")
    before = client.get("chats:trip")
    wrong: dict[str, Call] = {
        "add_message": lambda store: store.add_message("trip", "user", "x", {"at": float("nan")}),
        "clear_session": lambda store: store.clear_session(None),  # type: ignore[arg-type]
        "set_chat_history": lambda store: store.set_chat_history("trip", [{"content": "no role"}]),
        "update_session_metadata": lambda store: store.update_session_metadata("trip", mood={1, 2}),
    }
    with pytest.raises((TypeError, ValueError), match=r"metadata|session_id|role|mood"):
        wrong[name](store)
    assert client.get("chats:trip") == before


def test_a_message_that_says_nothing_is_refused(store: RedisStore) -> None:
    """A message without content and tool calls, which no model takes, is refused, and nothing is written."""
    with pytest.raises(ValueError, match="content must not be None without tool_calls"):
        store.add_message("trip", "user", None)
    assert not store.session_exists("trip")


def test_a_store_that_was_closed_opens_new_connections(store: RedisStore) -> None:
    """A call after `close` is a call as any other."""
    store.close()
    store.add_message("trip", "user", "kept")
    assert contents(store) == ["kept"]


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_a_server_that_is_gone(own_redis: RedisServer, name: str) -> None:
    """A call to a killed server raises, has written nothing, and works again when the server is back with its data."""
    store = RedisStore(own_redis.url)
    store.add_message("trip", "user", "kept")
    own_redis.kill()
    with pytest.raises(ReadFailed) as told:
        (READS | WRITES)[name](store)
    assert told.value.written == "nothing"
    assert ".." not in str(told.value)
    own_redis.start()
    assert contents(store) == ["kept"]
    store.close()


def test_an_answer_that_never_came_is_unknown(
    store: RedisStore, other: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change whose answer is lost raises `OutcomeUnknown`, and has been made once.

    Kills: a client that sends again what was done, and takes its own message for another writer's.
    """
    store.add_message("trip", "user", "kept")
    lost: list[object] = []
    parse: Any = store._redis.parse_response

    def lose(connection: Any, command: str, **options: Any) -> Any:
        answer = parse(connection, command, **options)
        if command == "EVALSHA" and not lost:
            lost.append(answer)
            connection.disconnect()
            raise redis.ConnectionError("the answer is lost")
        return answer

    monkeypatch.setattr(store._redis, "parse_response", lose)
    with pytest.raises(OutcomeUnknown, match="the answer is lost") as told:
        store.add_message("trip", "user", "perhaps")
    assert told.value.written == "unknown"
    assert lost == [1]
    assert contents(other) == ["kept", "perhaps"]


def test_watch_hides_a_lost_answer(client: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-py calls a connection that is lost after EXEC a lost race, though the change has been made."""
    pipe: Any
    with client.pipeline() as pipe:
        pipe.watch("town")
        pipe.multi()
        pipe.set("town", "Porto")
        parse, answers = pipe.parse_response, []

        def lose(connection: Any, *rest: Any, **options: Any) -> Any:
            answers.append(parse(connection, *rest, **options))
            if len(answers) == 3:  # of MULTI, SET and EXEC
                connection.disconnect()
                raise redis.ConnectionError("the answer is lost")
            return answers[-1]

        monkeypatch.setattr(pipe, "parse_response", lose)
        with pytest.raises(redis.WatchError, match="ConnectionError occurred while watching"):
            pipe.execute()
    assert answers == [b"OK", b"QUEUED", [b"OK"]]
    assert client.get("town") == b"Porto"


def test_a_forked_child_has_connections_of_its_own(store: RedisStore) -> None:
    """A store object that was used before a fork goes on in both processes."""
    store.add_message("trip", "user", "before")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            store.add_message("trip", "user", "child")
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.add_message("trip", "user", "parent")
    assert contents(store) == ["before", "child", "parent"]


def test_what_a_dead_server_did_is_unknown(own_redis: RedisServer) -> None:
    """Deleting at a server that is gone may have been done; asking whether a session exists has no answer."""
    store = RedisStore(own_redis.url)
    own_redis.kill()
    with pytest.raises(OutcomeUnknown):
        store.delete_session("trip")
    with pytest.raises(ReadFailed):
        store.session_exists("trip")
    store.close()


@pytest.mark.parametrize("name", WRITES)
def test_a_refusal_changes_nothing(own_redis: RedisServer, name: str) -> None:
    """A server that is out of memory refuses a change, which says that the old state stands."""
    store = RedisStore(own_redis.url)
    store.add_message("trip", "user", "kept")
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory", 1)
        before = client.get("chats:trip")
        with pytest.raises(WriteFailed, match="memory") as told:
            WRITES[name](store)
        assert told.value.written == "nothing"
        assert client.get("chats:trip") == before
    store.close()


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_waiting_is_bounded(own_redis: RedisServer, name: str) -> None:
    """A server that says nothing is waited for no longer than the timeout."""
    store = RedisStore(own_redis.url, timeout=0.2)
    store.add_message("trip", "user", "kept")
    (server,) = descendants(own_redis.keeper)
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(SessionStoreError, match="Timeout"):
            (READS | WRITES)[name](store)
    finally:
        os.kill(server, signal.SIGCONT)
    assert contents(store) == ["kept"]
    store.close()


def test_it_keeps_what_the_server_has_confirmed(own_redis: RedisServer) -> None:
    """A change that has returned is there after the server was killed."""
    store = RedisStore(own_redis.url)
    for number in range(20):
        store.add_message("trip", "user", str(number))
    own_redis.kill()
    own_redis.start()
    assert contents(store) == [str(number) for number in range(20)]
    store.close()


# Bots


def test_two_bots_answer_one_user(store: RedisStore, other: RedisStore) -> None:
    """Two workers that answer one user at once keep both turns, each with its own answer."""
    met = asyncio.Barrier(2)

    async def slow(messages: list[dict[str, Any]]) -> str:
        await met.wait()  # both have been asked before either answers
        return f"to {messages[-1]['content']}"

    async def both() -> list[str]:
        managers = [BotSessionManager(each, platform="web") for each in (store, other)]
        asked = zip(managers, ("one", "two"), strict=True)
        return await asyncio.gather(*(manager.chat(slow, "ada", text) for manager, text in asked))

    assert asyncio.run(both()) == ["to one", "to two"]
    turns = turns_of(store.get_session(BotSessionManager(store, platform="web").session_id("ada")))
    assert sorted((turn.prompt, turn.answer, turn.status) for turn in turns) == [
        ("one", "to one", "answered"),
        ("two", "to two", "answered"),
    ]


def test_a_turn_that_fails_is_kept(store: RedisStore, other: RedisStore) -> None:
    """What there is of an answer is kept and marked, and the next worker sees it."""

    async def breaks(_messages: list[dict[str, Any]]) -> AsyncIterator[str]:
        yield "Porto, by "
        raise ConnectionError("the model is gone")

    manager = BotSessionManager(store, platform="web")
    with pytest.raises(ConnectionError, match="the model is gone"):
        asyncio.run(manager.chat(breaks, "ada", "Where to?"))
    (turn,) = turns_of(other.get_session(manager.session_id("ada")))
    assert (turn.prompt, turn.answer, turn.status) == ("Where to?", "Porto, by ", "failed")
    assert asyncio.run(BotSessionManager(other, platform="web").reset("ada"))
    assert contents(store, manager.session_id("ada")) == []


# The kit: what it finds in this store and in the first two versions stands on their page, which is run word for word


@pytest.fixture
def kit(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the kit find the examples and the server; return the name of the complete store's factory."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    for folder in (EXAMPLES, EXAMPLES / "recipes"):
        monkeypatch.syspath_prepend(str(folder))
    return "check_redis_store:factory"


def test_the_kit_is_told_of_the_server(kit: str) -> None:
    """A report names the version of the server, and whether it writes to the disk."""
    report = check(kit, ["durable"])
    assert report.with_status("kept") == ["durable"], report.to_text()
    assert report.description.keys() == {"redis_version", "aof_enabled"}
