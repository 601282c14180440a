"""An order as a reader sees it: one line a call, and a sequence diagram of what its clients did to the files.

Shown is what another client can notice or waits for: locks, reads, what a rename or a deletion puts in place, a list, a
death. Left out are the steps of one's own: looks at a temporary file, its writing, flushes, the closing.
"""

from __future__ import annotations

import json
import os

from readfresh.conformance.sequence import Arrow, Note, sequence_diagram
from tests.proofs.orders.explorer import Event, Order
from tests.proofs.rung import Finding

SHOWN = {"lock": "lock", "unlock": "unlock", "read": "read", "replace": "replace", "unlink": "delete", "names": "list"}
MESSAGES = 12


def finding(wrong: str, order: Order) -> Finding:
    """Return what a reader is told of an order that is wrong."""
    rule, _, _ = wrong.partition(" (")  # who called what stands in the text, and has no room in a note
    return Finding(wrong, tuple(lines(order)), mermaid(rule, order))


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
    """Return the sequence diagram: the sessions between the first client and the others, the last twelve messages."""
    shown = [event for event in order.events if event.step.name in (*SHOWN, "killed")][-MESSAGES:]
    first, *others = (client.name for client in order.clients)
    sessions = sorted({_session(event) for event in shown if event.step.name in SHOWN})
    places = {session: f"S{number}" for number, session in enumerate(sessions)}
    names = {
        first: f"worker {first}",
        **{place: session for session, place in places.items()},
        **{other: f"worker {other}" for other in others},
    }
    steps: list[Arrow | Note] = []
    for event in shown:
        name = order.clients[event.client].name
        if event.step.name == "killed":
            steps.append(Note(name, "killed"))
        elif event.step.name in ("read", "names"):
            steps.append(Arrow(places[_session(event)], name, _words(event), answer=True))
        else:
            steps.append(Arrow(name, places[_session(event)], _words(event)))
    return sequence_diagram(names, [*steps, Note(first, wrong)])


def _words(event: Event) -> str:
    step = event.step
    return f"read, {_read(step.result)}" if step.name == "read" else SHOWN[step.name]


def _read(raw: bytes | None) -> str:
    if raw is None:
        return "no session"
    try:
        count = len(json.loads(raw)["messages"])
    except ValueError:
        return "half a session"
    return f"{count} message{'' if count == 1 else 's'}"


def _session(event: Event) -> str:
    name = os.path.basename(event.step.path)
    return name.removesuffix(".lock") if event.step.name != "names" else "the directory"
