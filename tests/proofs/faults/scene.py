"""A directory with a session, a verb that is called there, and what is promised of the outcome.

1. A verb that returns has done all of it: the bytes are those of a run without a fault, and no flush has failed.
2. An error with ``written == "nothing"`` leaves every byte as it was; the same call succeeds when the fault is gone.
3. ``OutcomeUnknown`` comes after the point of no return only; then each session is as before or as after.
4. Whatever happened, no descriptor is open, no lock is held, and the next writer of a session removes its litter.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from readfresh import (
    BotSessionManager,
    DefaultSessionStore,
    HierarchicalSessionStore,
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SessionStoreError,
    WriteFailed,
)
from readfresh.disk import Disk
from readfresh.files import _flushed
from tests.proofs.rung import Finding
from tests.store.support import Kind, Store, Verb, descriptors, filled, verbs_of

FLUSHES = ("fsync", "sync_directory")
LITTER = ".json.tmp"
KINDS: tuple[tuple[str, Kind], ...] = (("plain", DefaultSessionStore), ("hierarchical", HierarchicalSessionStore))

# An answer of these leaves out, or marks, what could not be read, and tells `on_error` of it.
REPORTING = ("get_children", "get_session_tree")

PROMPT, ANSWER, TURN_FILE = "And when?", "In May.", "bot_trip.json"

Contents = dict[str, bytes]
Of = Callable[[Kind, Verb], bool]


class Endless(BaseException):
    """A verb asks again and again for what it has been refused."""


@dataclass
class Attempt:
    """A call of a verb, and what became of it.

    Args:
        fault: what was done to it, as words.
        steps: what it asked of the disk or of the system: the name, and the name of the file.
        failed: which of them failed.
        numbers: the errors of the system that were given to it.
        lasting: whether the fault stayed.
        passes: the exception that it was interrupted with, which is to reach the caller.
        answer: what it returned.
        error: what it raised.
        heard: what `on_error` was told.
    """

    fault: str
    steps: Sequence[tuple[str, str]]
    failed: Sequence[int] = ()
    numbers: Sequence[int] = ()
    lasting: bool = False
    passes: type[BaseException] | None = None
    answer: Any = None
    error: BaseException | None = None
    heard: list[SessionStoreError] = field(default_factory=list)

    def call(self, verb: Callable[[], Any]) -> None:
        """Call the verb."""
        try:
            self.answer = verb()
        except BaseException as error:
            self.error = error

    def has_committed(self) -> bool:
        """Return whether a session was put in place, or deleted."""
        return any(
            name in ("replace", "unlink") and file.endswith(".json")
            for number, (name, file) in enumerate(self.steps)
            if number not in self.failed
        )

    def has_failed(self, *names: str) -> bool:
        """Return whether one of these steps has failed."""
        return any(self.steps[number][0] in names for number in self.failed)

    def interrupted(self) -> bool:
        """Return whether it was interrupted by an exception that is no error of the system's."""
        return self.passes is not None and bool(self.failed)

    def history(self) -> tuple[str, ...]:
        """Return what happened, a line each."""
        failed = set(self.failed)
        lines = [
            f"{number:3} {name} {file}{f'  <- {self.fault}' if number in failed else ''}"
            for number, (name, file) in enumerate(self.steps)
        ]
        outcome = f"returned {self.answer!r}" if self.error is None else f"raised {type(self.error).__name__}"
        return (*lines, f"    {outcome}{'' if self.error is None else f': {self.error}'}")


