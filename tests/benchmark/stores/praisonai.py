"""PraisonAI: its file stores and its SQLite store, with `retention="keep_all"` and a patient lock."""

from __future__ import annotations

import logging
from typing import Any

from praisonaiagents.session import DefaultSessionStore, HierarchicalSessionStore

from tests.benchmark.stores import PATIENCE_SECONDS
from tests.benchmark.stores.ours import Ours  # the verbs have the same names

logging.getLogger("praisonaiagents").setLevel(logging.CRITICAL)
LIFTED: dict[str, Any] = {"retention": "keep_all", "lock_timeout": PATIENCE_SECONDS}


class Theirs(Ours):
    """The verbs of any of their stores, which answer False where they have failed."""

    def append(self, session_id: str, text: str) -> object:
        """Append one message."""
        if not super().append(session_id, text):
            raise RuntimeError("add_user_message returned False")
        return True


def default(place: str) -> Theirs:
    """Return its default store."""
    return Theirs(DefaultSessionStore(place, **LIFTED))


def hierarchical(place: str) -> Theirs:
    """Return its hierarchical store."""
    return Theirs(HierarchicalSessionStore(place, **LIFTED))


def sqlite(place: str) -> Theirs:
    """Return its store with an index in SQLite."""
    from praisonaiagents.session.sqlite_store import SqliteSessionStore

    return Theirs(SqliteSessionStore(place, **LIFTED))
