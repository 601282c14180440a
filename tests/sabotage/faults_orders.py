"""Faults that take two clients in a certain order to be seen: no test of one guarantee looks for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tests.sabotage.fault import Fault, put


def temporary_name_shared() -> None:
    """Give all sessions of a directory one temporary file."""
    from readfresh.files import TEMPORARY, SessionFiles

    put(SessionFiles, _temporary=lambda self, _session_id: os.path.join(self.directory, f"session{TEMPORARY}"))


def lock_file_deleted() -> None:
    """Delete a session's lock file with the session, and trust one that has been deleted."""
    from readfresh.disk import HeldLock
    from readfresh.files import SessionFiles

    original = SessionFiles._load

    def load(self: SessionFiles[Any], session_id: str, kind: Any) -> Any:
        found = original(self, session_id, kind)
        if found is None and self.disk.exists(self.path(session_id) + ".lock"):
            self.disk.unlink(self.path(session_id) + ".lock")
        return found

    put(SessionFiles, _load=load)
    put(HeldLock, still_stands=lambda _self: True)


def locked_from_both_ends() -> None:
    """Hold a session's lock while its children, or its parent, are looked at: from both ends of one branch."""
    from readfresh import HierarchicalSessionStore, ReadFailed
    from readfresh.files import SessionFiles

    def under_lock(self: Any, session_id: str, look: Callable[[Any], Any], nothing: Any) -> Any:
        files: SessionFiles[Any] = self._storage
        if not files.exists(session_id):
            return nothing
        with files._locked(session_id, ReadFailed):
            session = files._load(session_id, ReadFailed)
            return nothing if session is None else look(session)

    def get_children(self: Any, session_id: str) -> list[str]:
        children: list[str] = under_lock(self, session_id, lambda session: list(self._children(session)), [])
        return children

    def get_parent(self: Any, session_id: str) -> str | None:
        def look(session: Any) -> str | None:
            known: str | None = session.parent_id
            return known if known and session_id in self.get_session(known).children_ids else None

        parent: str | None = under_lock(self, session_id, look, None)
        return parent

    put(HierarchicalSessionStore, get_children=get_children, get_parent=get_parent)


FAULTS = {
    "temporary-name-shared": Fault(
        temporary_name_shared, (), "all sessions have one temporary file", found_by="orders-pairs"
    ),
    "lock-file-deleted": Fault(
        lock_file_deleted, (), "a lock file is deleted when it is not needed any more", found_by="orders-pairs"
    ),
    "locked-from-both-ends": Fault(
        locked_from_both_ends, (), "two locks are held at once, in two orders", found_by="orders-pairs"
    ),
}