class Scene:
    """A directory with a session, that can be put back as it was.

    Args:
        name: what the store is called.
        kind: the store.
        verb: what is called there.
        folder: where the directory is made.
        files: what stands in it.
    """

    repeatable = True  # whether the same call is right after an error that says that nothing was written

    def __init__(self, name: str, kind: Kind, verb: Verb, folder: Path, files: Contents) -> None:
        self.name = f"{name} {verb.name}"
        self.kind = kind
        self.verb = verb
        self.folder = folder
        self.directory = folder / "sessions"
        self.target = "new" if verb.name == "import_session" else "trip"
        self.directory.mkdir(mode=0o700, parents=True)
        for file, raw in files.items():
            (self.directory / file).write_bytes(raw)
        self.before = files
        # Twice: the second time the lock files stand, as in every later call.
        for _ in range(2):
            self.answer = self.call()
            self.after: Contents = files_in(self.directory)
            self.reset()
        self.open = descriptors()

    def store(self, disk: Disk | None = None, **arguments: Any) -> Store:
        """Make a store on the disk; without one, a store that works and does not flush."""
        ids = itertools.count()
        if disk is not None:  # the directories above are flushed by a process's first write alone
            _flushed.setdefault(disk, set()).add(str(self.directory))
        return self.kind(
            self.directory,
            durability="power" if disk else "process",
            disk=disk,
            new_id=lambda: f"fresh-{next(ids)}",
            now=_clock,
            lock_timeout=0,
            **arguments,
        )

    def call(self, disk: Disk | None = None, **arguments: Any) -> Any:
        """Call the verb."""
        return self.verb.call(self.store(disk, **arguments), self.target)

    def stands(self, now: Contents) -> bool:
        """Return whether nothing has been changed by a call that says so."""
        return now == self.before

    def reset(self) -> None:
        """Put the directory back."""
        now = files_in(self.directory)
        for name in now.keys() - self.before.keys():
            (self.directory / name).unlink()
        for name, raw in self.before.items():
            if now.get(name) != raw:
                (self.directory / name).write_bytes(raw)

    def judge(self, attempt: Attempt) -> Finding | None:
        """Return what is wrong with the outcome, and put the directory back."""
        if attempt.interrupted() and isinstance(attempt.error, BaseException):
            # What was under way is given back when the caller lets go of the exception.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # Python's word for a file that closes itself
                attempt.error = attempt.error.with_traceback(None)
                attempt.error.__context__ = None
        wrong = self._state(attempt) or self._left(attempt)
        self.reset()
        return Finding(f"{self.name}, {attempt.fault}: {wrong}.", attempt.history()) if wrong else None

    def _state(self, attempt: Attempt) -> str:
        error = attempt.error
        now = files_in(self.directory)
        litter = [name for name in now if name.endswith(LITTER)]
        if litter and not attempt.lasting:
            return f"it leaves {litter[0]}"
        now = {name: raw for name, raw in now.items() if name not in litter}
        if error is None:
            return self._returned(attempt, now)
        if attempt.interrupted():
            if type(error) is not attempt.passes:
                return f"it raises {type(error).__name__} where it was interrupted"
            return self._old_or_new(now)
        if isinstance(error, Endless):
            return "it goes on for ever"
        if not isinstance(error, SessionStoreError):
            return f"it raises {type(error).__name__}, which is no error of a store"
        if said := self._said(attempt, error):
            return said
        if error.written == "nothing":
            return "" if self.stands(now) else f"it says that nothing was written, and {self._differing(now)} differs"
        if not self.verb.writes:
            return "a read says that the outcome is unknown"
        if not attempt.has_committed() and not attempt.has_failed("release", "flock", "close"):
            return "it says that the outcome is unknown before the point of no return"
        return self._old_or_new(now)

    def _returned(self, attempt: Attempt, now: Contents) -> str:
        if attempt.interrupted():
            return "the interrupt does not reach the caller"
        if attempt.has_failed(*FLUSHES):
            return "it returns though a flush has failed"
        if now != self.after:
            return f"it returns, and {self._differing(now, self.after)} is not as it is without a fault"
        left_out = attempt.heard and (not self.verb.per_session or self.verb.name in REPORTING)
        if attempt.answer != self.answer and not left_out:
            return f"it answers {attempt.answer!r}, and tells nobody of the fault"
        return ""

    def _said(self, attempt: Attempt, error: SessionStoreError) -> str:
        """Check that the error is one by name, and carries what it is to carry."""
        if type(error) not in (WriteFailed, ReadFailed, LockTimeout, OutcomeUnknown):
            return f"it raises {type(error).__name__}, and nothing of that kind has happened"
        if (error.written == "unknown") != (type(error) is OutcomeUnknown):
            return f"{type(error).__name__} says that {error.written} was written"
        if error not in attempt.heard:
            return "on_error is not told"
        if error.session_id is None and self.verb.per_session:
            return "the error names no session"
        if not error.cause or not error.next_step:
            return "the error says no cause, or no next step"
        in_doubt = type(error) is OutcomeUnknown and "does not list it" in error.cause  # of two files, so of no path
        if not in_doubt and not str(error.path).startswith(str(self.directory)):
            return f"the error names the path {error.path!r}"
        text = str(error)
        if any(part not in text for part in (error.cause, error.next_step, error.session_id or "")):
            return "the text of the error leaves out what the error carries"
        if type(error) is LockTimeout:  # EACCES is what some file systems answer for a lock that is held
            return "" if errno.EACCES in attempt.numbers else "it says that the lock is held, and nobody holds it"
        of_the_system = [each.errno for each in _causes(error) if isinstance(each, OSError)]
        if not set(of_the_system) & set(attempt.numbers):
            return f"the error does not carry what the system said: {of_the_system}"
        return ""

    def _old_or_new(self, now: Contents) -> str:
        neither = [
            name
            for name in sorted({*now, *self.before, *self.after})
            if now.get(name) not in (self.before.get(name), self.after.get(name))
        ]
        return f"{neither[0]} is neither as before nor as after" if neither else ""

    def _differing(self, now: Contents, expected: Contents | None = None) -> str:
        wanted = self.before if expected is None else expected
        return next(name for name in sorted({*now, *wanted}) if now.get(name) != wanted.get(name))

    def _left(self, attempt: Attempt) -> str:
        """Check that nothing is left open or locked, and that what is left lying is removed by the next writer."""
        now_open = descriptors()
        if now_open != self.open and attempt.interrupted():
            gc.collect()  # frames of what was interrupted may stand in a cycle
            now_open = descriptors()
        if now_open != self.open:
            extra = sorted(set(now_open.values()) - set(self.open.values()))
            return f"a descriptor is left open, of {[Path(name).name for name in extra]}"
        error = attempt.error
        try:
            written = self._written(attempt)
            if isinstance(error, SessionStoreError) and error.written == "nothing" and self.repeatable:
                if (self.call(), files_in(self.directory)) != (self.answer, self.after):
                    return "the same call without the fault does not do what it does where there was none"
                written = [] if self.verb.writes else written  # it has been the next writer itself
            healthy = self.store()
            for session_id in written:
                healthy.add_user_message(session_id, "next")
        except Exception as raised:
            return f"the next writer gets {type(raised).__name__}: {raised}"
        litter = [name for name in files_in(self.directory) if name.endswith(LITTER)]
        return f"{litter[0]} is left after the next writer" if litter else ""

    def _written(self, attempt: Attempt) -> list[str]:
        """Return the sessions that were touched: the target, and those of which a file was made."""
        touched = {file.split(".")[0] for _, file in attempt.steps if file.endswith(LITTER)}
        return sorted({self.target, "trip", *touched})


