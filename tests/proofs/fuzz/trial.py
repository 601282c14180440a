"""A file in the place of a session, and every verb of both stores on it.

What must hold, whatever the file is:

1. A verb succeeds or raises an error of ours, which says all five things that an error says.
2. A file that one verb cannot read no verb reads: each raises the same error. `delete_session` deletes it, since it was
   asked for by name; `session_exists` finds it; queries answer from the others.
3. After an error, and after a verb that only reads, each byte in the directory is as it was.
4. A session that was read and changed keeps what the change does not name, and what was saved reads back equal.
5. What the hierarchical store reads the plain one reads too, and the same; an error of one is an error of both,
   but for fields that only the hierarchical one knows.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from readfresh import (
    DefaultSessionStore,
    HierarchicalSessionStore,
    SessionDamaged,
    SessionData,
    SessionExists,
    SessionMismatch,
    SessionMoved,
    SessionStoreError,
    SessionTooNew,
    rescue,
    verify,
)
from readfresh.files import SessionFiles
from tests.guarantees.content import exactly
from tests.proofs.fuzz.memory import DIRECTORY, MemoryDisk
from tests.proofs.rung import Finding
from tests.store.support import Verb, filled, verbs_of

KINDS: tuple[Any, ...] = (DefaultSessionStore, HierarchicalSessionStore)
STATUS = {SessionDamaged: "damaged", SessionTooNew: "too-new", SessionMoved: "moved"}
COMMON = tuple(field.name for field in dataclasses.fields(SessionData) if field.name != "extra")
# The fields that a verb changes; what else is in the file it keeps.
CHANGES = {
    "add_user_message": set(),
    "update_session_metadata": {"metadata"},
    "set_agent_info": {"agent_name"},
    "set_gateway_info": {"agent_id"},
    "create_snapshot": set(),
    "share_session": {"is_shared"},
    "set_title": {"title"},
}
MANY_LOADS = 100
STAMPS = {"created_at", "updated_at", "schema_version"}


class Found(Exception):
    """Something is wrong; see `finding`."""

    def __init__(self, what: str, raw: bytes, *history: str) -> None:
        super().__init__(what)
        self.finding = Finding(what, (*history, f"the file: {raw.decode(errors='backslashreplace')[:4000]}"))


class Trial:
    """Puts files in the place of the session ``trip``, beside a good one, and counts what it does.

    Attributes:
        counts: files that were read, files that were refused, calls.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        other = MemoryDisk({})
        filled(DefaultSessionStore, DIRECTORY, "good", disk=other, durability="process", now=lambda: 1.0)
        self._good = other.files["good.json"]

    def run(self, raw: bytes, *, every_verb: bool = True) -> None:
        """Try both stores on a file; raise `Found` at the first thing that is wrong.

        Without `every_verb` only what looks into the file is tried: to read it, to rescue it, and to save it again.
        """
        errors = {}
        sessions = {}
        for kind in KINDS:
            attempt = _Attempt(kind, raw, self._good)
            errors[kind], sessions[kind] = attempt.read()
            attempt.reads_as(errors[kind], sessions[kind])
            if every_verb:
                attempt.every_verb(errors[kind])
            self.counts["calls"] += attempt.calls
        plain, tree = (type(errors[kind]) if errors[kind] else None for kind in KINDS)
        if plain is not tree and (plain not in (None, SessionMismatch) or tree is not SessionDamaged):
            raise Found(f"the plain store reads it as {plain} and the hierarchical one as {tree}", raw)
        if tree is None:
            for name in COMMON:
                if getattr(sessions[KINDS[0]], name) != getattr(sessions[KINDS[1]], name):
                    raise Found(f"the two stores read {name} as two things", raw)
        self.counts["files that are sessions" if tree is None else "files that are refused"] += 1


