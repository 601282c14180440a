"""All orders in which clients can make their steps, with partial-order reduction.

Two orders that differ only in steps which do not depend on each other end alike, so one of them is run.
Which those are is found out while running: dynamic partial-order reduction (Flanagan and Godefroid, POPL 2005), with
source sets (Abdulla and others, POPL 2014) and sleep sets (Godefroid, 1996).

1. Each order is run from the start, in a world that `begin` makes anew; nothing is kept between two runs but choices.
2. When a step races with an earlier one of another client, the order in which it comes first is put on the list.
3. A race for a lock is one between two that take it: nobody takes a lock that is held.
4. `reduce` False runs every order there is; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import greenlet

from tests.proofs.orders.clients import Client, Step, Touches, dependent

Clock = tuple[int, ...]


@dataclass
class Event:
    """A step that was made: when, by which client, as which of its steps, and after which steps of each client."""

    moment: int
    client: int
    position: int
    step: Step
    clock: Clock

    def is_before(self, other: Event) -> bool:
        """Return whether it happens before the other one."""
        return other.clock[self.client] >= self.position


@dataclass
class _Node:
    """A point at which somebody was chosen."""

    enabled: list[int]
    sleeping: dict[int, Touches]
    chosen: int
    wanted: set[int]
    touches: Touches = ()


@dataclass(frozen=True)
class Order:
    """One order, run to its end.

    Args:
        clients: as they are at the end.
        events: what they did.
        stuck: whether some of them could not go on.
    """

    clients: Sequence[Client]
    events: Sequence[Event]
    stuck: bool


@dataclass
class Explored:
    """How much was run: whole orders, those that were given up since they were run already, and steps."""

    orders: int = 0
    given_up: int = 0
    steps: int = 0
    path: list[_Node] = field(default_factory=list)


def explore(begin: Callable[[object], Sequence[Client]], done: Explored, *, reduce: bool = True) -> Iterator[Order]:
    """Yield every order.

    Args:
        begin: makes the world anew and returns its clients, each at its first step; given the greenlet to hand over to.
        done: where to count.
        reduce: leave out orders that end like one that was run.
    """
    path = done.path
    while True:
        clients = begin(greenlet.getcurrent())
        try:
            order = _run(clients, path, done, reduce)
            if order is not None:
                done.orders += 1
                yield order
        finally:
            for client in clients:
                client.end()
        while path and not _next_choice(path[-1]):
            path.pop()
        if not path:
            return


def _next_choice(node: _Node) -> bool:
    node.sleeping[node.chosen] = node.touches
    left = sorted(node.wanted - node.sleeping.keys())
    if left:
        node.chosen = left[0]
    return bool(left)


def _run(clients: Sequence[Client], path: list[_Node], done: Explored, reduce: bool) -> Order | None:
    events: list[Event] = []
    clocks: list[Clock] = [(0,) * len(clients)] * len(clients)
    touched: dict[str, dict[tuple[int, str], Event]] = {}
    replayed = len(path)
    while True:
        enabled = [number for number, client in enumerate(clients) if client.waiting and client.waiting.ready()]
        depth = len(events)
        if not enabled:
            return Order(clients, events, stuck=any(client.waiting for client in clients))
        if depth == len(path):
            sleeping = _still_asleep(path[-1]) if path and reduce else {}
            awake = [number for number in enabled if number not in sleeping]
            if not awake:
                done.given_up += 1
                return None
            # Whoever went last goes on where that is possible: orders with few switches come first, and read best.
            chosen = events[-1].client if events and events[-1].client in awake else awake[0]
            path.append(_Node(enabled, sleeping, chosen, {chosen} if reduce else set(enabled)))
        node = path[depth]
        assert node.enabled == enabled, "a run is not the same when it is run again"
        step = clients[node.chosen].go()
        node.touches = step.touches
        event, rivals = _happened(depth, node.chosen, step, clocks, touched)
        events.append(event)
        done.steps += 1
        # What raced in the part that is run again was put on the list the first time.
        if reduce and depth >= replayed - 1:
            for rival in rivals:
                _want_reversed(rival, event, events, path)


def _still_asleep(node: _Node) -> dict[int, Touches]:
    """Return who still sleeps after the choice of a node: whose step does not depend on the one that was made."""
    return {
        number: touches
        for number, touches in node.sleeping.items()
        if number != node.chosen
        and not any(
            name == other and dependent(mode, how) for name, mode in touches for other, how in node.touches
        )
    }  # fmt: skip


def _happened(
    moment: int, number: int, step: Step, clocks: list[Clock], touched: dict[str, dict[tuple[int, str], Event]]
) -> tuple[Event, list[Event]]:
    """Return the event that a step is, and the earlier ones that it races with."""
    before = clocks[number]
    after = list(before)
    rivals: list[Event] = []
    for name, mode in step.touches:
        for (client, how), event in touched.get(name, {}).items():
            if client == number or not dependent(mode, how):
                continue
            if event.position > before[client] and "release" not in (mode, how):
                rivals.append(event)
            for each, position in enumerate(event.clock):
                after[each] = max(after[each], position)
    after[number] = before[number] + 1
    event = Event(moment, number, after[number], step, tuple(after))
    clocks[number] = event.clock
    for name, mode in step.touches:
        touched.setdefault(name, {})[number, mode] = event
    # One that happens before another rival is raced with when that one has been turned round.
    return event, [one for one in rivals if not any(one is not other and one.is_before(other) for other in rivals)]


def _want_reversed(earlier: Event, later: Event, events: list[Event], path: list[_Node]) -> None:
    """Put on the list that what does not depend on `earlier`, `later` included, comes first."""
    node = path[earlier.moment]
    free: list[Event] = []
    first: list[int] = []
    seen: set[int] = set()
    for event in events[earlier.moment + 1 :]:
        if event is not later and earlier.is_before(event):
            continue
        if event.client not in seen and not any(other.is_before(event) for other in free):
            first.append(event.client)
        seen.add(event.client)
        free.append(event)
    if not any(number in node.wanted or number in node.sleeping for number in first):
        node.wanted.add(later.client if later.client in first else first[0])
