"""Cuts the power at every moment of a record, and judges each session on each disk that may be left.

1. A session is *kept* when it is as the last call that has returned left it, or as the call under way leaves it.
2. It is *lost* when it is as an earlier call left it: whole, and without what has returned.
3. It is *broken* when it is none of these: it cannot be read, or is a mixture that was never written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from readfresh import SessionStoreError
from readfresh.names import SUFFIX, id_of
from tests.proofs.power.model import ORDERS, ROOT, Left, Model, Order, Tree
from tests.proofs.power.programs import SESSIONS, STARTS, Record
from tests.proofs.power.simulated import SimulatedDisk
from tests.proofs.rung import Finding
from tests.store.support import Kind

Fate = Literal["kept", "lost", "broken"]
FATES: tuple[Fate, ...] = ("kept", "lost", "broken")
_EMPTY: Tree = {ROOT: None, str(PurePosixPath(SESSIONS).parent): None, SESSIONS: None}


@dataclass(frozen=True)
class Refused:
    """What a store says instead of a session."""

    error: str
    by_name: bool  # whether the error is one of the store's own


@dataclass(frozen=True)
class Cut:
    """One session on one disk that a loss of power has left.

    Args:
        record: what was done before.
        moment: how many operations were done.
        order: how names persist.
        left: the disk.
        path: the session's file.
        found: the session as a fresh store reads it; None where there is none.
        touched: whether any of the calls changed it.
        fate: what became of it.
    """

    record: Record
    moment: int
    order: Order
    left: Left
    path: str
    found: Any
    touched: bool
    fate: Fate

    def finding(self) -> Finding:
        """Say it so that a reader can follow it: what was done, what of it is on the disk, and what is found."""
        program, session_id = self.record.program, id_of(PurePosixPath(self.path).name)
        wrong = {"kept": "is kept", "lost": "has lost what has returned", "broken": "is neither old nor new"}[self.fate]
        done = self.record.operations[: self.moment]
        history = [f"  from {STARTS[program.start]}"]
        for number, operation in enumerate(done):
            lacks = "its name is not on the disk" if number in self.left.absent else ""
            if operation.verb in ("write", "empty"):
                lacks = self.left.bytes.get(operation.file, "")
            history.append(f"  {operation}" + (f" - {lacks}" if lacks else ""))
        history.append(f"  the power is lost; names persist {self.order}")
        history.append(f"  found: {_in_words(self.found)}")
        calls = [operation for operation in done if operation.verb in ("call", "return")]
        when = f"{calls[-1].path} has returned" if calls[-1].verb == "return" else f"in {calls[-1].path}"
        slug = "durable" if self.fate == "lost" else "all-or-nothing"
        return Finding(
            f"{slug}: {program.kind.__name__}, power lost when {when}: the session {session_id!r} {wrong}",
            tuple(history),
        )


@dataclass
class Tally:
    """How many of what were looked at, and the first session of each fate."""

    programs: int = 0
    operations: int = 0
    cuts: int = 0
    disks: Counter[Order] = field(default_factory=Counter)
    fates: Counter[tuple[Order, Fate]] = field(default_factory=Counter)
    first: dict[Fate, Cut] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return the counts by words, those that are not 0."""
        by_words = {"programs": self.programs, "operations": self.operations, "cuts": self.cuts}
        for order in ORDERS:
            by_words[f"disks, {order}"] = self.disks[order]
            by_words |= {f"sessions {fate}, {order}": self.fates[order, fate] for fate in FATES}
        return {words: count for words, count in by_words.items() if count}


