"""The designs that lose, step by step: the functions of the programs on the pages, played by two workers."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.recordings.of_files import A, B, F
from tests.recordings.programs import program
from tests.recordings.projections import files, locks
from tests.recordings.scenarios import scenario
from tests.recordings.stage import Stage, messages

WHOLE = '["Where shall we go?", "Porto it is."]'


def parts(data: bytes | None) -> str:
    """Say how much there is of the new content."""
    text = (data or b"").decode()
    return messages(data) if text == WHOLE or not WHOLE.startswith(text) else "half a message"


@scenario(files, parts, A=A, F=F, B=B)
def torn_read(stage: Stage) -> None:
    """Worker B reads while worker A is half-way through a write in place."""
    design = program(stage, "anomalies/torn_read.py")
    file = stage.folder / F
    file.write_text(design.OLD)
    a, b = stage.worker("A", None), stage.worker("B", None)
    writing = design.in_place(design.NEW)
    a.does("write", next, writing)
    b.does("read", design.Path(F).read_text)
    a.does("write", next, writing, None)


@scenario(files, A=A, F=F, B=B)
def lost_update(stage: Stage) -> None:
    """Both workers read, then both write what they have read and a message of their own."""
    design = program(stage, "anomalies/lost_update.py")
    design.rename(["Where shall we go?"])
    a, b = stage.worker("A", None), stage.worker("B", None)
    first = a.does("read", design.load)
    second = b.does("read", design.load)
    a.does("write", design.rename, [*first, "Porto it is."])
    b.does("write", design.rename, [*second, "And when?"])
    stage.note("F", f"{len(design.load())} messages of 3")


def first_message(data: bytes | None) -> str:
    """Say what the first message is."""
    said: str = json.loads(data or b"[null]")[0]
    return said


@scenario(files, first_message, A=A, F=F, B=B)
def stale_read(stage: Stage) -> None:
    """Worker B reads, worker A writes and returns, worker B reads from what it has kept."""
    design = program(stage, "anomalies/stale_read.py")
    design.rename(["Porto it is."])
    a, b, cache = stage.worker("A", None), stage.worker("B", None), design.Cache()
    b.does("read", cache.read, told=lambda kept: kept[0])
    a.does("write", design.rename, ["Paris it is."])
    b.does("read", cache.read, told=lambda kept: kept[0])


@scenario(locks, parts, A=A, F=F, B=B)
def half_file(stage: Stage) -> None:
    """Worker A is killed half-way through a write in place; worker B takes the lock and reads."""
    design = program(stage, "anomalies/half_file.py")
    (stage.folder / F).write_text(design.OLD)

    def half(here: Any) -> None:
        worker = stage.worker("A", None)
        worker.does("lock", design.lock)
        worker.does("write", next, design.in_place(design.NEW))
        here()
        os.kill(os.getpid(), signal.SIGKILL)

    a, b = stage.process("A", half), stage.worker("B", None)
    a.hear()
    a.ended()
    b.does("lock", design.lock)
    b.does("read", design.Path(F).read_text)


def fields(data: bytes | None) -> str:
    """Name the fields of a session."""
    return " and ".join(sorted(json.loads(data or b"{}")))


@scenario(files, fields, A=A, F=F, B=B)
def lost_field(stage: Stage) -> None:
    """Worker A has a class with `parent_id`, worker B one without, and writes back what that knows."""
    design = program(stage, "anomalies/lost_field.py")
    file = design.Path(F)
    a, b = stage.worker("A", None), stage.worker("B", None)
    a.does("write", file.write_text, '{"messages": [], "parent_id": "year"}')
    session = design.Known.from_dict(json.loads(b.does("read", file.read_text)))
    session.messages.append("Porto it is.")
    b.does("write", file.write_text, json.dumps(session.to_dict()))
