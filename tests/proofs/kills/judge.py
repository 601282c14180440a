"""What must hold when a process has been killed, and the looks that another process takes at it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readfresh import LockTimeout, SessionMoved, SessionStoreError, verify
from readfresh.codec import MOVED
from tests.proofs.kills.scene import DAMAGED, SESSION, Files, Scene
from tests.store.support import Store, Verb

TEMPORARY = ".json.tmp"
ORDER = ("before", "between", "after")


class Wrong(Exception):
    """A rule that does not hold; its text says which, and what is there instead."""


@dataclass(frozen=True)
class Whole:
    """What a call does when nobody kills its process.

    Args:
        outcome: what it returned, or the error that it raised.
        before: the sessions as they were, by the names of their files.
        after: the sessions as they are when it has returned.
        litter: the temporary files that stood there already.
        steps: what it did at the seam.
    """

    outcome: Any
    before: Files
    after: Files
    litter: Sequence[str]
    steps: Sequence[tuple[str, str]]

    @property
    def made(self) -> Files:
        """The sessions that it creates."""
        return {name: content for name, content in self.after.items() if name not in self.before}

    @property
    def states(self) -> dict[str, Files]:
        """What a crash may leave, in order; `between` there is a child that its parent does not list yet."""
        two = self.made and any(map(self._changes, self.before))
        between = {"between": {**self.before, **self.made}} if two else {}
        return {"before": self.before, **between, "after": self.after}

    @property
    def touched(self) -> list[str]:
        """The files of the sessions whose locks it took, or which it changed: of no other can anything be left."""
        locked = {file.removesuffix(".lock") for verb, file in self.steps if verb == "lock"}
        return sorted(locked | {name for name in {*self.before, *self.after} if self._changes(name)})

    def _changes(self, name: str) -> bool:
        return self.before.get(name) != self.after.get(name)


def whole(call: Verb, store: Store, directory: Path, steps: Sequence[tuple[str, str]]) -> Whole:
    """Let a store do a call to its end, and check that it has done what it says; its disk notes its `steps`."""
    before, found = left_in(directory)
    try:
        outcome = call.call(store, SESSION)
    except SessionStoreError as error:
        outcome = error
    after, litter = left_in(directory)
    done = Whole(outcome, before, after, found, tuple(steps))
    answer = f"{call.name} answered {outcome!r}"
    if (outcome is not False and not isinstance(outcome, SessionStoreError)) != (before != after):
        raise Wrong(f"durable: {answer}, and what it named is {'as it was' if before == after else 'another now'}")
    swept = [f"{name}.tmp" for name in done.touched] if before != after else []
    if left := [name for name in litter if name in swept or name not in found]:
        raise Wrong(f"litter: {answer}, and left {', '.join(left)}")
    return done


def left_in(directory: Path) -> tuple[Files, list[str]]:
    """Return the sessions in a directory by the names of their files, and the names of what else there is but locks."""
    found = sorted(os.listdir(directory)) if directory.exists() else []
    sessions = {name: (directory / name).read_bytes() for name in found if name.endswith(".json")}
    return sessions, [name for name in found if not name.endswith((".json", ".lock"))]


def judge(scene: Scene, done: Whole, directory: Path) -> tuple[str, list[str]]:
    """Look at what a killed process has left; return the state that it is in, and the litter that was there.

    In the end it writes to every session that the process touched, as the next writers do.

    Raises:
        Wrong: a rule does not hold.
    """
    sessions, litter = left_in(directory)
    state = next((name for name, files in done.states.items() if files == sessions), None)
    if state is None:
        raise Wrong(f"all-or-nothing: neither as before nor as after: {_difference(done, sessions)}")
    if strange := [
        name for name in litter if name not in done.litter and name.removesuffix(".tmp") not in done.touched
    ]:
        raise Wrong(f"litter: nobody removes {', '.join(strange)}")
    unlisted = [name.removesuffix(".json") for name in done.made if state == "between"]
    try:
        _inspect(scene, directory, sessions, litter, unlisted)
        for name in done.touched:
            _go_on(scene, directory, name.removesuffix(".json"), sessions.get(name), left=f"{name}.tmp" in litter)
    except LockTimeout as error:
        raise Wrong(f"waiting-is-bounded: a dead process blocks others: {error}") from error
    except SessionStoreError as error:
        raise Wrong(f"all-or-nothing: the next one who uses it is refused: {error}") from error
    if still := [name for name in left_in(directory)[1] if name.removesuffix(".tmp") in done.touched]:
        raise Wrong(f"litter: after the next writers there is {', '.join(still)}")
    return state, litter


def _inspect(scene: Scene, directory: Path, sessions: Files, litter: list[str], unlisted: list[str]) -> None:
    """Let `verify` look: it names what a person wants to know, and nothing else."""
    expected = [(session_id, "unlisted-child") for session_id in unlisted]
    expected += [(DAMAGED, "damaged")] if f"{DAMAGED}.json" in sessions else []
    expected += [(name.removesuffix(".json"), "moved") for name, content in sessions.items() if _is_moved(content)]
    expected += [
        (name.removesuffix(TEMPORARY), "litter") for name in litter if name.removesuffix(".tmp") not in sessions
    ]
    found = [(one.session_id, one.kind) for one in verify(scene.store(directory))]
    if found != sorted(expected):
        raise Wrong(f"tree-is-sound: verify finds {found}, and there is {sorted(expected)}")


def _go_on(scene: Scene, directory: Path, session_id: str, content: bytes | None, *, left: bool) -> None:
    """Be the next one who uses a session: what was acknowledged is there, and the lock is free.

    Of a session that was never written, and whose id nobody else knows, this deletes what is left; a damaged one too.
    One that has moved says so, and the next run of the move finds it.
    """
    if content is not None and _is_moved(content):
        with suppress(SessionMoved):
            scene.store(directory).add_user_message(session_id, "next")
            raise Wrong(f"no-lost-update: {session_id!r} has moved, and takes a message that nobody will find")
        return
    damaged = session_id == DAMAGED and content is not None
    acknowledged: list[Any] = []
    if content is not None and not damaged:
        acknowledged = [message["content"] for message in json.loads(content)["messages"]]
        if (read := _messages(scene, directory, session_id)) != acknowledged:
            raise Wrong(f"durable: {session_id!r} reads as {read}, and {acknowledged} was acknowledged")
    if damaged or (content is None and left and session_id != SESSION):
        scene.store(directory).delete_session(session_id)
    else:
        scene.store(directory).add_user_message(session_id, "next")
        acknowledged.append("next")
    if (read := _messages(scene, directory, session_id)) != acknowledged:
        raise Wrong(f"no-lost-update: {session_id!r} reads as {read} when the next writer has made it {acknowledged}")


def _is_moved(content: bytes) -> bool:
    return f'"{MOVED}"'.encode() in content


def _messages(scene: Scene, directory: Path, session_id: str) -> list[Any]:
    return [message["content"] for message in scene.store(directory).get_chat_history(session_id)]


def _difference(done: Whole, sessions: Files) -> str:
    def said(content: bytes | None) -> str:
        return "missing" if content is None else f"{len(content)} bytes"

    names = sorted({*done.before, *done.after, *sessions})
    different = [
        f"{name} is {said(sessions.get(name))} (before: {said(done.before.get(name))}, "
        f"after: {said(done.after.get(name))})"
        for name in names
        if sessions.get(name) not in (done.before.get(name), done.after.get(name))
    ]
    return "; ".join(different) or "some sessions are as before, and others as after"
