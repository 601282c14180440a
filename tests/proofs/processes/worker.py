"""The processes that are killed, and the one that starts and kills them.

``python -m tests.proofs.processes.worker <plan as JSON>`` forks workers as it is told, so that one costs milliseconds,
and kills them. Orders and answers are lines of JSON. When its input ends, so do all workers.

A worker writes each call to its pipe before it makes it, and the answer after it has it.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionNotFound, SessionStoreError
from readfresh.storage import Durability
from tests.proofs.processes.sessions import MISSING

SORTED_SESSIONS = ("a", "b")
"""Those that are added to, read and replaced only."""
MIXED_SESSIONS = ("c", "d")
"""Those that meet every verb."""

SORTED_VERBS = {"add": 58, "read": 40, "set": 2}
PLAIN_VERBS = {
    "add": 35,
    "read": 30,
    "look": 8,
    "set": 3,
    "clear": 3,
    "delete": 2,
    "describe": 8,
    "exists": 4,
    "count": 4,
}
TREE_VERBS = {**PLAIN_VERBS, "fork": 4, "children": 4, "snapshot": 5, "revert": 5}
SHARE_OF_SORTED = 0.7


@dataclass(frozen=True)
class Plan:
    """What the workers are to do.

    Args:
        seed: what their choices begin with.
        place: a directory, or the URL of a database.
        clock: the path of the file that says which generation of sessions is in use; 0 ends the workers.
        durability: that of the stores.
        lock_timeout: that of the stores, in seconds.
        threads: how many threads the first worker has.
    """

    seed: int
    place: str
    clock: str
    durability: Durability = "process"
    lock_timeout: float = 10.0
    threads: int = 3

    @property
    def in_database(self) -> bool:
        """Whether the place is a database."""
        return "://" in self.place

    def directory(self, generation: int) -> Path:
        """Return where the sessions of a generation are."""
        return Path(self.place) / f"g{generation}"

    def store(self, hierarchical: bool, generation: int, new_id: Callable[[], str] | None = None) -> Any:
        """Return a new store on the sessions of a generation."""
        arguments: dict[str, Any] = {"lock_timeout": self.lock_timeout, "durability": self.durability}
        own_ids: dict[str, Any] = {"new_id": new_id} if new_id else {}
        if self.in_database:
            from readfresh import DbSessionAdapter

            if self.place not in _adapters:
                _adapters[self.place] = DbSessionAdapter(self.place, **arguments)
            adapter = _adapters[self.place]
            return HierarchicalSessionStore(storage=adapter, **own_ids) if hierarchical else adapter
        kind = HierarchicalSessionStore if hierarchical else DefaultSessionStore
        return kind(self.directory(generation), **arguments, **own_ids)


_adapters: dict[str, Any] = {}  # one of each process, with one pool of connections


class Clock:
    """The number of the generation in use, shared between processes."""

    def __init__(self, path: str, *, create: bool = False) -> None:
        if create:
            Path(path).write_bytes(bytes(8))
        with open(path, "r+b") as file:
            # One word of memory is read and written at once. `struct.pack_into` would show a 0 for a moment.
            self._word = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")

    def read(self) -> int:
        """Return the number."""
        return self._word[0]

    def set(self, number: int) -> None:
        """Change the number."""
        self._word[0] = number


class Client:
    """One thread of a worker: it calls, and writes down what it calls and what was answered."""

    def __init__(self, plan: Plan, name: str, thread: int, out: int, hierarchical: bool) -> None:
        self._plan = plan
        self._name = name
        self._thread = thread
        self._out = out
        self._hierarchical = hierarchical
        self._random = random.Random(f"{plan.seed} {name} {thread}")
        self._count = 0
        self._generation = -1
        self._store: Any = None
        self._seen: dict[str, list[str]] = {}
        self._snapshots: dict[str, list[str]] = {}
        self._next_id = ""

    def use(self, store: Any, generation: int) -> None:
        """Use this store from now on, for the sessions of a generation."""
        self._store, self._generation = store, generation
        self._seen.clear()
        self._snapshots.clear()

    def go_on(self, generation: int) -> None:
        """Make one call on a session of the generation."""
        if generation != self._generation:
            self.use(self._plan.store(self._hierarchical, generation, lambda: self._next_id), generation)
        if self._random.random() < SHARE_OF_SORTED:
            names, verbs = SORTED_SESSIONS, SORTED_VERBS
        else:
            names, verbs = MIXED_SESSIONS, TREE_VERBS if self._hierarchical else PLAIN_VERBS
        session = f"g{generation}-{self._random.choice(names)}"
        verb = self._random.choices(list(verbs), list(verbs.values()))[0]
        if verb == "revert" and not self._snapshots.get(session):
            verb = "read"
        self.call(verb, session)

    def call(self, verb: str, session: str) -> None:
        """Make a call, with arguments that no other call has."""
        self._count += 1
        unique = f"{self._name}/{self._thread}:{self._count}"
        argument: Any = {
            "add": unique,
            "set": [f"{unique}-{number}" for number in range(1 + self._random.randrange(3))],
            "describe": [f"field-{self._random.randrange(3)}", unique],
            "fork": f"{session}-{unique.replace('/', '-').replace(':', '-').replace('.', '-')}",
            "snapshot": unique,
            "revert": self._random.choice(self._snapshots.get(session) or [""]),
        }.get(verb)
        self._next_id = argument if verb in ("fork", "snapshot") else ""
        self._write("c", verb, session, argument, time.monotonic_ns())
        try:
            result = self._result(verb, session, argument)
        except SessionNotFound:
            if verb not in ("fork", "snapshot"):
                raise
            self._write("r", time.monotonic_ns(), MISSING)
        except SessionStoreError as error:
            self._write("x", time.monotonic_ns(), error.written, f"{type(error).__name__}: {error}")
        except Exception as error:
            self._write("x", time.monotonic_ns(), "", f"{type(error).__name__}: {error}")
        else:
            returned = time.monotonic_ns()
            if verb in ("read", "fork"):
                result = self._difference(session, result)
            elif verb == "look":
                result = [*self._difference(session, result[0]), result[1]]
            self._write("r", returned, result)

    def _result(self, verb: str, session: str, argument: Any) -> Any:
        store = self._store
        match verb:
            case "add":
                return store.add_message(session, "user", argument)
            case "read":
                return contents(store.get_chat_history(session))
            case "look":
                found = store.get_session(session)
                return [message.content for message in found.messages], dict(found.metadata)
            case "set":
                return store.set_chat_history(session, [{"role": "user", "content": each} for each in argument])
            case "clear":
                return store.clear_session(session)
            case "delete":
                return store.delete_session(session)
            case "describe":
                return store.update_session_metadata(session, **dict([argument]))
            case "exists":
                return store.session_exists(session)
            case "count":
                listed = {each["session_id"]: each["message_count"] for each in store.list_sessions(limit=None)}
                return listed.get(session)
            case "fork":
                return contents(store.get_chat_history(store.fork_session(session)))
            case "children":
                return store.get_children(session)
            case "snapshot":
                made = store.create_snapshot(session)
                self._snapshots.setdefault(session, []).append(made)
                return made
            case "revert":
                return store.revert_to_snapshot(session, argument)
        raise ValueError(verb)

    def _difference(self, session: str, messages: list[str]) -> list[Any]:
        """Return how much of the last list that was read still stands, and what follows it now."""
        before = self._seen.get(session, [])
        kept = 0
        if messages[: len(before)] == before:
            kept = len(before)
        else:
            while kept < min(len(before), len(messages)) and before[kept] == messages[kept]:
                kept += 1
        self._seen[session] = messages
        return [kept, messages[kept:]]

    def _write(self, kind: str, *values: Any) -> None:
        os.write(self._out, json.dumps([kind, self._thread, self._count, *values]).encode() + b"\n")


def contents(history: Sequence[dict[str, Any]]) -> list[str]:
    """Return the texts of a history."""
    return [message["content"] for message in history]


def work(plan: Plan, name: str, number: int, out: int) -> None:
    """Be a worker until the clock stands at 0."""
    clock = Clock(plan.clock)

    def run(client: Client) -> None:
        while generation := clock.read():
            client.go_on(generation)

    count = plan.threads if number == 0 else 1
    clients = [Client(plan, name, thread, out, hierarchical=(number + thread) % 2 == 0) for thread in range(count)]
    threads = [threading.Thread(target=run, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def serve(plan: Plan) -> None:
    """Start and kill workers as told."""
    workers: set[int] = set()
    try:
        for line in sys.stdin:
            order = json.loads(line)
            answer: Any = None
            if order["verb"] == "start":
                out = os.open(order["pipe"], os.O_WRONLY)
                answer = os.fork()
                if answer == 0:
                    _be_a_worker(plan, order["name"], order["number"], out)
                os.close(out)
                workers.add(answer)
            elif order["verb"] == "kill":
                os.kill(order["process"], signal.SIGKILL)
            if order["verb"] in ("kill", "reap"):
                os.waitpid(order["process"], 0)
                workers.discard(order["process"])
                answer = time.monotonic_ns()
            print(json.dumps(answer), flush=True)
    finally:
        for process in workers:
            os.kill(process, signal.SIGKILL)


def _be_a_worker(plan: Plan, name: str, number: int, out: int) -> None:
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        work(plan, name, number, out)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def close(plan: Plan) -> None:
    """Let go of the plan's place, in this process."""
    if adapter := _adapters.pop(plan.place, None):
        adapter.close()


def as_json(plan: Plan) -> str:
    """Return what a server of workers is started with."""
    return json.dumps(asdict(plan))


if __name__ == "__main__":
    given = Plan(**json.loads(sys.argv[1]))
    if given.in_database:
        import sqlalchemy  # noqa: F401
    serve(given)