class _Attempt:
    """One kind of store, and one file."""

    def __init__(self, kind: Any, raw: bytes, good: bytes) -> None:
        self.kind = kind
        self.raw = raw
        self.files = {"trip.json": raw, "good.json": good}
        self.disk = MemoryDisk(self.files)
        ids = itertools.count()
        self.store = kind(
            DIRECTORY, durability="process", disk=self.disk, now=lambda: 9.5, new_id=lambda: f"new-{next(ids)}"
        )
        self.calls = 0

    def wrong(self, what: str, *history: str) -> Found:
        """Return what is to be raised."""
        return Found(f"{self.kind.__name__}: {what}", self.raw, *history)

    def made(self, name: str, call: Callable[[], Any]) -> tuple[SessionStoreError | None, Any]:
        """Make a call on the file as it was given; return its error, or its answer."""
        self.calls += 1
        self.disk.files = dict(self.files)
        try:
            return None, call()
        except SessionStoreError as error:
            self._speaks(name, error)
            if self.disk.files != self.files:
                raise self.wrong(f"{name} raises {type(error).__name__} and has changed the directory") from error
            return error, None
        except Exception as error:
            if name == "revert_to_snapshot" and isinstance(error, ValueError) and "holds no messages" in str(error):
                return None, error  # its argument names a snapshot that is an index alone, see its docstring
            raise self.wrong(f"{name} raises {type(error).__name__}, which is no error of a store: {error}") from error

    def _speaks(self, name: str, error: SessionStoreError) -> None:
        said = (error.cause, error.next_step, error.session_id, error.path)
        if not all(isinstance(one, str) and one for one in said) or error.written != "nothing" or not str(error):
            raise self.wrong(f"{name} raises an error that does not say all: {error!r}")

    def read(self) -> tuple[SessionStoreError | None, Any]:
        """Read the session."""
        return self.made("get_session", lambda: self.store.get_session("trip"))

    def reads_as(self, error: SessionStoreError | None, session: Any) -> None:
        """Rescue what was read, or was not, and save again what was."""
        if error is None:
            try:
                read_strictly(self.raw)
            except ValueError as no_json:
                raise self.wrong(f"get_session reads what is no JSON: {no_json}") from no_json
        self._rescues(error, session)
        if error is None:
            self._reads_back(session)

    def every_verb(self, error: SessionStoreError | None) -> None:
        """Try every verb, and verify."""
        for verb in verbs_of(self.kind):
            raised, answer = self.made(verb.name, lambda verb=verb: verb.call(self.store, "trip"))  # type: ignore[misc]
            if error is None:
                self._did_as_with_a_session(verb, raised)
            else:
                self._did_as_without(verb, error, raised, answer)
            if raised is None and self.disk.files != self.files and not verb.writes:
                raise self.wrong(f"{verb.name} only reads, and has changed the directory")
            if self.disk.files.get("good.json") != self.files["good.json"] or any(
                name.endswith(".tmp") for name in self.disk.files
            ):
                raise self.wrong(f"{verb.name} has left something, or changed another session")
        self._lists(error)

    def _did_as_with_a_session(self, verb: Verb, raised: SessionStoreError | None) -> None:
        if raised is not None and not isinstance(raised, SessionExists):
            raise self.wrong(f"{verb.name} raises {raised!r}, and the session can be read")
        if verb.name in CHANGES:
            before, after = json.loads(self.raw), json.loads(self.disk.files["trip.json"])
            if gone := lost(before, after, CHANGES[verb.name] | STAMPS, tree=self.kind is HierarchicalSessionStore):
                raise self.wrong(f"{verb.name} has changed {gone}, which it does not name")

    def _did_as_without(
        self, verb: Verb, error: SessionStoreError, raised: SessionStoreError | None, answer: Any
    ) -> None:
        as_asked = isinstance(error, SessionDamaged | SessionTooNew)
        if not verb.per_session:
            fine = raised is None
        elif as_asked and verb.name in ("session_exists", "delete_session"):
            fine = answer is True and ("trip.json" in self.disk.files) == (verb.name == "session_exists")
        else:
            fine = type(raised) is type(error)
        if not fine:
            raise self.wrong(f"{verb.name} answers {answer!r} or raises {raised!r}, where get_session raises {error!r}")

    def _lists(self, error: SessionStoreError | None) -> None:
        _, rows = self.made("list_sessions", self.store.list_sessions)
        found = {row["file"]: row["status"] for row in rows}
        wanted = {"good.json": "ok", "trip.json": "ok" if error is None else STATUS.get(type(error), "foreign")}
        if found != wanted:
            raise self.wrong(f"list_sessions shows {found}, and not {wanted}")
        _, named = self.made("list_sessions_by_agent", lambda: self.store.list_sessions_by_agent("Ann"))
        if "good" not in named:
            raise self.wrong("a query leaves out a good session")
        raised, findings = self.made("verify", lambda: verify(self.store))
        shown = [one.kind for one in findings or () if one.kind != "unlisted-child"]
        if raised is not None or shown != ([] if error is None else [wanted["trip.json"]]):
            raise self.wrong(f"verify finds {shown} or raises {raised!r}, where list_sessions shows {wanted}")

    def _rescues(self, error: SessionStoreError | None, session: Any) -> None:
        raised, saved = self.made("rescue", lambda: rescue(self.store, "trip"))
        if raised is None and self.disk.files != self.files:
            raise self.wrong("rescue has changed the directory")
        if error is None and (raised is not None or saved.session.messages != session.messages):
            raise self.wrong(f"rescue raises {raised!r}, or does not read what can be read")
        raised, saved = self.made("rescue to another", lambda: rescue(self.store, "trip", "saved"))
        if raised is None and self.store.get_session("saved").messages != saved.session.messages:
            raise self.wrong("what was rescued does not read back")

    def _reads_back(self, session: Any) -> None:
        given: list[Any] = []

        def change(now: Any) -> Any:
            given.append(dataclasses.replace(now, user_id="somebody"))
            return given[0]

        self.made("update", lambda: self.store.update("trip", change))
        found = dataclasses.replace(self.store.get_session("trip"), updated_at=None, created_at=None)
        if found != dataclasses.replace(given[0], updated_at=None, created_at=None):
            raise self.wrong("what was saved reads back as something else")
        if found.messages != session.messages:
            raise self.wrong("a change of a field has changed the messages")


