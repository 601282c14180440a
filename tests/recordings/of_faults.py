"""The ten faults: the broken programs of `examples/faults`, played by two workers in the order that shows the fault."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

from readfresh import DefaultSessionStore
from tests.recordings.of_files import A, B, F
from tests.recordings.of_programs import fields
from tests.recordings.of_trees import children_of
from tests.recordings.programs import program
from tests.recordings.projections import files, locks
from tests.recordings.scenarios import scenario
from tests.recordings.stage import Stage, counted, messages


@scenario(files, A=A, F=F, B=B)
def earlier_copy(stage: Stage) -> None:
    """Worker A has read; worker B adds a message; worker A saves what it has read."""
    design = program(stage, "faults/earlier_copy_broken.py")
    design.save({"messages": [], "title": ""})
    a, b = stage.worker("A", None), stage.worker("B", None)
    first = a.does("read", design.Store)
    second = stage.unseen(design.Store)
    b.does("add_message", second.add_message, "Where to?")
    a.does("set_title", first.set_title, "Trip")


@scenario(files, A=A, F=F, B=B)
def one_floor_up(stage: Stage) -> None:
    """An agent begins a turn; a gateway adds a message; the agent saves the session that it has got."""
    design = program(stage, "faults/one_floor_up_broken.py")
    a, b = stage.worker("A"), stage.worker("B")
    stage.unseen(lambda: b.store.add_user_message("trip", "Hi."))
    design.store = a.store
    agent = design.Agent()
    a.does("begin", agent.begin)
    b.call("add_user_message", "trip", "Are you there?")
    a.does("end", agent.end, 1)


@scenario(locks, A=A, F=F, B=B)
def two_locks(stage: Stage) -> None:
    """Worker A loads under one lock and saves under another; worker B comes in between."""
    design = program(stage, "faults/two_locks_broken.py")
    design.save({"messages": []})
    a, b = stage.worker("A", None), stage.worker("B", None)
    a.does(
        *("add_message", design.add_message, "Where to?"),
        lambda: b.does("add_message", design.add_message, "Porto it is."),
    )


@scenario(files, fields, A=A, F=F, B=B)
def unknown_fields(stage: Stage) -> None:
    """Worker A saves a session of a tree; worker B clears it with a class that does not know the tree."""
    design = program(stage, "faults/unknown_fields_broken.py")
    a, b = stage.worker("A", None), stage.worker("B", None)
    a.does("save", design.save, {"messages": ["Where to?"], "parent_id": "year"})
    b.does("clear", design.clear, design.Session)


@scenario(files, F=F, B=B)
def damaged_file(stage: Stage) -> None:
    """Worker B adds a message to a file that is no session."""
    design = program(stage, "faults/damaged_file_broken.py")
    (stage.folder / F).write_text('{"messages": ["Where to?", "Porto it is."]')
    stage.worker("B", None).does("add_message", design.add_message, "And when?")


@scenario(files, A=A, F=F, B=B)
def first_read_kept(stage: Stage) -> None:
    """Worker B has read; worker A adds a message; worker B answers from what it has read."""
    design = program(stage, "faults/first_read_kept_broken.py")
    design.save({"messages": []})
    a, b, store, other = stage.worker("A", None), stage.worker("B", None), design.Store(), design.Store()
    b.does("get_session", store.get_session)
    a.does("add_message", other.add_message, "Where to?")
    b.does("get_session", store.get_session, told=lambda session: counted(len(session["messages"]), "message"))


@scenario(files, A=A, F=F, B=B)
def stream_left(stage: Stage) -> None:
    """Worker A says two words of an answer, and whoever listens leaves; worker B reads."""
    design = program(stage, "faults/stream_left_broken.py")
    design.save({"messages": []})
    a, b, answer = stage.worker("A", None), stage.worker("B", None), design.stream("Where to?", ["Porto", "it", "is."])
    for _ in range(2):
        a.does("next", next, answer, told=str)
    a.does("close", answer.close)
    b.does("read", design.load)


@scenario(files, A=A, F=F, B=B)
def cleared_first(stage: Stage) -> None:
    """Worker A clears the history, and is killed before it has added the new one; worker B reads."""
    design = program(stage, "faults/cleared_first_broken.py")
    b = stage.worker("B")
    stage.unseen(lambda: b.store.add_user_message("trip", "Old."))

    def killed(_here: Callable[[], None]) -> None:
        worker = stage.worker("A", DefaultSessionStore)
        design.store = worker.store
        worker.does("replace", design.replace, ["Where to?"], lambda: os.kill(os.getpid(), signal.SIGKILL))

    a = stage.process("A", killed)
    a.hear()
    a.ended()
    b.call("get_chat_history", "trip")


def _cost(data: bytes | None) -> str:
    session = json.loads(data or b"{}")
    return f"{messages(data)}, {session['metadata'].get('tokens', 'no')} tokens"


@scenario(files, _cost, A=A, F=F, B=B)
def swallowed_error(stage: Stage) -> None:
    """Worker A keeps the answer of a turn, and its cost in vain; worker B reads."""
    design = program(stage, "faults/swallowed_error_broken.py")
    design.save({"messages": [], "metadata": {}})
    a, b = stage.worker("A", None), stage.worker("B", None)
    update_metadata = design.update_metadata
    design.update_metadata = lambda **fields: a.does("update_metadata", update_metadata, **fields)
    a.does("end_of_turn", design.end_of_turn, "Porto it is.", tokens=12)
    b.does("read", design.load)


def _two_caches(stage: Stage, name: str) -> Any:
    design = program(stage, f"faults/{name}.py")
    file = design.Path(F)
    file.write_text('{"messages": ["Porto?"], "children_ids": []}')
    a, b, store = stage.worker("A", None), stage.worker("B", None), design.HierarchicalStore()

    def told(children: list[str]) -> str:
        return counted(len(children), "child").replace("childs", "children")

    b.does("get_children", store.get_children, "trip", told=told)
    a.does("write", file.write_text, '{"messages": ["Porto?", "Yes."], "children_ids": ["day-1"]}')
    b.does("invalidate_cache", store.invalidate_cache)
    b.does("get_session", store.get_session, "trip")
    b.does("get_children", store.get_children, "trip", told=told)


@scenario(files, children_of, A=A, F=F, B=B)
def two_caches_broken(stage: Stage) -> None:
    """Worker B drops its cache, reads anew, and answers from a second cache."""
    _two_caches(stage, "two_caches_broken")


@scenario(files, children_of, A=A, F=F, B=B)
def two_caches_fixed(stage: Stage) -> None:
    """Worker B drops its cache, and answers from what it reads anew."""
    _two_caches(stage, "two_caches_fixed")
