"""One session's file: locks, renames, and who sees what."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionData
from tests.recordings.projections import calls, files, locks, steps, whole
from tests.recordings.scenarios import scenario
from tests.recordings.stage import Stage, counted

A, F, B = "worker A", "trip.json", "worker B"
QUESTION = {"role": "user", "content": "Where to?"}
ANSWER = {"role": "assistant", "content": "Porto it is."}


def asked(stage: Stage, *messages: dict[str, str]) -> None:
    """Make the session before the diagram begins; with one message where none is given."""
    stage.unseen(lambda: DefaultSessionStore(stage.chats).set_chat_history("trip", messages or (QUESTION,)))


@scenario(locks, A=A, F=F, B=B)
def no_lost_update(stage: Stage) -> None:
    """Worker B wants the lock while worker A is between its read and its rename."""
    asked(stage)
    a, b = stage.worker("A"), stage.worker("B")
    a.begin("add_assistant_message", "trip", "Porto it is.", before="replace")
    b.begin("add_user_message", "trip", "And when?")
    a.go()
    b.go()


@scenario(locks, A=A, F=F, B=B)
def read_fresh(stage: Stage) -> None:
    """Worker B reads, worker A writes and returns, worker B reads again."""
    asked(stage)
    a, b = stage.worker("A"), stage.worker("B")
    b.call("get_chat_history", "trip")
    a.call("add_assistant_message", "trip", "Porto it is.")
    b.call("get_chat_history", "trip")


@scenario(steps, A=A, F=F, B=B)
def all_or_nothing(stage: Stage) -> None:
    """Worker B looks without a lock, right before the rename of worker A and right after it."""
    asked(stage)
    a, b = stage.worker("A"), stage.worker("B")
    a.begin("add_assistant_message", "trip", "Porto it is.", before="replace")
    b.call("list_sessions")
    a.go(before="sync_directory")
    b.call("list_sessions")
    a.go()


@scenario(steps, A=A, F=F)
def durable(stage: Stage) -> None:
    """Worker A adds a message, which has been flushed when the call returns."""
    asked(stage)
    stage.worker("A").call("add_assistant_message", "trip", "Porto it is.", told=str)


@scenario(locks, A=A, F=F)
def damage_is_kept(stage: Stage) -> None:
    """Worker A wants to write to a session that was cut in half."""
    asked(stage)
    file = stage.chats / "trip.json"
    half = file.read_bytes()[:-30]
    file.write_bytes(half)
    stage.worker("A").call("add_assistant_message", "trip", "Porto it is.")
    stage.note("F", "the bytes stay" if file.read_bytes() == half else "the bytes are others")


@scenario(locks, A=A, F=F, B=B)
def replace_is_one_step(stage: Stage) -> None:
    """Worker B reads while worker A replaces three messages by one."""
    asked(stage, QUESTION, ANSWER, QUESTION)
    a, b = stage.worker("A"), stage.worker("B")
    a.begin("set_chat_history", "trip", [{"role": "system", "content": "Porto was chosen."}], before="replace")
    b.begin("get_chat_history", "trip")
    a.go()
    b.go()


@scenario(files, A=A, F=F, B=B)
def cache_is_invisible(stage: Stage) -> None:
    """Worker B reads after a write of worker A, and again when it has dropped its cache."""
    asked(stage)
    a, b = stage.worker("A"), stage.worker("B")
    b.call("get_chat_history", "trip")
    a.call("add_assistant_message", "trip", "Porto it is.")
    b.call("get_chat_history", "trip")
    b.call("invalidate_cache", "trip")
    b.call("get_chat_history", "trip")


def instance(data: bytes | None) -> str:
    """Say what the field `instance` of a session is, as the file has it."""
    metadata = json.loads(data)["metadata"] if data else {}
    return f"instance is {json.dumps(metadata['instance'])}" if "instance" in metadata else "no instance"


@scenario(calls, instance, A=A, F=F, B=B)
def none_is_a_value(stage: Stage) -> None:
    """Worker A sets a field, then sets it to None; worker B, which resumes the session, reads it."""
    a, b = stage.worker("A"), stage.worker("B")
    a.call("update_session_metadata", "trip", instance="i-42")
    a.call("update_session_metadata", "trip", instance=None)
    b.call("get_session", "trip", told=lambda session: f"instance is {session.metadata.get('instance', 'missing')}")


def title(data: bytes | None) -> str:
    """Say what the title of a session is."""
    return f"title is {json.loads(data or b'{}').get('title', 'missing')}"


def where_title_is(session: SessionData) -> str:
    """Say of what class a session is, and where that has the title."""
    where = "extra" if "title" in session.extra else "title" if getattr(session, "title", None) else "nowhere"
    return f"{type(session).__name__}, the title is in {where}"


@scenario(calls, title, A=A, F=F, B=B)
def nothing_else_changes(stage: Stage) -> None:
    """Worker B has a plain store, which knows no titles, and writes to what the tree of worker A has made."""
    a, b = stage.worker("A", HierarchicalSessionStore), stage.worker("B")
    a.call("create_session", "trip", title="Porto")
    b.call("get_session", "trip", told=where_title_is)
    b.call("add_user_message", "trip", "Where to?")
    a.call("get_session", "trip", told=where_title_is)


@scenario(calls, A=A, F=F, B=B)
def snapshot_is_exact(stage: Stage) -> None:
    """Worker A reverts to a snapshot after worker B has added, trimmed and cleared."""
    asked(stage, QUESTION, ANSWER)
    a, b = stage.worker("A", HierarchicalSessionStore), stage.worker("B", max_messages=1)
    taken = a.call("create_snapshot", "trip")
    b.call("add_user_message", "trip", "Or Lisbon?")
    b.call("clear_session", "trip")
    a.call("revert_to_snapshot", "trip", taken)
    b.call("get_chat_history", "trip", told=lambda history: counted(len(history), "message"))


@scenario(steps, A=A, T="trip.json.tmp", F=F, D="chats")
def a_save_step_by_step(stage: Stage) -> None:
    """Worker A makes one change."""
    asked(stage)

    def change(session: Any) -> Any:
        stage.tell("A", "change")
        return dataclasses.replace(session, user_id="ada")

    stage.worker("A").call("update", "trip", change)


@scenario(locks, A="first worker", F=F, B="second worker")
def home(stage: Stage) -> None:
    """The program of the home page: two workers write, and the first one reads."""
    a, b = stage.worker("A"), stage.worker("B")
    a.call("add_user_message", "trip", "Where shall we go?")
    b.call("add_assistant_message", "trip", "Porto it is.")
    a.call("get_chat_history", "trip")


@scenario(whole, A="store", F=F, B="other")
def quickstart(stage: Stage) -> None:
    """The program of the quickstart: two store objects on one session."""
    asked(stage)
    a, b = stage.worker("A"), stage.worker("B")
    a.call("add_assistant_message", "trip", "Porto it is.")
    b.call("add_user_message", "trip", "And when?")
    a.call("get_chat_history", "trip")
