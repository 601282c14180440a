"""Moves that are broken, each in one way: the tests of the kills have to see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from readfresh import move
from readfresh.codec import MOVED, encode
from readfresh.errors import WriteFailed
from readfresh.files import SessionFiles
from tests.sabotage.fault import put


def no_journal() -> None:
    """Copy without a note of what was copied."""
    put(move._Journal, write=lambda _: None)


def marked_first() -> None:
    """Say that the session is in the database before it is."""

    def hand_over(self: Any, session_id: str, place: str, copy: Callable[[Any], None]) -> bool:
        with self._locked(session_id, WriteFailed) as lock:
            current = self._load(session_id, WriteFailed)
            if current is not None:
                self._replace(session_id, encode({MOVED: place, **current.to_dict()}), lock)
            copy(current)
            return current is not None

    put(SessionFiles, hand_over=hand_over)


def overwriting() -> None:
    """Put the file's state in the place of whatever the database has."""

    def copy(self: Any, session_id: str, current: Any) -> None:
        if current is not None:
            self._rows.update(session_id, lambda _: current)

    put(move._Move, _copy=copy)


def copy_not_refreshed() -> None:
    """Take any copy that the journal knows for the newest state."""
    honest = move._Move._copy

    def copy(self: Any, session_id: str, current: Any) -> None:
        if move._digest(self._rows.read(session_id)) not in self._journal.copies.get(session_id, ()):
            honest(self, session_id, current)

    put(move._Move, _copy=copy)


FAULTS = {fault.__name__: fault for fault in (no_journal, marked_first, overwriting, copy_not_refreshed)}
