"""An order as a reader sees it: one line a call, and a sequence diagram of what its clients did to the files.

Shown is what another client can notice or waits for: locks, reads, what a rename or a deletion puts in place, a list, a
death. Left out are the steps of one's own: looks at a temporary file, its writing, flushes, the closing.
"""

from __future__ import annotations

import os

from tests.proofs.orders.explorer import Event, Order
from tests.proofs.rung import Finding

SHOWN = {"lock": "lock", "unlock": "unlock", "read": "read", "replace": "replace", "unlink": "delete", "names": "list"}
MESSAGES = 12


def finding(wrong: str, order: Order) -> Finding:
    """Return what a reader is told of an order that is wrong."""
    return Finding(wrong, tuple(lines(order)), mermaid(wrong, order))


def lines(order: Order) -> list[str]:
    """Return who called what, and what it answered, in the order in which the calls began and returned."""
    said = []
    for event in order.events:
        client = order.clients[event.client]
        if event.step.name == "call":
            said.append(f"{client.name} calls {event.step.path}")
        elif event.step.name == "return":
            said.append(f"{client.name} gets {event.step.path}")
        elif event.step.name == "killed":
            said.append(f"{client.name} is killed")
        elif event.step.name in SHOWN:
            said.append(f"{client.name}: {_words(event)} {os.path.basename(event.step.path)}".rstrip())
    return said


def mermaid(wrong: str, order: Order) -> str:
    """Return the sequence diagram: the clients left and right of the sessions, at most twelve messages."""
    events = [event for event in order.events if event.step.name in (*SHOWN, "killed")]
    shown = events[-MESSAGES:]
    sessions = sorted({_session(event) for event in shown if event.step.name in SHOWN})
    clients = [client.name for client in order.clients]
    drawn = [f"    participant {clients[0]} as worker {clients[0]}"]
    drawn += [f"    participant S{number} as {session}" for number, session in enumerate(sessions)]
    drawn += [f"    participant {name} as worker {name}" for name in clients[1:]]
    for event in shown:
        name = clients[event.client]
        if event.step.name == "killed":
            drawn.append(f"    Note over {name}: killed")
            continue
        place = f"S{sessions.index(_session(event))}"
        answers = event.step.name in ("read", "names")
        drawn.append(f"    {place}-->>{name}: {_words(event)}" if answers else f"    {name}->>{place}: {_words(event)}")
    drawn.append(f"    Note over {clients[0]},{clients[-1]}: {wrong.replace(';', ',')}")
    return "\n".join(["sequenceDiagram", *drawn])


def _words(event: Event) -> str:
    shows = f", {event.step.shows}" if event.step.shows else ""
    return SHOWN[event.step.name] + shows


def _session(event: Event) -> str:
    name = os.path.basename(event.step.path)
    return name.removesuffix(".lock") if event.step.name != "names" else "the directory"
