"""Is there an order? Two ways to judge a history of one session.

A history is linearizable when each operation can be given a moment between its call and its return, so that the
operations in the order of their moments are what one client alone would have seen (Herlihy and Wing, 1990).
Sessions are judged one by one: a history is linearizable when each of its sessions' is.

1. `search` takes any sequential specification and tries the orders (Wing and Gong, 1993), remembering which
   operations had led to which state (Lowe, 2017).
2. `sort` is for histories of unique messages that are added, read and replaced. What was read gives the order away,
   so that it has to be checked only: n log n.
3. An operation that was cut off is not `certain`: it took effect within its time, or never.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

S = TypeVar("S", bound=Hashable)

FOREVER = 1 << 63
"""The return of an operation that may take effect at any later time."""

SORTABLE = frozenset({"add", "read", "set"})
"""The verbs that `sort` knows."""


@dataclass(slots=True)
class Operation:
    """One call of one client.

    Args:
        client: who called.
        called: when, in nanoseconds of the one clock of the machine.
        returned: when the answer was there; where there was none, when it can take effect no more.
        verb: what was called.
        argument: what it was given.
        result: what it answered; None where there was no answer.
        certain: whether it was answered; else it may have had no effect.
    """

    client: str
    called: int
    returned: int
    verb: str
    argument: Any = None
    result: Any = None
    certain: bool = True


class Undecided(Exception):
    """The search was ended before it had an answer."""


def search(
    history: Sequence[Operation],
    begin: S,
    successors: Callable[[S, Operation], Sequence[S]],
    *,
    passive: Callable[[Operation], bool] = lambda _: False,
    unlikely: Callable[[S], bool] = lambda _: False,
    most_steps: int | None = None,
) -> list[Operation] | None:
    """Return an order that explains the history, or None when there is none.

    What was cut off and is not needed to explain the others may be left out of it.

    Args:
        history: the operations, in any order.
        begin: the state before them.
        successors: the states in which an operation may leave a state, none when it cannot have answered as it did.
        passive: whether an operation never changes a state, wherever it stands.
        unlikely: whether a state is to be tried after the others.
        most_steps: give up after so many.

    Raises:
        Undecided: after `most_steps`.
    """
    operations = sorted(history, key=lambda operation: operation.called)
    count = len(operations)

    def choices(done: int, first: int, state: S) -> Iterator[tuple[int, S]]:
        """Yield what may come next: operations that were called before any that is left had returned."""
        until = FOREVER + 1
        ready = []
        for index in range(first, count):
            operation = operations[index]
            if operation.called > until:
                break
            if not done >> index & 1:
                ready.append(index)
                until = min(until, operation.returned)
        ways = []
        for index in ready:
            operation = operations[index]
            found = successors(state, operation)
            if found and passive(operation):
                # It fits here: where an order has it later, that order with it here is one too.
                yield index, state
                return
            if operation.certain:
                ways += [(index, following) for following in found]
            else:
                ways += [(index, following) for following in found if following != state]
                if operation.returned == until:  # to have no effect can wait until others have to wait for it
                    ways.append((index, state))
        ways.sort(key=lambda way: (unlikely(way[1]), operations[way[0]].returned))
        yield from ways

    certain = sum(1 << index for index, operation in enumerate(operations) if operation.certain)
    order: list[int] = []
    seen: set[tuple[int, S]] = set()
    steps = 0
    path = [(0, 0, choices(0, 0, begin))]
    while certain & ~path[-1][0]:
        done, first, ways = path[-1]
        for index, state in ways:
            further = done | 1 << index
            if (further, state) in seen:
                continue
            seen.add((further, state))
            steps += 1
            if most_steps is not None and steps > most_steps:
                raise Undecided(f"{count} operations, and no answer after {most_steps} steps")
            while first < count and further >> first & 1:
                first += 1
            order.append(index)
            path.append((further, first, choices(further, first, state)))
            break
        else:
            path.pop()
            if not path:
                return None
            order.pop()
    return [operations[index] for index in order]


class Lists:
    """Lists of unique messages as nodes of one tree, so that a list is a number and its prefixes are its ancestors.

    The empty list is 0. Equal lists are the same number.
    """

    def __init__(self) -> None:
        self.before = [0]
        self.last = [""]
        self.length = [0]
        self._longer: dict[tuple[int, str], int] = {}

    def add(self, node: int, message: str) -> int:
        """Return the list with one message more."""
        found = self._longer.get((node, message))
        if found is None:
            found = self._longer[node, message] = len(self.before)
            self.before.append(node)
            self.last.append(message)
            self.length.append(self.length[node] + 1)
        return found

    def known(self, node: int, message: str) -> int | None:
        """Return the list with one message more, if it has been named."""
        return self._longer.get((node, message))

    def of(self, messages: Sequence[str]) -> int:
        """Return the list of these messages."""
        node = 0
        for message in messages:
            node = self.add(node, message)
        return node

    def messages(self, node: int) -> list[str]:
        """Return the messages of a list."""
        found = []
        while node:
            found.append(self.last[node])
            node = self.before[node]
        return found[::-1]


def sort(history: Sequence[Operation], lists: Lists) -> list[Operation] | None:
    """Return an order that explains a history of `SORTABLE` verbs over unique messages, or None when there is none.

    `add` has a message for its argument; `set` a list whose first message is its own; `read` answers a list.
    Lists are nodes of `lists`, and the first is empty.

    1. An era is what happened between two replacements: its lists are each the next one's beginning, so what was
       read puts its operations in order.
    2. An era must come before another when one of its operations had returned before one of the other was called.
       Where that goes round in a circle, two eras exclude each other; else the sums of the era's earliest return and
       its latest call are in the right order (Gibbons and Korach, 1997, call it a zone).
    3. What was added and never read stood at the end of an era. What was cut off and never read did not take place.
    """
    adds = {operation.argument: operation for operation in history if operation.verb == "add"}
    sets = {operation.argument: operation for operation in history if operation.verb == "set"}
    tips = {0: 0}
    era_of = {0: 0}  # of a list: the list that its era began with
    eras: dict[int, list[Operation]] = {0: []}
    reads: dict[int, list[Operation]] = {}
    for operation in history:
        if operation.verb == "read" and operation.certain:
            reads.setdefault(operation.result, []).append(operation)
    placed = set()
    for read in reads:
        way = []
        node = read
        while node not in era_of and node not in sets:
            way.append(node)
            node = lists.before[node]
        era = era_of.setdefault(node, node)
        tips.setdefault(era, era)
        for longer in reversed(way):
            message = lists.last[longer]
            if tips[era] != lists.before[longer] or message not in adds or message in placed:
                return None
            placed.add(message)
            era_of[longer] = era
            tips[era] = longer
    for node, operation in sets.items():
        if node in tips or operation.certain:
            tips.setdefault(node, node)
            eras[node] = [operation]
    for era, tip in tips.items():
        way = []
        node = tip
        while node != era:
            way.append(node)
            node = lists.before[node]
        for node in (era, *reversed(way)):
            if node != era:
                eras[era].append(adds[lists.last[node]])
            eras[era] += sorted(reads.get(node, ()), key=lambda operation: operation.called)

    def middle(era: list[Operation]) -> int:
        return min(each.returned for each in era) + max(each.called for each in era)

    ordered = [eras.pop(0), *sorted(eras.values(), key=middle)]
    # Of each place at the end of an era: the earliest return of what comes later.
    earliest = [FOREVER + 1] * len(ordered)
    for place in range(len(ordered) - 2, -1, -1):
        earliest[place] = min(earliest[place + 1], *(each.returned for each in ordered[place + 1]))
    unread = [each for each in adds.values() if each.certain and each.argument not in placed]
    ends: dict[int, list[Operation]] = {}
    for operation in sorted(unread, key=lambda operation: operation.called):
        ends.setdefault(bisect_left(earliest, operation.called), []).append(operation)
    order = []
    for place, era_operations in enumerate(ordered):
        order += era_operations + ends.get(place, [])
    latest = -1
    for operation in order:
        if operation.returned < latest:
            return None
        latest = max(latest, operation.called)
    return order