def read_strictly(raw: bytes) -> Any:
    """Return the JSON in a file; raise ValueError where two readers of JSON may see two things, or none."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice in an object")
        return found

    def number(digits: str) -> float:
        if not math.isfinite(found := float(digits)):
            raise ValueError(f"it holds the number {digits}")
        return found

    return json.loads(raw, object_pairs_hook=once, parse_constant=number, parse_float=number)


def lost(before: Any, after: Any, changed: set[str], *, tree: bool) -> str | None:
    """Return where a session's JSON is not in that of a later state; None when all is kept but what has changed.

    A field of ours that is null, or left out, may stand there as what it is read as.
    """
    for key, value in before.items():
        if key in changed or value is None:
            continue
        if key == "messages" or (key == "snapshots" and tree):
            compare = _lost_of_message if key == "messages" else _lost_of_snapshot
            for number, item in enumerate(value):
                if where := compare(item, after[key][number]):
                    return f"{key}[{number}].{where}"
        elif key not in after or exactly(value) != exactly(after[key]):
            return str(key)
    return None


def _lost_of_message(before: Any, after: Any) -> str | None:
    gone = (key for key, value in before.items() if value is not None and exactly(value) != exactly(after.get(key)))
    return next(gone, None)


def _lost_of_snapshot(before: Any, after: Any) -> str | None:
    """Do as `lost` does; the messages of a snapshot stand in its transcript afterwards, unless they are pooled.

    A list of its own beside the transcript or the pool that it is read from is not kept: nobody writes one.
    """
    transcript = before.get("transcript")
    in_transcript = isinstance(transcript, dict) and "transcript_refs" not in before
    old = transcript.get("messages") if in_transcript else before.get("messages")
    if isinstance(old, list) and "transcript_refs" not in before:
        new = after["messages"] if "messages" in after else after["transcript"]["messages"]
        for number, message in enumerate(old):
            if where := _lost_of_message(message, new[number]):
                return f"messages[{number}].{where}"
    for key, value in before.items():
        kept = after.get(key)
        if key == "transcript" and in_transcript:
            value, kept = ({**one, "messages": []} for one in (value, kept))
        if key != "messages" and value is not None and exactly(value) != exactly(kept):
            return str(key)
    return None


@contextmanager
def quick(*, shares_loads: bool = True) -> Iterator[None]:
    """Leave out what takes time and changes nothing.

    `auto_title` starts no threads, and nothing is logged of damaged files.
    Where that is wanted, the same bytes are loaded once for all verbs: what they are read as depends on nothing else.
    """
    load = SessionFiles._session
    made: dict[tuple[Any, ...], Any] = {}

    def load_once(files: Any, raw: bytes, session_id: str, path: str) -> Any:
        key = (files.session_type, raw, session_id)
        if key not in made:
            if len(made) > MANY_LOADS:
                made.clear()
            try:
                made[key] = load(files, raw, session_id, path)
            except Exception as error:
                made[key] = error
        if isinstance(found := made[key], Exception):
            raise found.with_traceback(None)
        return found

    async def here(function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        if shares_loads:
            patch.setattr(SessionFiles, "_session", load_once)
        patch.setattr(asyncio, "to_thread", here)
        patch.setattr(logging.getLogger("readfresh"), "disabled", True)
        yield
