"""Parents and children: two files, one lock at a time."""

from __future__ import annotations

import json

from readfresh import HierarchicalSessionStore
from tests.recordings.projections import files, locks
from tests.recordings.scenarios import scenario
from tests.recordings.stage import Stage, counted

A, F, B = "worker A", "trip.json", "worker B"


def relatives(data: bytes | None) -> str:
    """Say whose child a session is, and whose parent."""
    if data is None:
        return "no file"
    session = json.loads(data)
    children = session["children_ids"]
    parent = session["parent_id"]
    return (
        f"parent_id is {parent}" if parent else f"children_ids has {', '.join(children)}" if children else "no children"
    )


@scenario(files, relatives, A=A, F=F, C="day-1.json", B=B)
def tree_is_sound(stage: Stage) -> None:
    """Worker B asks for the children between the two writes of worker A, and after them."""
    stage.unseen(lambda: HierarchicalSessionStore(stage.chats).create_session("trip"))
    a, b = stage.worker("A", HierarchicalSessionStore), stage.worker("B", HierarchicalSessionStore)
    a.begin("create_session", "day-1", parent_id="trip", before="unlock day-1.json")
    a.go(before="lock trip.json")
    b.call("get_children", "trip", told=lambda children: ", ".join(children) or "none")
    a.go()
    b.call("get_children", "trip", told=lambda children: ", ".join(children) or "none")


@scenario(locks, relatives, A=A, F=F, C="fork-1.json")
def a_fork_step_by_step(stage: Stage) -> None:
    """Worker A forks a session."""
    stage.unseen(lambda: HierarchicalSessionStore(stage.chats).create_session("trip"))
    stage.worker("A", HierarchicalSessionStore, new_id=lambda: "fork-1").call("fork_session", "trip")


def children_of(data: bytes | None) -> str:
    """Say how many children a session has."""
    return counted(len(json.loads(data)["children_ids"]), "child").replace("childs", "children") if data else "no file"
