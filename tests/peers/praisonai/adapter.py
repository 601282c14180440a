"""PraisonAI's stores as they are: they have the five methods, and more that the kit checks, under the same names."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from praisonaiagents.session import (
    DefaultSessionStore,
    HierarchicalSessionStore,
)

from tests.peers.adapter import Peer, Promise

# It logs what it refuses; the report says it.
logging.getLogger("praisonaiagents").setLevel(logging.CRITICAL)
STORE, HIERARCHY = "praisonaiagents.session.store", "praisonaiagents.session.hierarchy"
# Its limit of 100 messages is a choice that it documents, and no loss.
KEEP_ALL = 'retention="keep_all"; its lock timeout of 5 s'


def plain(place: Path) -> Any:
    """Return its default store, which keeps every message."""
    return DefaultSessionStore(str(place), retention="keep_all")


def tree(place: Path) -> Any:
    """Return its hierarchical store, which keeps every message."""
    return HierarchicalSessionStore(str(place), retention="keep_all")


PROMISES = (
    Promise("Automatic file locking for multi-process safety", STORE),
    Promise("Atomic writes to prevent corruption", STORE),
    Promise("Thread-safe operations", STORE),
)
default = Peer("PraisonAI DefaultSessionStore", "praisonaiagents", KEEP_ALL, plain, PROMISES)
hierarchical = Peer(
    "PraisonAI HierarchicalSessionStore",
    "praisonaiagents",
    KEEP_ALL,
    tree,
    (
        *PROMISES,
        Promise("Persist the active messages, archive and compaction checkpoint so", HIERARCHY),
        Promise("later retention cannot move the snapshot's restore point.", HIERARCHY),
    ),
)
