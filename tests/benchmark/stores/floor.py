"""The floor: the smallest programs that append a message. They hold what they need, and do nothing else.

`rename` and `rename_synced` write the bytes of our own file, old ones at hand, to a temporary file and rename it, with
filelock's lock and unlock around it. They read nothing, so they cannot share a session, and take no part in that.
`rows` and `lines` are what a database and a log can do: a row inserted, a line appended.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.benchmark.stores import PATIENCE_SECONDS


class Rename:
    """One file per session, replaced as a whole."""

    def __init__(self, place: str, synced: bool) -> None:
        self._place, self._synced = place, synced
        self._file, self._lock = "", FileLock(Path(place) / "lock")
        self._body, self._piece, self._end = bytearray(), b"", b""
        self._at_hand: list[tuple[str, str]] = []

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Take the bytes of our file of such a session, and the bytes by which one more message makes it longer."""
        from readfresh import DefaultSessionStore

        ours = DefaultSessionStore(self._place, durability="process", now=lambda: 1_000_000_000.0)
        self._file = str(Path(self._place) / f"{session_id}.json")
        ours.set_chat_history(session_id, [{"role": "user", "content": text} for text in texts])
        before = Path(self._file).read_bytes()
        ours.add_user_message(session_id, texts[-1])
        after = Path(self._file).read_bytes()
        common = next(place for place, pair in enumerate(zip(before, after, strict=False)) if len({*pair}) > 1)
        self._piece = after[common : common + len(after) - len(before)]
        self._end = after[common + len(self._piece) :]
        self._body = bytearray(after)
        self._lock = FileLock(f"{self._file}.lock")

    def append(self, session_id: str, text: str) -> None:  # noqa: ARG002 - a message of the same length
        """Lock; write old bytes and new ones to a temporary file; rename it; unlock."""
        with self._lock:
            del self._body[len(self._body) - len(self._end) :]
            self._body += self._piece
            self._body += self._end
            descriptor = os.open(f"{self._file}.tmp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, self._body)
            if self._synced:
                os.fsync(descriptor)
            os.close(descriptor)
            os.replace(f"{self._file}.tmp", self._file)
            if self._synced:
                directory = os.open(self._place, os.O_RDONLY)
                os.fsync(directory)
                os.close(directory)

    def read(self, session_id: str) -> Any:
        """Build the list that a caller gets of the messages at hand; those are read once, and never looked at again."""
        if not self._at_hand:
            session = json.loads((Path(self._place) / f"{session_id}.json").read_bytes())
            self._at_hand = [(message["role"], message["content"]) for message in session["messages"]]
        return [{"role": role, "content": content} for role, content in self._at_hand]

    def texts(self, history: Any) -> list[str]:
        """Return the content of each message."""
        return [message["content"] for message in history]


class Rows:
    """One table of all sessions, through the standard library."""

    def __init__(self, place: str, synchronous: str) -> None:
        self._base = sqlite3.connect(Path(place) / "rows.db", timeout=PATIENCE_SECONDS, isolation_level=None)
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute(f"PRAGMA synchronous = {synchronous}")
        self._base.execute("CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, session TEXT, body TEXT)")
        self._base.execute("CREATE INDEX IF NOT EXISTS sessions ON messages (session)")

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Insert many rows."""
        self._base.execute("BEGIN")
        self._base.executemany(
            "INSERT INTO messages (session, body) VALUES (?, ?)", [(session_id, text) for text in texts]
        )
        self._base.execute("COMMIT")

    def append(self, session_id: str, text: str) -> None:
        """Insert a row."""
        self._base.execute("INSERT INTO messages (session, body) VALUES (?, ?)", (session_id, text))

    def read(self, session_id: str) -> Any:
        """Select the rows."""
        return self._base.execute(
            "SELECT body FROM messages WHERE session = ? ORDER BY number", (session_id,)
        ).fetchall()

    def texts(self, history: Any) -> list[str]:
        """Return the column."""
        return [row[0] for row in history]


class Lines:
    """One file per session, a JSON line per message."""

    def __init__(self, place: str, synced: bool) -> None:
        self._place, self._synced = Path(place), synced
        self._descriptors: dict[str, int] = {}

    def fill(self, session_id: str, texts: Sequence[str]) -> None:
        """Write many lines."""
        self._write(session_id, b"".join(_line(text) for text in texts))

    def append(self, session_id: str, text: str) -> None:
        """Write a line."""
        self._write(session_id, _line(text))

    def read(self, session_id: str) -> Any:
        """Read the lines and decode them."""
        return [json.loads(line) for line in (self._place / session_id).read_bytes().splitlines()]

    def texts(self, history: Any) -> list[str]:
        """Return the content of each message."""
        return [message["content"] for message in history]

    def _write(self, session_id: str, data: bytes) -> None:
        if session_id not in self._descriptors:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptors[session_id] = os.open(self._place / session_id, flags, 0o600)
        os.write(self._descriptors[session_id], data)
        if self._synced:
            os.fsync(self._descriptors[session_id])


def _line(text: str) -> bytes:
    return json.dumps({"role": "user", "content": text}).encode() + b"\n"


def rename(place: str) -> Rename:
    """Return the floor of a file without fsync."""
    return Rename(place, synced=False)


def rename_synced(place: str) -> Rename:
    """Return the floor of a file with fsync of file and directory."""
    return Rename(place, synced=True)


def rows(place: str) -> Rows:
    """Return the floor of a database without fsync."""
    return Rows(place, "NORMAL")


def rows_synced(place: str) -> Rows:
    """Return the floor of a database with fsync."""
    return Rows(place, "FULL")


def lines(place: str) -> Lines:
    """Return the floor of a log without fsync."""
    return Lines(place, synced=False)


def lines_synced(place: str) -> Lines:
    """Return the floor of a log with fsync."""
    return Lines(place, synced=True)
