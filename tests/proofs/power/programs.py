"""What is done before the power is lost: every verb that changes something, and sequences of calls."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionExists, SessionNotFound, rescue
from readfresh.disk import Disk
from readfresh.storage import Durability
from tests.proofs.power.model import ROOT, Operation, Tree
from tests.proofs.power.recorded import Recorder, lay_out, tree_of
from tests.store.support import VERBS, Kind, filled, hand_over, verbs_of

SESSIONS = f"{ROOT}/ada/sessions"
KINDS = (cast("Kind", DefaultSessionStore), cast("Kind", HierarchicalSessionStore))
CLOCK = 1_800_000_000.0

# What stands on the disk, flushed, when the first call is made.
STARTS = {
    "filled": "a session 'trip' with two messages, and in a tree a child",
    "leftover": "the same, and the temporary file of a writer that was killed",
    "nothing": "no session directory, and none above it",
    "died": "a session directory whose maker died before it flushed its name",
}


@dataclass(frozen=True)
class Call:
    """A call of a store."""

    verb: str
    session_id: str
    make: Callable[[Any, str], Any]

    def __str__(self) -> str:
        return f"{self.verb} {self.session_id!r}"

    def to(self, store: Any) -> bool:
        """Make it, and return whether the store says that something has changed."""
        try:
            return self.make(store, self.session_id) is not False
        except (SessionExists, SessionNotFound):
            return False


@dataclass(frozen=True)
class Program:
    """Calls of one store, one after the other, from a start."""

    kind: Kind
    start: str
    calls: tuple[Call, ...]

    def __str__(self) -> str:
        return f"{self.kind.__name__}, {STARTS[self.start]}: {', '.join(map(str, self.calls))}"


@dataclass(frozen=True)
class Record:
    """What a program did to the disk.

    Args:
        program: the program.
        start: what was on the disk.
        operations: what was done to it, with where each call began and returned.
        wrong: what no store may do; empty when it did nothing of the kind.
    """

    program: Program
    start: Tree
    operations: tuple[Operation, ...]
    wrong: str = ""


def each_verb(only: Collection[str] = ()) -> Iterator[Program]:
    """Yield every verb that writes, or those that are named, on an old session and on a new one, from each start.

    A verb that refuses a session that does not exist is there too: it must do nothing.
    """
    for kind in KINDS:
        calls = [(verb.name, verb.call) for verb in verbs_of(kind) if verb.writes]
        if issubclass(kind, HierarchicalSessionStore):
            calls.append(("create_session", lambda store, session_id: store.create_session(session_id)))
        for verb, make in calls:
            if only and verb not in only:
                continue
            for start in STARTS:
                for session_id in ("trip", "inn") if start == "filled" else ("trip",):
                    yield Program(kind, start, (Call(verb, session_id, make),))
        for verb, make in OF_A_SESSION_THAT_IS_THERE.items():
            if not only or verb in only:
                yield Program(kind, "filled", (Call(verb, "trip", make),))


def _rescue(store: Any, session_id: str) -> Any:
    return rescue(store, session_id, "mended")


OF_A_SESSION_THAT_IS_THERE: dict[str, Callable[[Any, str], Any]] = {"rescue": _rescue, "hand_over": hand_over}
"""What is no verb of a store, and writes: to rescue a session into another, and what a move does to its file."""

# One verb of each class whose records are alike: a test says so.
ONE_OF_EACH_CLASS = ("add_message", "delete_session", "create_session", "fork_session", "import_session")


def some() -> Iterator[Program]:
    """Yield one verb of each class, from each start, and the sequences of two calls: for tables of many settings."""
    yield from each_verb(only=ONE_OF_EACH_CLASS)
    yield from sequences(2, small=True)


def sequences(length: int, *, small: bool = False) -> Iterator[Program]:
    """Yield every sequence of calls, each of one of two sessions, of which one exists at first.

    Args:
        length: how many calls.
        small: whether to leave out what is like something else.
    """
    verbs = {verb.name: verb.call for verb in VERBS}
    plain = [
        Call(verb, session_id, verbs[verb])
        for verb in ("add_message", "delete_session", *(() if small else ("set_chat_history", "clear_session")))
        for session_id in ("trip", "inn")
    ]
    tree = [
        *plain,
        Call("fork_session", "trip", verbs["fork_session"]),
        Call("create_session", "inn", lambda store, session_id: store.create_session(session_id, None, "trip")),
        *(() if small else (Call(verb, "trip", verbs[verb]) for verb in ("create_snapshot", "revert_to_snapshot"))),
    ]
    for kind, calls in zip(KINDS, (plain, tree), strict=True):
        for chosen in itertools.product(calls, repeat=length):
            yield Program(kind, "filled", chosen)


def prepare(program: Program, folder: Path) -> Recorder:
    """Put what a program starts from into an empty folder, and return the recorder of the folder."""
    lay_out(start_of(program), folder)
    return Recorder(folder)


def store_of(program: Program, directory: str, disk: Disk, durability: Durability) -> Any:
    """Return the store that a program calls; its clock and its ids are the same in every run."""
    ids = (f"new-{number}" for number in itertools.count(1))
    ticks = itertools.count(1)
    return program.kind(
        directory, durability=durability, disk=disk, new_id=lambda: next(ids), now=lambda: CLOCK + next(ticks)
    )


def run(program: Program, recorder: Recorder, durability: Durability) -> Record:
    """Run a program over the real disk, and return what it did to it."""
    directory = os.path.join(recorder.folder, SESSIONS.removeprefix(f"{ROOT}/"))
    # A disk of its own: what a store knows to be flushed it knows for its disk.
    store = store_of(program, directory, Disk(), durability)
    wrong = ""
    try:
        with recorder.recording():
            if program.start == "died":
                Disk().make_directory(directory)
            for call in program.calls:
                recorder.note("call", str(call))
                before = recorder.now()
                changed = call.to(store)
                recorder.note("return", str(call))
                if changed and recorder.now() == before:
                    wrong = f"{call} has returned, and nothing was done to the disk"
                    break
    except Exception as error:
        wrong = f"it ended with {type(error).__name__}: {error}"
    return Record(program, recorder.start, tuple(recorder.operations), wrong.replace(recorder.folder, ROOT))


def start_of(program: Program) -> Tree:
    """Return what is on the disk before a program."""
    if program.start in ("nothing", "died"):
        return {ROOT: None}
    tree = dict(_filled(KINDS.index(program.kind)))
    if program.start == "leftover":
        whole = tree[f"{SESSIONS}/trip.json"] or b""
        tree[f"{SESSIONS}/trip.json.tmp"] = whole[: len(whole) // 2]
    return tree


@cache
def _filled(kind: int) -> Tree:
    with tempfile.TemporaryDirectory() as folder:
        ticks = itertools.count(1)
        directory = Path(folder, SESSIONS.removeprefix(f"{ROOT}/"))
        filled(KINDS[kind], directory, durability="process", now=lambda: CLOCK - 1000 + next(ticks))
        return tree_of(Path(folder))
