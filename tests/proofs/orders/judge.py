"""What must hold at the end of an order.

1. The answers and the files are those that the specification gives for some order of its sections in which a call that
   had returned before another began comes first: linearizable, with the final state, reads fresh, fields kept, and the
   tree as the verbs have built it.
2. Nobody waits for ever; no lock is held, no descriptor is open, and no temporary file is left, but by the dead.
3. What the dead have left is swept by the next writer, who is not held up (see `programs.sweep`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.proofs.orders.explorer import Order
from tests.proofs.orders.spec import Answer, Call, Then, World, begin, run, text

Before = frozenset[tuple[int, int]]
"""Pairs of calls, by their number, of which the first had returned when the second began."""


def sessions_in(directory: Path) -> World:
    """Return what stands in the directory's files, read without readfresh."""
    found = {}
    for name in sorted(os.listdir(directory)):
        if name.endswith(".json"):
            data = json.loads((directory / name).read_bytes())
            data.pop("schema_version", None)
            found[name.removesuffix(".json")] = text(data)
    return World(found)


def litter_in(directory: Path) -> list[str]:
    """Return what is neither a session nor a lock."""
    return sorted(name for name in os.listdir(directory) if not name.endswith((".json", ".lock")))


class Judge:
    """Judges the orders of one program, all of which begin in one world.

    What one order was acquitted of need not be searched again for another with the same answers.
    """

    def __init__(self, start: World) -> None:
        self._start = start
        self._allowed: dict[object, bool] = {}

    def wrong(self, order: Order, directory: Path) -> str:
        """Return what is wrong; an empty text when nothing is."""
        dead = any(client.dead for client in order.clients)
        if order.stuck:
            waiting = [client.name for client in order.clients if client.waiting]
            return f"deadlock: {' and '.join(waiting)} wait for each other's locks"
        for client in order.clients:
            if client.locks:
                return f"{client.name} has returned, and still holds a lock"
            if client.open:
                return f"{client.name} has returned, and still has a file open"
        if not dead and (litter := litter_in(directory)):
            return f"left behind: {', '.join(litter)}"
        try:
            end = sessions_in(directory)
        except ValueError as error:
            return f"a session's file is no JSON: {error}"
        calls, answers, before = _calls(order)
        key = (tuple(calls), tuple(answers), before, end.key())
        if key not in self._allowed:
            self._allowed[key] = is_allowed(self._start, calls, answers, before, end)
        if self._allowed[key]:
            return ""
        return "no order of the calls gives these answers and these files"


def _calls(order: Order) -> tuple[list[Call], list[str | None], Before]:
    """Return the calls that have begun, their answers, None for a call that its client did not live to see return."""
    began: dict[tuple[int, int], int] = {}
    ended: dict[tuple[int, int], int] = {}
    counts = [0] * len(order.clients)
    for moment, event in enumerate(order.events):
        which = event.client, counts[event.client]
        if event.step.name == "call":
            began[which] = moment
        elif event.step.name == "return":
            ended[which] = moment
            counts[event.client] += 1
    calls = [order.clients[client].calls[number] for client, number in began]
    answers = [order.clients[client].answers[number] if (client, number) in ended else None for client, number in began]
    before = frozenset(
        (one, other)
        for one, first in enumerate(began)
        for other, second in enumerate(began)
        if first in ended and ended[first] < began[second]
    )
    return calls, answers, before


def is_allowed(start: World, calls: Sequence[Call], answers: Sequence[str | None], before: Before, end: World) -> bool:
    """Search an order of the sections; a call without an answer may stop after any of its sections, or before."""
    seen: set[object] = set()
    wanted = end.key()
    first: tuple[Then | None, ...] = tuple(begin(call) for call in calls)
    stack: list[tuple[World, tuple[Then | None, ...]]] = [(start, first)]
    while stack:
        world, at = stack.pop()
        key = (world.key(), at)
        if key in seen:
            continue
        seen.add(key)
        if all(next_one is None or answers[number] is None for number, next_one in enumerate(at)) and key[0] == wanted:
            return True
        stack.extend(_steps(world, calls, answers, before, at))
    return False


def _steps(
    world: World, calls: Sequence[Call], answers: Sequence[str | None], before: Before, at: tuple[Then | None, ...]
) -> Iterator[tuple[World, tuple[Then | None, ...]]]:
    for number, then in enumerate(at):
        if then is None or any(at[one] is not None for one, other in before if other == number):
            continue
        after, came = run(world, calls[number], then)
        if isinstance(came, Answer):
            if answers[number] not in (None, came.value):
                continue
            yield after, (*at[:number], None, *at[number + 1 :])
        else:
            yield after, (*at[:number], came, *at[number + 1 :])
