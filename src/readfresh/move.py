"""``python -m readfresh.move chats postgresql+psycopg://…``: sessions from a directory into a database.

Workers go on while it runs. It may be killed at any moment and started again.
It merges nothing, deletes nothing, and writes over nothing but its own unfinished copies.
Each session moves by itself, under the lock of its file:

1. Read the file, and read what the database has under this id.
   Nothing there, or the same: go on. Another state: go on only if the journal knows it as a copy of ours.
2. Note the digest of what is to be copied in the journal, `.readfresh-move` in the directory, and flush it.
3. Write the session into the database, in one transaction, if that still has what was found there.
4. Read it back from the database, and compare the whole session, unknown fields included.
5. Mark the file: ``readfresh_moved_to`` names the database, and all else stays in it.

What a worker sees that uses the directory: until the mark it has the session as ever, and waits while 1 to 5 last;
from the mark on it gets `SessionMoved`, which names the place, and has written nothing.
So an append that has returned was either made before the copy, and is in it, or never made to the file.
A worker that answers `SessionMoved` by asking the database never stands still.

Killed before 3 has committed, nothing has happened. Killed between that and 5, the database has a copy that nobody has
been sent to, and the file may go on: the next run finds the copy in the journal, sees by its digest that nobody has
changed it, and puts the newest state in its place. If somebody has changed it, both are left as they are and named.

It assumes that every worker of the directory is readfresh's: others do not know the mark (see the page "Move to
PostgreSQL"). Its lock order is a file's lock, then a row's; nobody waits for a file's lock while it holds a row.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from readfresh.default import LOCK_TIMEOUT, MAX_FILE_BYTES, DefaultSessionStore, seconds
from readfresh.disk import Disk, system_disk
from readfresh.errors import (
    LockTimeout,
    SessionDamaged,
    SessionMismatch,
    SessionMoved,
    SessionStoreError,
    SessionTooNew,
    WriteFailed,
)
from readfresh.files import SessionFiles
from readfresh.model import SessionData
from readfresh.storage import Entry

try:
    from readfresh.database import DbSessionAdapter
except ModuleNotFoundError as missing:
    said = f"{missing}; databases need SQLAlchemy: pip install 'readfresh[database]'"
    if __name__ == "__main__":  # a traceback ends with 1, which says that some sessions were left
        print(f"python -m readfresh.move: {said}", file=sys.stderr)
        sys.exit(2)
    raise ModuleNotFoundError(said, name=missing.name) from None

__all__ = ["Left", "Report", "main", "move"]

JOURNAL = ".readfresh-move"

Progress = Callable[[int, int], object]
"""Told how many sessions have been looked at, and how many there are."""


@dataclass(frozen=True)
class Left:
    """A session that was not moved.

    Args:
        file: the name of its file in the directory.
        why: the cause and the next step, as sentences.
    """

    file: str
    why: str


@dataclass
class Report:
    """What a run has done.

    Args:
        moved: how many sessions it has moved; each was read back, and was equal.
        moved_before: how many were moved already when it looked at them.
        left: those that are still in the directory alone, or on which directory and database do not agree.
    """

    moved: int = 0
    moved_before: int = 0
    left: list[Left] = field(default_factory=list)


def move(
    directory: str | os.PathLike[str],
    url: str,
    *,
    lock_timeout: float = LOCK_TIMEOUT,
    progress: Progress = lambda _done, _total: None,
    disk: Disk | None = None,
) -> Report:
    """Move every session of a directory into a database, while workers run, until a look finds no new one.

    Sessions that cannot be read, or that the database has in another state, are left as they are and are in the report.

    Args:
        directory: the session directory.
        url: the database, as `DbSessionAdapter` takes it; its tables have to be there.
        lock_timeout: how long to wait for a session, in seconds, here and there.
        progress: called after each session.
        disk: the seam to the file system, for tests.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
        LockTimeout: another process is moving this directory.
        SessionStoreError: the directory or the database cannot be used. What was moved is moved; run it again.
    """
    store = DefaultSessionStore(directory, lock_timeout=seconds(lock_timeout, "lock_timeout"))
    files = SessionFiles(
        store.session_dir,
        SessionData,
        lock_timeout=lock_timeout,
        durability="power",
        max_file_bytes=MAX_FILE_BYTES,
        disk=disk or system_disk(),
    )
    adapter = DbSessionAdapter(url, lock_timeout=lock_timeout)
    with _alone(files):
        return _Move(files, adapter, progress).run()


@contextmanager
def _alone(files: SessionFiles[SessionData]) -> Iterator[None]:
    """Keep a second move of the directory out."""
    path = os.path.join(files.directory, JOURNAL)
    lock = files.disk.lock(path + ".lock", 0.0)
    try:
        lock.__enter__()
    except TimeoutError:
        raise LockTimeout(
            "another process is moving this directory",
            path=path,
            next_step="Wait until that one has ended, then run this again.",
        ) from None
    except OSError as error:
        raise WriteFailed(f"its lock cannot be taken: {error}", path=path) from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


class _Differs(Exception):
    """The database has another state of the session; the text says why that was left, and what next, as sentences."""


class _Move:
    def __init__(self, files: SessionFiles[SessionData], adapter: DbSessionAdapter, progress: Progress) -> None:
        self._files = files
        self._rows = adapter.storage_for(SessionData)
        self._place = _from_everywhere(adapter.place)
        self._progress = progress
        self._journal = _Journal(files, self._place)
        self._report = Report()

    def run(self) -> Report:
        self._rows.count()  # a database that cannot be used is found before anything is done
        self._journal.resume()
        total = self._files.count()
        looked_at: set[str] = set()
        for session_id in list(self._journal.copies):  # what a killed run has left, deleted sessions too
            file = os.path.basename(self._files.path(session_id))
            looked_at.add(file)
            self._one(file, session_id)
        before = -1
        while before < len(looked_at):
            before = len(looked_at)
            for entry in self._files.scan():
                if entry.file not in looked_at:
                    looked_at.add(entry.file)
                    self._entry(entry)
                    self._progress(len(looked_at), max(total, len(looked_at)))
        self._journal.write()
        return self._report

    def _entry(self, entry: Entry[SessionData]) -> None:
        if isinstance(entry.error, SessionMoved) and entry.error.cause == f"it has been moved to {self._place}":
            self._report.moved_before += 1
        elif entry.error is not None:
            self._leave(entry.file, entry.error)
        else:
            self._one(entry.file, entry.session_id)

    def _one(self, file: str, session_id: str) -> None:
        try:
            moved = self._files.hand_over(session_id, self._place, lambda current: self._copy(session_id, current))
        except SessionMoved:
            self._journal.copies.pop(session_id, None)
            self._report.moved_before += 1
        except (LockTimeout, SessionDamaged, SessionTooNew, SessionMismatch) as error:
            self._leave(file, error)
        except _Differs as error:
            self._report.left.append(Left(file, str(error)))
        else:
            self._journal.copies.pop(session_id, None)
            self._report.moved += moved

    def _leave(self, file: str, error: SessionStoreError) -> None:
        cause = error.cause[:1].upper() + error.cause[1:]
        self._report.left.append(Left(file, f"{cause}. {error.next_step}"))

    def _copy(self, session_id: str, current: SessionData | None) -> None:
        """Bring the database to the session's newest state; called while the session's lock is held."""
        there = self._rows.read(session_id)
        found = _digest(there)
        if current is None:
            if there is not None:
                raise _Differs(
                    "It was deleted here while its move was unfinished, and the database has a copy. "
                    f"Delete it there too, or delete {JOURNAL} to keep it."
                )
            return
        wanted = _digest(current)
        if found == wanted:
            return
        if there is not None:
            ours = found in self._journal.copies.get(session_id, ())
            if not ours or there.created_at != current.created_at:
                raise _Differs(
                    "The database has another session of this id. Delete one of the two, or give one another id."
                )
        # Before the transaction: a copy that is not in the journal would be taken for somebody else's.
        self._journal.copies[session_id] = [digest for digest in (found, wanted) if digest]
        self._journal.write()

        def put(newest: SessionData | None) -> SessionData:
            if _digest(newest) != found:
                raise _Differs("Somebody changed it in the database while it was copied. Run this again to see how.")
            return current

        self._rows.update(session_id, put)
        if _digest(self._rows.read(session_id)) != wanted:
            raise _Differs("What the database gives back is not what it was given. Compare the two before you go on.")


class _Journal:
    """The digests of copies that may be in the database before their files are marked, on the disk."""

    def __init__(self, files: SessionFiles[SessionData], place: str) -> None:
        self.disk = files.disk
        self._directory = files.directory
        self._path = os.path.join(files.directory, JOURNAL)
        self._place = place
        self.copies: dict[str, list[str]] = {}

    def resume(self) -> None:
        """Read what an unfinished run has left; refuse one that was going elsewhere."""
        try:
            raw = self.disk.read(self._path, MAX_FILE_BYTES)
            data: dict[str, Any] = json.loads(raw) if raw else {"to": self._place, "copies": {}}
            place, self.copies = data["to"], data["copies"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WriteFailed(f"the journal cannot be read: {error}", path=self._path) from error
        if self.copies and place != self._place:
            raise WriteFailed(
                f"a move to {place} is unfinished",
                path=self._path,
                next_step="Finish that one first, with the same URL as before.",
            )

    def write(self) -> None:
        """Put the journal on the disk; when nothing is unfinished there is none."""
        try:
            temporary = self._path + ".tmp"
            if self.disk.exists(temporary):
                self.disk.unlink(temporary)
            if self.copies:
                descriptor = self.disk.create(temporary)
                try:
                    self.disk.write(descriptor, json.dumps({"to": self._place, "copies": self.copies}).encode())
                    self.disk.fsync(descriptor)
                finally:
                    self.disk.close(descriptor)
                self.disk.replace(temporary, self._path)
            elif self.disk.exists(self._path):
                self.disk.unlink(self._path)
            self.disk.sync_directory(self._directory)
        except OSError as error:
            raise WriteFailed(f"the journal cannot be written: {error}", path=self._path) from error


def _from_everywhere(place: str) -> str:
    """Return a place under the name that it has in every working directory: the mark outlives this one."""
    file = place.removeprefix("sqlite:///")
    return place if file == place else f"sqlite:///{os.path.abspath(file)}"


def _digest(session: SessionData | None) -> str | None:
    """Return what two sessions share only when all that is in them is equal, as JSON has it."""
    if session is None:
        return None
    return hashlib.sha256(json.dumps(session.to_dict(), sort_keys=True).encode()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Move a directory into a database, show how far it is, say what was left, and return the exit status.

    Returns:
        0: every session of the directory is in the database; 1: some were left; 2: it could not run, or was stopped.
    """
    parser = argparse.ArgumentParser(
        prog="python -m readfresh.move",
        description="Move the sessions of a directory into a database, while workers run. "
        "It may be stopped at any moment and started again.",
        epilog="Exit status: 0, every session is in the database; 1, some were left; 2, it could not run, or stopped.",
    )
    parser.add_argument("directory", help="the session directory")
    parser.add_argument("url", help="the database: sqlite:///chats.db or postgresql+psycopg://user@host/name")
    parser.add_argument(
        "--lock-timeout", type=float, default=LOCK_TIMEOUT, metavar="SECONDS", help="how long to wait for a session"
    )
    given = parser.parse_args(arguments)
    try:
        with _shown() as progress:
            report = move(given.directory, given.url, lock_timeout=given.lock_timeout, progress=progress)
    except (SessionStoreError, TypeError, ValueError, ModuleNotFoundError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped; what was moved is moved. Run it again.", file=sys.stderr)
        return 2
    print(f"moved:        {report.moved}, each read back and equal")
    print(f"moved before: {report.moved_before}")
    print(f"left:         {len(report.left)}")
    for left in report.left:
        print(f"  {left.file}: {left.why}")
    return 1 if report.left else 0


@contextmanager
def _shown() -> Iterator[Progress]:
    """Show progress on stderr: a bar on a terminal, where rich is installed, and otherwise a line for each tenth."""
    if not (sys.stderr.isatty() and importlib.util.find_spec("rich")):
        yield _as_lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("sessions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sessions")
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _as_lines() -> Progress:
    shown = 0

    def show(done: int, total: int) -> None:
        nonlocal shown
        if done * 10 // total > shown or done == total:
            shown = done * 10 // total
            print(f"{done} of {total} sessions", file=sys.stderr, flush=True)

    return show


if __name__ == "__main__":
    sys.exit(main())
