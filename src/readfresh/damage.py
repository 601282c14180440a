"""The way out of a damaged file, and the inspection of a directory.

1. `rescue` changes nothing unless it is given an id to copy to, and never touches the damaged file.
2. What is rescued is what is complete: a message is taken whole or left out, and what is left out is said.
3. `verify` only looks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from readfresh.chat import ChatStore
from readfresh.codec import Moved, NotASession, TooNew, decode
from readfresh.errors import (
    ReadFailed,
    SessionDamaged,
    SessionExists,
    SessionMismatch,
    SessionMoved,
    SessionNotFound,
    SessionTooNew,
)
from readfresh.model import SessionData, SessionMessage, seconds_of
from readfresh.names import check_id, is_id

__all__ = ["Finding", "Rescued", "rescue", "verify"]

_MESSAGES = re.compile(r'"messages"\s*:\s*\[')
_FIELDS: tuple[str, ...] = tuple(name for name in SessionData.__match_args__ if name not in ("session_id", "messages"))


@dataclass(frozen=True)
class Rescued:
    """What could be read of a damaged session.

    Args:
        session: the messages, oldest first, and what else could be read.
        left_out: what could not be read, one sentence each; empty when the file is not damaged.
        new_session_id: the session that it was copied to; None when it was only shown.
    """

    session: SessionData
    left_out: tuple[str, ...]
    new_session_id: str | None = None


@dataclass(frozen=True)
class Finding:
    """Something in a session directory that a person wants to know of.

    Args:
        session_id: the session.
        kind: ``damaged``, ``too-new``, ``moved``, ``unreadable``, ``foreign``; ``unlisted-child``: a child whose
            parent exists and does not list it, as a crash between the two writes of a creation leaves it;
            or ``litter``: a temporary file of a session that does not exist, as a crash in its first write leaves it.
        what: the finding and the next step, as a sentence.
    """

    session_id: str
    kind: Literal["damaged", "too-new", "moved", "unreadable", "foreign", "unlisted-child", "litter"]
    what: str


def rescue(store: ChatStore[Any], session_id: str, new_session_id: str | None = None) -> Rescued:
    """Read what can be read of a session, and copy it into a new session when an id is given.

    The file itself is never changed; `delete_session` deletes it when you are done.

    Args:
        store: the store; a plain one rescues the messages and fields of a hierarchical session too.
        session_id: the session.
        new_session_id: the session to create; None copies nothing.

    Raises:
        SessionNotFound: there is no file.
        SessionExists: `new_session_id` is taken.
        SessionTooNew: the file is not damaged, but of a newer schema.
        SessionMoved: the file is not damaged, but what a move has left behind.
        SessionMismatch: the file is not damaged, but holds a session of another id.
        SessionDamaged: what stands there is no regular file, or larger than `max_file_bytes`.
        TypeError, ValueError: an id is wrong.
    """
    with store._reporting():
        raw = store._storage.raw(check_id(session_id))
        if raw is None:
            raise SessionNotFound("it does not exist", session_id=session_id)
        fields, left_out = _readable(raw, session_id, store._storage.path(session_id))
    messages = []
    for number, message in enumerate(fields.pop("messages")):
        try:
            messages.append(SessionMessage.from_dict(message))
        except (TypeError, ValueError) as error:
            left_out.append(f"Message {number} is left out: {error}.")
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            SessionData(session_id, **{name: value})
        except (TypeError, ValueError) as error:
            left_out.append(f"Field {name!r} is left out: {error}.")
        else:
            kept[name] = value
    found = SessionData(session_id, messages=tuple(messages), **kept)
    if new_session_id is None:
        return Rescued(found, tuple(left_out))
    target = check_id(new_session_id, "new_session_id")

    def create(current: SessionData | None) -> SessionData:
        if current is not None:
            raise SessionExists("it exists already", session_id=target, next_step="Choose another new_session_id.")
        known = {name: getattr(found, name) for name in ("messages", *_FIELDS)}
        copy: SessionData = store._session_type(target, **known)
        return copy

    store._update(target, create)
    return Rescued(found, tuple(left_out), target)


def verify(store: ChatStore[Any]) -> tuple[Finding, ...]:
    """Return what is wrong in the store's directory, in order of session id; empty when nothing is.

    Looks at every message of every session. Takes no locks and changes nothing.
    While workers create sessions, a child may show as unlisted for the moment between its two writes, and a session as
    litter while its first state is written: look again before you act.

    Raises:
        ReadFailed: the system refused to list the directory.
    """
    findings = []
    children: dict[str, set[str]] = {}
    parents: dict[str, str] = {}
    created: dict[str, float] = {}
    for entry in store._scan():
        if entry.error is not None and entry.status != "ok":
            findings.append(Finding(entry.session_id, entry.status, str(entry.error)))
        elif entry.session is not None:
            if not entry.whole:
                try:
                    store._storage.read(entry.session_id)
                except (SessionDamaged, ReadFailed) as error:
                    kind: Literal["damaged", "unreadable"]
                    kind = "damaged" if isinstance(error, SessionDamaged) else "unreadable"
                    findings.append(Finding(entry.session_id, kind, str(error)))
            data = entry.session.to_dict()
            listed = data.get("children_ids")  # to a plain store a field like any other, of any type
            children[entry.session_id] = (
                {one for one in listed if isinstance(one, str)} if isinstance(listed, list) else set()
            )
            created[entry.session_id] = seconds_of(entry.session.created_at)
            if isinstance(parent := data.get("parent_id"), str):
                parents[entry.session_id] = parent
    for child, parent in parents.items():
        # A child that is older than its parent came from an earlier session of that id, which has been deleted.
        if child not in children.get(parent, {child}) and created[child] >= created[parent]:
            what = (
                f"Session {child!r} names the parent {parent!r}, which does not list it: its creation never returned. "
                "Delete it, or keep it as a session without a parent."
            )
            findings.append(Finding(child, "unlisted-child", what))
    for session_id in store._storage.litter():
        what = (
            f"A temporary file of session {session_id!r} is left, whose first write never returned. "
            "The next write to the session removes it; where none will come, delete_session does."
        )
        findings.append(Finding(session_id, "litter", what))
    return tuple(sorted(findings, key=lambda finding: (finding.session_id, finding.kind)))


def _readable(raw: bytes, session_id: str, path: str) -> tuple[dict[str, Any], list[str]]:
    """Return the JSON fields that can be read, `messages` among them, and what was left out."""
    try:
        data = decode(raw)
        messages = [] if data.get("messages") is None else data["messages"]
        if isinstance(messages, list):
            known = {name: data[name] for name in _FIELDS if data.get(name) is not None}
            known["messages"] = messages
            others = sorted(data.keys() - known.keys() - {"session_id"} - {*_FIELDS})
            left_out = [f"Fields that are not copied: {', '.join(others)}."] if others else []
            named = data.get("session_id")
            if not is_id(named):
                left_out.append(f"The file names the session {named!r}.")
            elif named != session_id:
                raise SessionMismatch(f"the file holds the session {named!r}", session_id=session_id, path=path)
            return known, left_out
    except TooNew as error:
        raise SessionTooNew(str(error), session_id=session_id, path=path) from None
    except Moved as error:
        raise SessionMoved(str(error), session_id=session_id, path=path) from None
    except NotASession as error:
        why = str(error)
    else:
        why = "it has no list of messages"
    left_out = [f"The file is not a session: {why}."]
    content = raw.decode(errors="replace")
    begin = _MESSAGES.search(content)
    if begin is None:
        left_out.append("No list of messages was found in it.")
        return {"messages": []}, left_out
    head = content[: begin.start()]
    fields = {name: value for name in _FIELDS if (value := _field(head, name)) is not None}
    fields["messages"] = list(_objects(content, begin.end(), left_out))
    return fields, left_out


def _field(head: str, name: str) -> Any:
    found = re.search(rf'^[^\S\n]*"{name}"\s*:\s*', head, re.MULTILINE)
    if found is None:
        return None
    try:
        return json.JSONDecoder().raw_decode(head, found.end())[0]
    except (ValueError, RecursionError):
        return None


def _objects(content: str, position: int, left_out: list[str]) -> Iterator[Any]:
    """Yield the objects of the list that begins at `position`; a damaged one costs itself alone."""
    resume = _next_item(content, position)
    end = position
    damaged = 0
    while True:
        position = _skip(content, position)
        if position >= len(content):
            left_out.append("The file ends before its list of messages does.")
            break
        if content[position] == "]":
            break
        if end <= position:
            found = resume.search(content, position + 1)
            end = found.end() - 1 if found else len(content)
        try:
            value, length = _object(content, position, end)
        except (ValueError, RecursionError):
            damaged += 1
            position = end
            continue
        position += length
        yield value
    if damaged:
        left_out.append(f"{damaged} damaged message{'' if damaged == 1 else 's'}.")


def _object(content: str, begin: int, end: int) -> tuple[Any, int]:
    """Return the object at `begin`, and how long it is; raise ValueError when none ends before `end`.

    It is given more and more of the text: an error counts the lines of all that it was given, and so does a copy.
    """
    if content[begin] != "{":
        raise ValueError
    decoder = json.JSONDecoder()
    length = 256
    while begin + length < end:
        with suppress(ValueError):
            return decoder.raw_decode(content[begin : begin + length])
        length *= 16
    return decoder.raw_decode(content[begin:end])


def _next_item(content: str, position: int) -> re.Pattern[str]:
    """Return what the next item of a list looks like: it is indented as the first one is, or begins with its role."""
    first = re.compile(r"\n([ \t]+)\{").match(content, position)
    if first is None:
        return re.compile(r'\{(?=\s*"role")')
    indent = first[1]
    return re.compile(rf"\n(?:{indent}\{{|[ \t]{{0,{len(indent) - 1}}}\])")


def _skip(content: str, position: int) -> int:
    while position < len(content) and content[position] in " \t\r\n,\0":
        position += 1
    return position
