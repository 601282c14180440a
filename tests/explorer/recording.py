"""Every order of the steps of two workers, run one by one, and folded into a graph of states for the page.

1. Each whole order is run once, from the start, in a folder of its own.
2. A worker whose next step is to lock is not chosen while the system says that the lock is taken.
3. Two orders meet in one node where all is the same, and so is all that can follow: what nobody sees, such as the place
   in an open file at which a worker goes on, keeps them apart.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tests.explorer.designs import ADDED, DESIGNS, FIRST, ROOT, Design, Writers, begun, bytes_of, content, lock_is_free

RECORDED = ROOT / "docs/assets/explorer.json"

Node = dict[str, Any]


class Recorded:
    """Every order of a design.

    Attributes:
        orders: the whole orders, as letters, each with the messages that it loses.
        states: what there is after each beginning of an order.
    """

    def __init__(self, design: Design) -> None:
        self.design = design
        self.orders: dict[str, list[str]] = {}
        self.states: dict[str, Node] = {}
        todo = [""]
        while todo:
            todo += self._run(todo.pop())

    def _run(self, path: str) -> list[str]:
        """Run one order to its end; return the beginnings of those that leave it after `path`."""
        others: list[str] = []
        done, holder = "", None
        with tempfile.TemporaryDirectory() as folder, begun(self.design, Path(folder)) as writers:
            while True:
                free = lock_is_free()
                assert free == (holder is None), "the lock is not held by whom it is told of"
                steps = {name: step for name in ADDED if (step := writers.next_step(name))}
                ready = [name for name, step in steps.items() if free or step != "lock"]
                self._keep(done, _state(writers, holder, steps))
                if not ready:
                    break
                if len(done) < len(path):
                    chosen = path[len(done)]
                else:
                    # Whoever went last goes on where that is possible: orders with few switches come first.
                    chosen = done[-1] if done and done[-1] in ready else ready[0]
                    others += [done + name for name in ready if name != chosen]
                writers.go(chosen)
                holder = {"lock": chosen, "unlock": None}.get(steps[chosen], holder)
                done += chosen
            assert not steps, f"{done}: a worker waits for ever"
            kept = content(bytes_of("trip.json"))
        self.orders[done] = [
            each for each in (FIRST, *ADDED.values()) if not isinstance(kept, list) or each not in kept
        ]
        return others

    def _keep(self, path: str, state: Node) -> None:
        assert self.states.setdefault(path, state) == state, f"{path}: a run is not the same when it is run again"

    @cached_property
    def opens_on(self) -> str:
        """The order that hurts most or, where none does, the one in which a worker waits longest; of few switches."""

        def worth(order: str) -> tuple[int, int, int, str]:
            return -len(self.orders[order]), -self._waits(order), switches(order), order

        return min(self.orders, key=worth)

    def _waits(self, order: str) -> int:
        """Count the states in which somebody waits for the lock, where no order loses a message."""
        if any(self.orders.values()):
            return 0
        states = [self.states[order[:end]] for end in range(len(order))]
        return sum(bool(state["lock"]) and "lock" in state["next"].values() for state in states)

    def graph(self) -> Node:
        """Return the states, each once, and which step leads from which to which; the first is the start."""
        known: dict[str, int] = {}

        def number(path: str) -> int:
            state = self.states[path]
            following = {
                name: {"step": step} | ({"to": number(path + name)} if path + name in self.states else {})
                for name, step in state["next"].items()
            }
            node = json.dumps({**state, "next": following, "loses": self.fate(path)})
            return known.setdefault(node, len(known))

        start = number("")
        nodes = [json.loads(node) for node in known]
        for node in nodes:
            for step in node["next"].values():
                if "to" in step:
                    step["to"] = start - step["to"]
        return {
            "key": self.design.key,
            "title": self.design.title,
            "what": self.design.what,
            "orders": len(self.orders),
            "losing": sum(bool(lost) for lost in self.orders.values()),
            "opens": self.opens_on,
            "nodes": nodes[::-1],
        }

    def fate(self, path: str) -> list[str] | None:
        """Return the messages that every order from here loses; None where some order loses none."""
        fates = [lost for order, lost in self.orders.items() if order.startswith(path)]
        return None if not all(fates) else [each for each in fates[0] if all(each in fate for fate in fates)]


def _state(writers: Writers, holder: str | None, steps: Mapping[str, str]) -> Node:
    return {
        "lock": holder,
        "memory": {name: writers.memory(name) for name in ADDED},
        "temporary": content(bytes_of("trip.json.tmp")),
        "session": content(bytes_of("trip.json")),
        "next": steps,
    }


def switches(order: str) -> int:
    """Count how often the other worker goes on."""
    return sum(one != other for one, other in itertools.pairwise(order))


@cache
def recorded() -> Sequence[Recorded]:
    """Run every order of every design."""
    return [Recorded(design) for design in DESIGNS]


@cache
def as_text() -> str:
    """Return the recording as the page reads it: one node a line."""
    lines = []
    for each in recorded():
        graph = each.graph()
        nodes = ",\n".join(json.dumps(node) for node in graph.pop("nodes"))
        lines.append(f'{json.dumps(graph)[:-1]}, "nodes": [\n{nodes}\n]}}')
    return "[\n" + ",\n".join(lines) + "\n]\n"
