"""What the workers wrote down, made into histories.

A read is written as what is new in it since the client's last read of the session, so that a log grows with what
happened and not with the length of the sessions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.proofs.processes.linearizable import FOREVER, Lists, Operation
from tests.proofs.processes.sessions import MISSING

READING = frozenset({"read", "look", "exists", "count", "fork", "children"})
"""The verbs that matter by their answer alone: one that was cut off says nothing."""


@dataclass
class History:
    """What happened to one session.

    Args:
        session: its id.
        operations: in the order of their returns.
        lists: the lists of messages that they name.
        children: the children that were made.
        doubtful: the children that were being made when their maker was cut off.
        deleted: whether somebody tried to delete it.
    """

    session: str
    operations: list[Operation] = field(default_factory=list)
    lists: Lists = field(default_factory=Lists)
    children: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    deleted: bool = False


@dataclass(frozen=True)
class Refused:
    """An error that a call ended with.

    Args:
        client: who called.
        verb: the call.
        session: its session.
        written: what the error says of it: "nothing", "unknown"; empty for an error that is none of the stores'.
        text: the error.
    """

    client: str
    verb: str
    session: str
    written: str
    text: str


@dataclass
class _Call:
    verb: str
    session: str
    argument: Any
    called: int


class Log:
    """The log of one worker, as it comes in.

    Args:
        name: the worker's.
        history: gives the history of a session.
    """

    def __init__(self, name: str, history: Callable[[str], History]) -> None:
        self.name = name
        self._history = history
        self._rest = b""
        self._open: dict[int, _Call] = {}
        self._seen: dict[tuple[int, str], list[int]] = {}
        self.reached: dict[int, int] = {}
        """The newest generation that each thread has come to."""

    def feed(self, data: bytes) -> Iterator[Operation | Refused]:
        """Take in what was written, and yield what it completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            kind, thread, _number, *values = json.loads(line)
            if kind == "c":
                verb, session, argument, called = values
                self._open[thread] = _Call(verb, session, argument, called)
                generation = generation_of(session)
                if generation > self.reached.get(thread, -1):
                    self.reached[thread] = generation
                    for key in [key for key in self._seen if key[0] == thread]:
                        del self._seen[key]
                if verb == "delete":
                    self._history(session).deleted = True
                continue
            call = self._open.pop(thread)
            history = self._history(call.session)
            if kind == "r":
                returned, result = values
                made = self._answered(history, thread, call, returned, result)
                history.operations += made
                yield made[0]
            else:
                returned, written, text = values
                if written == "unknown":
                    self._cut_off(history, thread, call, FOREVER)
                yield Refused(self._client(thread), call.verb, call.session, written, text)

    def end(self, until: int) -> int:
        """Take in that the worker is dead, and that nothing of it takes effect after `until`; count what is in doubt.

        A line that was cut off was never written: the call before it is in doubt.
        """
        for thread, call in self._open.items():
            self._cut_off(self._history(call.session), thread, call, until)
        return len(self._open)

    def _client(self, thread: int) -> str:
        return f"{self.name}/{thread}"

    def _answered(self, history: History, thread: int, call: _Call, returned: int, result: Any) -> list[Operation]:
        lists = history.lists
        made = Operation(self._client(thread), call.called, returned, call.verb, call.argument, result)
        match call.verb:
            case "read" | "fork" if result != MISSING:
                made.result = self._node(lists, thread, call.session, *result)
            case "look":
                kept, new, metadata = result
                node = self._node(lists, thread, call.session, kept, new)
                made.result = (node, tuple(sorted(metadata.items())))
            case "set":
                made.argument = lists.of(call.argument)
            case "describe":
                made.argument = tuple(call.argument)
            case "children":
                made.result = tuple(result)
        if call.verb == "fork" and result != MISSING:
            history.children.add(call.argument)
            return [made, Operation(made.client, call.called, returned, "enter", call.argument, True)]
        return [made]

    def _cut_off(self, history: History, thread: int, call: _Call, until: int) -> None:
        made = Operation(self._client(thread), call.called, until, call.verb, call.argument, certain=False)
        if call.verb == "fork":
            history.doubtful.add(call.argument)
            history.operations.append(Operation(made.client, call.called, until, "enter", call.argument, certain=False))
        elif call.verb == "set":
            made.argument = history.lists.of(call.argument)
        elif call.verb == "describe":
            made.argument = tuple(call.argument)
        if call.verb not in READING:
            history.operations.append(made)

    def _node(self, lists: Lists, thread: int, session: str, kept: int, new: list[str]) -> int:
        """Return the list that a read answered, of which only the difference to the last one was written down."""
        path = self._seen.setdefault((thread, session), [])
        del path[kept:]
        for message in new:
            path.append(lists.add(path[-1] if path else 0, message))
        return path[-1] if path else 0


def generation_of(session: str) -> int:
    """Return the number in the id of a session."""
    return int(session[1 : session.index("-")])
