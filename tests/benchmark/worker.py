"""A process with one store, in the environment of its package, that does what its pipe tells and says how long it took.

    python -m tests.benchmark.worker tests.benchmark.stores.ours:power

An order is a line of JSON, `{"do": "append", "session": "s", "count": 200, …}`, and so is the answer,
`{"done": …}` or `{"raised": <class>: <text>}`. Times are nanoseconds of the system's monotonic clock, which all
processes of a machine share.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import select
import sys
import time
from typing import Any

FILLING = "Where shall we go on holiday this year? We were in Porto last spring and want the sea again. " * 2


def text_of(writer: str, number: int) -> str:
    """Return the text of a message: 150 characters that name it."""
    return f"{writer} {number} {FILLING}"[:150]


class Worker:
    """One store, and what is done with it. Each method is an order."""

    def __init__(self, factory: str, gate: int) -> None:
        module, _, name = factory.partition(":")
        self._make = getattr(importlib.import_module(module), name)
        self._gate = gate
        self._store: Any = None

    def open(self, place: str) -> int:
        """Make a new store object, and return how long that took."""
        began = time.monotonic_ns()
        self._store = self._make(place)
        return time.monotonic_ns() - began

    def fill(self, session: str, count: int) -> None:
        """Make a session of so many messages."""
        self._store.fill(session, [text_of("first", number) for number in range(count)])

    def fill_many(self, sessions: int, messages: int) -> None:
        """Make many sessions, in the store's own way to do that or one by one."""
        texts = [text_of("first", number) for number in range(messages)]
        for number in range(sessions):
            self._store.fill(f"s{number}", texts)

    def append(self, session: str, count: int, writer: str, gated: bool = False) -> dict[str, Any]:
        """Append so many messages, one after the other; after an error, go on with the next."""
        if gated:
            self._wait_at_the_gate()
        took, ends, kept, said = [], [], [], ""
        for number in range(count):
            text = text_of(writer, number)
            began = time.monotonic_ns()
            try:
                self._store.append(session, text)
            except Exception as error:
                said = said or f"{type(error).__name__}: {error}"
            else:
                ended = time.monotonic_ns()
                took.append(ended - began)
                ends.append(ended)
                kept.append(number)
        return {"took": took, "ends": ends, "kept": kept, "said": said[:200]}

    def read(self, session: str, count: int) -> dict[str, Any]:
        """Read the full history so many times; the last one says how many messages there are."""
        took: list[int] = []
        history: Any = None
        for _ in range(count):
            began = time.monotonic_ns()
            history = self._store.read(session)
            took.append(time.monotonic_ns() - began)
        return {"took": took, "found": len(self._store.texts(history))}

    def watch(self, session: str) -> dict[str, Any]:
        """Read the history again and again until there is another order; an error is a read that saw a torn session.

        It says when it begins: an order that came together with this one would be in Python's buffer, unseen.
        """
        took, begins, found, said = [], [], [], ""
        answer({"at": "the watch"})
        is_told_more = False
        while not is_told_more:
            began = time.monotonic_ns()
            try:
                history = self._store.read(session)
                took.append(time.monotonic_ns() - began)
                found.append(len(self._store.texts(history)))
            except Exception as error:
                found.append(-1)
                said = said or f"{type(error).__name__}: {error}"
            begins.append(began)
            is_told_more = bool(select.select([sys.stdin], [], [], 0)[0])
        return {"took": took, "begins": begins, "found": found, "said": said[:200]}

    def names(self, session: str) -> list[str]:
        """Return what names each message of a session, `<writer> <number>`."""
        return [" ".join(text.split(" ", 2)[:2]) for text in self._store.texts(self._store.read(session))]

    def list(self, limit: int) -> dict[str, int]:
        """List the sessions."""
        began = time.monotonic_ns()
        found = self._store.list(limit)
        return {"took": time.monotonic_ns() - began, "found": len(found)}

    def memory(self) -> dict[str, int]:
        """Return how many bytes this process has in memory, and had at most (Linux)."""
        with open("/proc/self/status", encoding="ascii") as status:
            said = dict(re.findall(r"^(\w+):\s+(\d+) kB$", status.read(), re.MULTILINE))
        return {"now": int(said["VmRSS"]) * 1024, "most": int(said["VmHWM"]) * 1024}

    def _wait_at_the_gate(self) -> None:
        """Wait until the parent closes its end of the pipe, which all workers see in the same instant."""
        answer({"at": "gate"})
        os.read(self._gate, 1)


def answer(line: dict[str, Any]) -> None:
    """Print a line on the pipe."""
    os.write(PIPE, json.dumps(line).encode() + b"\n")


def main() -> None:
    """Do what is told until the pipe ends."""
    worker = Worker(sys.argv[1], int(sys.argv[2]))
    answer({"done": "ready"})
    while line := sys.stdin.readline():
        order = json.loads(line)
        try:
            answer({"done": getattr(worker, order.pop("do"))(**order)})
        except Exception as error:
            answer({"raised": f"{type(error).__name__}: {error}"[:300]})


if __name__ == "__main__":
    # What a package prints goes elsewhere: the pipe is for answers.
    PIPE = os.dup(1)
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        main()
