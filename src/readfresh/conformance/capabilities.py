"""What a store can do beyond five methods, as protocols: each unlocks checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from readfresh.conformance.arena import NotApplicable, Run

__all__ = [
    "CAPABILITIES",
    "CanCache",
    "CanGrowTrees",
    "CanHoldMetadata",
    "CanReplace",
    "CanTakeSnapshots",
    "has",
    "methods_of",
    "needs",
]


@runtime_checkable
class CanReplace(Protocol):
    """A store whose history can be replaced: `replace-is-one-step`."""

    def set_chat_history(self, session_id: str, messages: Iterable[Mapping[str, Any]]) -> Any:
        """Replace all messages in one change."""


@runtime_checkable
class CanHoldMetadata(Protocol):
    """A store whose sessions hold metadata: `none-is-a-value`, and more of `nothing-else-changes`."""

    def update_session_metadata(self, session_id: str, **fields: Any) -> Any:
        """Set these metadata fields and no others."""

    def get_session(self, session_id: str) -> Any:
        """Return the session: an object or a dict with `metadata`, or with the fields themselves."""


@runtime_checkable
class CanTakeSnapshots(Protocol):
    """A store with snapshots: `snapshot-is-exact`."""

    def create_snapshot(self, session_id: str) -> str:
        """Keep the messages as they are now, and return the snapshot's id."""

    def revert_to_snapshot(self, session_id: str, snapshot_id: str) -> Any:
        """Bring the messages of a snapshot back."""


@runtime_checkable
class CanGrowTrees(Protocol):
    """A store whose sessions have children: `tree-is-sound`."""

    def create_session(self, session_id: str | None = None, *, parent_id: str | None = None) -> str:
        """Create a session, under a parent where one is given, and return its id."""

    def fork_session(self, session_id: str) -> str:
        """Create a child that begins with the messages of a session, and return its id."""

    def get_children(self, session_id: str) -> list[str]:
        """Return the ids of the children."""


@runtime_checkable
class CanCache(Protocol):
    """A store that says how to drop what it has cached: `cache-is-invisible`."""

    def invalidate_cache(self, session_id: str | None = None) -> Any:
        """Drop what is cached of one session, or of all."""


CAPABILITIES: tuple[type, ...] = (CanReplace, CanHoldMetadata, CanTakeSnapshots, CanGrowTrees, CanCache)


def methods_of(capability: type) -> list[str]:
    """Return the methods that make a capability."""
    return [name for name, value in vars(capability).items() if not name.startswith("_") and callable(value)]


def has(run: Run, capability: type) -> bool:
    """Return whether the store has all methods of a capability."""
    return run.methods >= {*methods_of(capability)}


def needs(run: Run, capability: type) -> None:
    """Raise `NotApplicable`, with the methods that the store lacks, unless it has the capability."""
    if missing := [f"`{name}`" for name in methods_of(capability) if name not in run.methods]:
        raise NotApplicable(f"the store has no {', no '.join(missing)}")
