"""Other people's stores, unchanged, in every schedule of two threads that few preemptions allow.

It runs in the environment of a peer, where its adapter can be imported:

    python -m tests.proofs.threads.theirs tests.peers.langchain.adapter:factory found.json

Each thread has a store object of its own, as two handlers of requests have. What a list of messages does is written out
below; a schedule loses something when no order of the calls gives the answers and the messages that are there in the
end. A call that raises is not held to have done anything: that is told beside it.
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from readfresh.conformance.factory import from_name
from tests.proofs.threads.explorer import Schedule, current, explore
from tests.proofs.threads.taps import watching
from tests.proofs.threads.told import lines, mermaid

OUT_OF_SIGHT = {
    "openai-agents": "SQLite's library reaches the disk by no function of Python's",
    "agno-sqlite": "SQLite's library reaches the disk by no function of Python's",
}
"""Stores that the explorer cannot stop, and why."""

LEADS_THERE = "no order of the calls leads there: "
PREEMPTIONS = 2
SCHEDULES = 500  # of each program, at most
SESSION, OTHER = "trip", "hotels"

Call = tuple[str, str, str]
"""A verb, the session, and what is said, where something is."""

PROGRAMS: dict[str, tuple[Call, Call]] = {
    "two appends": (("append", SESSION, "one"), ("append", SESSION, "two")),
    "an append and a read": (("append", SESSION, "one"), ("read", SESSION, "")),
    "appends to two sessions": (("append", SESSION, "one"), ("append", OTHER, "two")),
    "an append and a clearing": (("append", SESSION, "one"), ("clear", SESSION, "")),
    "an append and a deletion": (("append", SESSION, "one"), ("delete", SESSION, "")),
}


@dataclass
class Made:
    """A call that was made: its moments, its answer, and the error that it raised."""

    call: Call
    began: int
    ended: int = 0
    answer: list[str] | None = None
    error: str = ""


@dataclass
class Run:
    """One schedule's calls, each on a store object of its own."""

    stores: Sequence[Any]
    calls: Sequence[Call]
    made: list[Made] = field(default_factory=list)
    moments: Iterator[int] = field(default_factory=itertools.count)

    def bodies(self) -> list[Callable[[], None]]:
        """Return what the threads do."""
        return [partial(self._make, *pair) for pair in zip(self.stores, self.calls, strict=True)]

    def _make(self, store: Any, call: Call) -> None:
        here = current()
        assert here
        schedule, client = here
        schedule.reach(client, f"call {' '.join(call)}".rstrip())
        made = Made(call, next(self.moments))
        self.made.append(made)
        try:
            made.answer = do(store, call)
        except Exception as error:
            made.error = type(error).__name__
        schedule.reach(client, f"return {made.error or made.answer or 'True'}")
        made.ended = next(self.moments)


def do(store: Any, call: Call) -> list[str] | None:
    """Make a call; False is an error, since it says that nothing was done. Return what was read."""
    verb, session_id, content = call
    if verb == "read":
        return contents(store, session_id)
    done = {
        "append": lambda: store.add_message(session_id, "user", content),
        "clear": lambda: store.clear_session(session_id),
        "delete": lambda: store.delete_session(session_id),
    }[verb]()
    if done is False:
        raise SaysNo
    return None


class SaysNo(Exception):
    """The call returned False."""


def contents(store: Any, session_id: str) -> list[str]:
    """Return what the messages of a session say."""
    return [message["content"] for message in store.get_chat_history(session_id)]


def is_allowed(made: Sequence[Made], start: dict[str, list[str]], end: dict[str, list[str]]) -> bool:
    """Return whether some order of the calls, in which one that had ended comes first, gives the answers and the end.

    A call that raised may have done what it was to do, or nothing.
    """
    for order in itertools.permutations(made):
        if any(second.ended < first.began for first, second in itertools.combinations(order, 2)):
            continue
        for lets in itertools.product(*((False, True) if one.error else (True,) for one in order)):
            there = {name: list(said) for name, said in start.items()}
            answers = [_do(there, one.call) for one, done in zip(order, lets, strict=True) if done]
            expected = [one.answer for one, done in zip(order, lets, strict=True) if done]
            if there == end and all(said in (answer, None) for said, answer in zip(expected, answers, strict=True)):
                return True
    return False


def _do(there: dict[str, list[str]], call: Call) -> list[str]:
    verb, session_id, content = call
    if verb == "append":
        there[session_id].append(content)
    elif verb in ("clear", "delete"):
        there[session_id].clear()
    return list(there[session_id])


def check(peer: Any, name: str, place: Path) -> dict[str, Any]:
    """Run the schedules of a program, in an empty folder, until one loses something; return what was found."""
    runs: list[Run] = []
    found: dict[str, Any] = {"schedules": 0, "lost": None, "raised": None}

    def begin() -> list[Callable[[], None]]:
        shutil.rmtree(place)
        place.mkdir()
        peer(place).add_message(SESSION, "user", "first")
        runs[:] = [Run([peer(place) for _ in PROGRAMS[name]], PROGRAMS[name])]
        return runs[0].bodies()

    with watching(str(place)) as watched:
        for schedule in itertools.islice(explore(begin, PREEMPTIONS), SCHEDULES):
            found["schedules"] += 1
            for kind, wrong in _wrong(peer, schedule, runs[0], place):
                found[kind] = found[kind] or _told(schedule, wrong, found["schedules"])
            for store in runs[0].stores:
                peer.close(store)
            watched.close_all()
            if found["lost"]:
                break
    return found


def _wrong(peer: Any, schedule: Schedule, run: Run, place: Path) -> Iterator[tuple[str, str]]:
    for made in run.made:
        if made.error:
            yield "raised", f"{made.call[0]} raises {made.error}"
    if schedule.wrong:
        yield "lost", schedule.wrong
        return
    try:
        end = {session_id: contents(peer(place), session_id) for session_id in (SESSION, OTHER)}
    except Exception as error:
        yield "lost", f"a session cannot be read any more: {type(error).__name__}"
        return
    if not is_allowed(run.made, {SESSION: ["first"], OTHER: []}, end):
        there = ", ".join(f"{session_id} has {said}" for session_id, said in end.items() if said)
        yield "lost", LEADS_THERE + (there or "no session has a message")


def _told(schedule: Schedule, wrong: str, number: int) -> dict[str, Any]:
    return {
        "what": wrong,
        "schedule": number,
        "preemptions": sum(choice.preempts for choice in schedule.choices),
        "history": list(lines(schedule)),
        "mermaid": mermaid(schedule, wrong),
    }


def main(factory: str, report: Path) -> None:
    """Run every program over a store, and write what was found as JSON."""
    peer = from_name(factory)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder, "first")  # what a store does once in a process is no part of a schedule
        first.mkdir()
        for calls in PROGRAMS.values():
            for call in calls:
                do(peer(first), call)
        for name in PROGRAMS:
            place = Path(folder, "place")
            place.mkdir(exist_ok=True)
            found[name] = check(peer, name, place)
    report.write_text(json.dumps({**peer.describe(), "programs": found}, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