class Judge:
    """Knows what each session must be at each moment of a record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._found: dict[tuple[str, bytes | None], Any] = {}
        self.states = self._states()
        self.sessions = sorted({path for state in self.states for path in state})
        self._returned = [0]
        for operation in record.operations:
            self._returned.append(self._returned[-1] + (operation.verb == "return"))
        self._fates: dict[tuple[str, bytes | None, int, bool], Fate] = {}

    def fate(self, moment: int, path: str, content: bytes | None) -> Fate:
        """Return what became of a session, which is found with these bytes after that many operations."""
        returned = self._returned[moment]
        under_way = moment > 0 and self.record.operations[moment - 1].verb != "return"
        key = path, content, returned, under_way
        if key not in self._fates:
            found = self.found(path, content)
            allowed = [state.get(path) for state in self.states[returned : returned + under_way + 1]]
            earlier = [state.get(path) for state in self.states[:returned]]
            self._fates[key] = "kept" if found in allowed else "lost" if found in earlier else "broken"
        return self._fates[key]

    def found(self, path: str, content: bytes | None) -> Any:
        """Return the session as a fresh store reads it, None when there is none, or what the store says instead."""
        if (path, content) not in self._found:
            self._found[path, content] = _read(self.record.program.kind, path, content)
        return self._found[path, content]

    def touches(self, path: str) -> bool:
        """Return whether any of the calls changed the session."""
        return any(state.get(path) != self.states[0].get(path) for state in self.states)

    def _states(self) -> list[dict[str, Any]]:
        """Return what each session is at the start and when each call has returned."""
        model = Model(self.record.start)
        states = [self._sessions(model.now())]
        for operation in self.record.operations:
            model.do(operation)
            if operation.verb == "return":
                states.append(self._sessions(model.now()))
        return states

    def _sessions(self, tree: Tree) -> dict[str, Any]:
        return {path: self.found(path, content) for path, content in tree.items() if path.endswith(SUFFIX)}


def cut_everywhere(record: Record, tally: Tally, *, until: Callable[[Cut], bool] = lambda _cut: False) -> Cut | None:
    """Cut the power after each operation of a record; return the first cut for which `until` is true, and stop there.

    A disk is looked at once at each moment, and in each order of names.
    """
    judge = Judge(record)
    model = Model(record.start)
    tally.programs += 1
    for moment, operation in enumerate(record.operations, 1):
        model.do(operation)
        if operation.verb == "call":
            continue  # the disks are those of the moment before, and more is allowed
        tally.operations += operation.verb != "return"
        tally.cuts += 1
        for order in ORDERS:
            for left in model.after_a_cut(order, sees=lambda path: path.endswith(SUFFIX)):
                tally.disks[order] += 1
                for path in judge.sessions:
                    content = left.tree.get(path)
                    fate = judge.fate(moment, path, content)
                    if fate != "kept":
                        found = judge.found(path, content)
                        cut = Cut(record, moment, order, left, path, found, judge.touches(path), fate)
                        tally.first.setdefault(fate, cut)
                        if until(cut):
                            return cut
                    tally.fates[order, fate] += 1
    return None


def go_on(kind: Kind, tree: Tree) -> str:
    """Let a fresh store list and change all that is on a disk, and say what is wrong; empty when nothing is."""
    try:
        return _go_on(kind, tree)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _go_on(kind: Kind, tree: Tree) -> str:
    disk = SimulatedDisk(tree=tree)
    store: Any = kind(SESSIONS, disk=disk)
    present = {id_of(PurePosixPath(path).name) or path for path in tree if path.endswith(SUFFIX)}
    listed = {entry["session_id"]: entry["status"] for entry in store.list_sessions(None)}
    if listed != dict.fromkeys(present, "ok"):
        return f"list_sessions says {listed}"
    for session_id in sorted({*present, "trip", "inn"}):
        before = store.get_chat_history(session_id)
        store.add_message(session_id, "user", "next")
        if kind(SESSIONS, disk=disk).get_chat_history(session_id) != [*before, {"role": "user", "content": "next"}]:
            return f"a message that was added to {session_id!r} is not there, or others are not"
        if disk.exists(f"{SESSIONS}/{session_id}.json.tmp"):
            return f"the temporary file of {session_id!r} is left"
    if hasattr(store, "get_children") and not {*store.get_children("trip")} <= present:
        return "the session 'trip' lists a child that does not exist"
    return ""


def _read(kind: Kind, path: str, content: bytes | None) -> Any:
    if content is None:
        return None
    session_id = id_of(PurePosixPath(path).name) or ""
    try:
        return kind(SESSIONS, disk=SimulatedDisk(tree={**_EMPTY, path: content})).get_session(session_id)
    except SessionStoreError as error:
        return Refused(f"{type(error).__name__}: {error}", by_name=True)
    except Exception as error:
        return Refused(f"{type(error).__name__}: {error}", by_name=False)


def _in_words(found: Any) -> str:
    if found is None:
        return "no session"
    if isinstance(found, Refused):
        return found.error
    return f"a session with {len(found.messages)} messages, updated at {found.updated_at}"
