"""Which verbs meet which: programs of two and three clients, and the worlds that they begin in."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import greenlet

from readfresh.codec import encode
from readfresh.pins import close_all
from tests.proofs.orders.clients import Client, Inodes, Step, open_store, seamed
from tests.proofs.orders.explorer import Explored, Order, explore
from tests.proofs.orders.judge import Judge, litter_in
from tests.proofs.orders.spec import EXTENDED, Call, World, text

VERBS: Mapping[str, Sequence[Any]] = {
    "get_session": ["trip"],
    "get_chat_history": ["trip"],
    "session_exists": ["trip"],
    "invalidate_cache": ["trip"],
    "list_sessions": [],
    "list_sessions_by_agent": ["Ann"],
    "get_sessions_by_agent": ["Ann"],
    "get_agent_chat_history": ["Ann"],
    "get_by_gateway_session": ["gate"],
    "list_sessions_by_gateway_agent": ["agent"],
    "add_message": ["trip", "user", "more"],
    "add_user_message": ["trip", "more"],
    "add_assistant_message": ["trip", "more"],
    "set_chat_history": ["trip", [{"role": "user", "content": "new"}]],
    "update_session_metadata": ["trip", {"cost": 1}],
    "set_agent_info": ["trip", "Bob"],
    "set_gateway_info": ["trip", "other"],
    "update": ["trip", {"seen": None}],
    "clear_session": ["trip"],
    "delete_session": ["trip"],
    "get_extended_session": ["trip"],
    "get_children": ["trip"],
    "get_parent": ["child"],
    "get_session_tree": ["trip"],
    "get_snapshots": ["trip"],
    "is_shared": ["trip"],
    "export_session": ["trip"],
    "create_session": ["new", "New", "trip"],
    "fork_session": ["trip"],
    "create_snapshot": ["trip"],
    "revert_to_snapshot": ["trip", "first"],
    "revert_to_message": ["trip", 0],
    "share_session": ["trip"],
    "unshare_session": ["trip"],
    "set_title": ["trip", "Porto"],
    "auto_title": ["trip"],
    "import_session": [{"messages": [{"role": "user", "content": "old", "timestamp": 1.5, "metadata": {}}]}, "new"],
}
"""Every verb, and what it is called with; the trip, where there is one, has a child."""

PLAIN_VERBS = tuple(VERBS)[:20]

CLASSES: Mapping[str, Sequence[str]] = {
    "get_session": (
        *("get_chat_history", "get_extended_session", "get_snapshots", "is_shared", "export_session"),
    ),
    "session_exists": (),
    "list_sessions": ("list_sessions_by_agent", "list_sessions_by_gateway_agent"),
    "get_sessions_by_agent": ("get_agent_chat_history", "get_by_gateway_session"),
    "add_message": (
        *("add_user_message", "add_assistant_message", "set_chat_history", "update_session_metadata"),
        *("set_agent_info", "set_gateway_info", "update", "share_session", "set_title", "import_session"),
    ),
    "clear_session": ("create_snapshot", "revert_to_snapshot", "revert_to_message", "unshare_session"),
    "delete_session": (),
    "get_children": ("get_parent", "get_session_tree"),
    "fork_session": ("create_session",),
    "auto_title": (),
}  # fmt: skip
"""Verbs whose traces at the seam are alike, by the one that stands for them; `invalidate_cache` has no trace."""

Program = tuple[tuple[bool, tuple[str, ...]], ...]
"""For each client: whether its store is hierarchical, and the verbs that it calls."""


@dataclass(frozen=True)
class Verdict:
    """What the orders of a program have shown.

    Args:
        wrong: the first thing that is wrong; empty when nothing is.
        order: where that was seen.
        died: whether a client was killed in any of them; else it had ended before.
    """

    wrong: str
    order: Order | None = None
    died: bool = False


@cache
def worlds() -> Mapping[str, World]:
    """Return the worlds that programs begin in: one with a trip and its child, and one without a session."""
    said = [
        {"role": "user", "content": "Where to?", "timestamp": 1.0, "metadata": {}, "x_mood": "curious"},
        {"role": "assistant", "content": "Porto.", "timestamp": 2.0, "metadata": {}},
    ]
    early = {"created_at": "2001-01-01T00:00:00+00:00", "updated_at": "2001-01-01T00:00:00+00:00"}
    snapshot = {
        **{"id": "first", "session_id": "trip", "message_index": 0, "created_at": 1.5, "label": None, "metadata": {}},
        "transcript": {"messages": said[:1]},
    }
    trip = {
        **{**EXTENDED, **early, "session_id": "trip", "messages": said, "agent_name": "Ann", "x_stars": 5},
        **{"gateway_session_id": "gate", "agent_id": "agent", "children_ids": ["child"], "snapshots": [snapshot]},
    }
    child = {**EXTENDED, **early, "session_id": "child", "parent_id": "trip"}
    there = World({"trip": text(trip), "child": text(child)})
    return {"there": there, "absent": World({})}


def calls_of(program: Program) -> list[list[Call]]:
    """Return what the clients call; each call has a time and an id of its own."""
    times = itertools.count(1)
    found = []
    for letter, (extended, verbs) in zip("ABC", program, strict=False):
        calls = []
        for number, verb in enumerate(verbs):
            arguments = [f"{letter}{number}" if one == "new" else one for one in VERBS[verb]]
            calls.append(Call(verb, text(arguments), extended, 1e9 + next(times), f"{letter}{number}"))
        found.append(calls)
    return found


class Place:
    """A directory that is put back as it was before each order."""

    def __init__(self, directory: Path, world: World) -> None:
        self.directory = directory
        self._files = {
            f"{session_id}.json": encode(world.get(session_id) or {}) for session_id in world.sessions
        }  # fmt: skip
        directory.mkdir(parents=True, exist_ok=True)

    def reset(self) -> None:
        """Put it back."""
        for name in os.listdir(self.directory):
            os.unlink(self.directory / name)
        for name, raw in self._files.items():
            (self.directory / name).write_bytes(raw)


def check(
    program: Program,
    world: str,
    folder: Path,
    done: Explored,
    *,
    killed: tuple[int, int] | None = None,
    reduce: bool = True,
) -> Verdict:
    """Run every order of a program in a world; stop at the first one that is wrong.

    Args:
        program: who calls what.
        world: the name of the world.
        folder: where to.
        done: where to count.
        killed: the number of a client, and of its step before which it is killed.
        reduce: leave out orders that end like one that was run.
    """
    start = worlds()[world]
    place = Place(folder / world, start)
    calls = calls_of(program)
    judge = Judge(start)

    def begin(hub: object) -> list[Client]:
        place.reset()
        clients = [
            Client("ABC"[number], calls[number], killed[1] if killed and killed[0] == number else None)
            for number in range(len(calls))
        ]
        inodes = Inodes(clients)
        for client in clients:
            client.start(lambda one: open_store(one, place.directory, inodes), hub)
        return clients

    died = False
    open_before = _open_files()
    with seamed():
        for order in explore(begin, done, reduce=reduce):
            died = died or any(client.dead for client in order.clients)
            wrong = judge.wrong(order, place.directory) or sweep(place.directory)
            if wrong:
                return Verdict(wrong, order, died)
            if _open_files() > open_before:
                return Verdict("a descriptor is left open of which the disk was not told", order, died)
    return Verdict("", died=died)


def _open_files() -> int:
    """Return how many files are open, but for those of sessions that the stores of clients keep."""
    close_all()
    return len(os.listdir("/dev/fd"))


def sweep(directory: Path) -> str:
    """Let somebody write each session whose writer died; return what is wrong after it, or an empty text."""
    for name in litter_in(directory):
        session_id, _, _ = name.partition(".")
        next_one = Client("N", [Call("add_message", text([session_id, "user", "next"]), True, 2e9, "next")])
        inodes = Inodes([next_one])
        next_one.start(lambda one, inodes=inodes: open_store(one, directory, inodes), greenlet.getcurrent())  # type: ignore[misc]
        while next_one.waiting and next_one.waiting.ready():
            next_one.go()
        if next_one.answers != ["true"]:
            return f"the next writer of {session_id!r} is held up by what was left behind: {next_one.answers}"
    litter = litter_in(directory)
    return f"left behind, also by the next writer: {', '.join(litter)}" if litter else ""


def traces(verb: str, extended: bool, world: str, folder: Path) -> list[tuple[str, str]]:
    """Return the steps of one call, and the kind of file that each is about."""
    steps: list[Step] = []
    place = Place(folder / world, worlds()[world])
    calls = calls_of(((extended, (verb,)),))

    def begin(hub: object) -> list[Client]:
        place.reset()
        client = Client("A", calls[0])
        inodes = Inodes([client])
        client.start(lambda one: open_store(one, place.directory, inodes), hub)
        return [client]

    with seamed():
        for order in explore(begin, Explored()):
            steps = [event.step for event in order.events]
    return [(step.name, step.path) for step in steps]