class Turn(Scene):
    """The same for a turn of a bot, which is two changes: the prompt is kept, then the answer, or that there is none.

    What the store refuses of the second leaves the prompt, so the same call again is another turn.
    """

    repeatable = False

    def __init__(self, name: str, kind: Kind, folder: Path, files: Contents) -> None:
        super().__init__(name, kind, Verb("BotSessionManager.chat", _chat, writes=True), folder, files)

    def stands(self, now: Contents) -> bool:
        """Return whether all is as it was, but for the prompt and what tells that it has no answer."""
        others = {name: raw for name, raw in now.items() if name != TURN_FILE}
        if TURN_FILE not in now:
            return others == self.before
        said = [message["content"] for message in json.loads(now[TURN_FILE])["messages"]]
        return others == self.before and said[0] == PROMPT and ANSWER not in said

    def _old_or_new(self, now: Contents) -> str:
        return "" if self.stands(now) or now == self.after else "the turn is neither open nor answered"


def _chat(store: Store, user_id: str) -> str:
    ids = map("turn-{}".format, itertools.count())
    manager = BotSessionManager(store, new_id=lambda: next(ids))
    return asyncio.run(manager.chat(lambda _: ANSWER, user_id, PROMPT))


def turns(folder: Path) -> Iterator[Scene]:
    """Yield a scene for a turn over each store."""
    for name, kind in KINDS:
        yield Turn(name, kind, folder / f"{name}-turn", _filled(kind, folder / f"{name}-before-turn"))


def files_in(directory: Path) -> Contents:
    """Return the files of a session directory, but for the locks."""
    with os.scandir(directory) as found:
        return {one.name: Path(one).read_bytes() for one in found if not one.name.endswith(".lock")}


def every(_kind: Kind, _verb: Verb) -> bool:
    """Take every verb of both stores."""
    return True


def scenes(folder: Path, of: Of = every, more: str = "") -> Iterator[Scene]:
    """Yield a scene for each verb of both stores that is taken."""
    for name, kind in KINDS:
        files = _filled(kind, folder / name, more)
        for verb in verbs_of(kind):
            if of(kind, verb):
                yield Scene(name, kind, verb, folder / f"{name}-{verb.name}", files)


def _filled(kind: Kind, directory: Path, more: str = "") -> Contents:
    """Return the files of a directory with a session, and with a message more where one is given."""
    store = filled(kind, directory, durability="process", now=_clock)
    if more:
        store.add_user_message("trip", more)
    return files_in(directory)


def _clock() -> float:
    return 1_000_000_000.0


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__
