"""What an adapter says about its peer, and how the kit makes a store of it.

An adapter translates the five methods into the peer's own calls, as the peer's documentation shows them, and adds
nothing: no lock, no check, no cache.
Where a peer keeps one object per session, or one that holds all in memory, the adapter makes it anew for each call, as
a handler of requests would. That is kind to the peer: nothing that it read earlier is written back.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_CLEAR = "It has no verb that clears a session: here, clearing one deletes it."
NO_WORD = "Its documentation says nothing that we could find about several writers of one session."


@dataclass(frozen=True)
class Promise:
    """What a store says about itself.

    Args:
        says: the words, as they stand there.
        where: the module of the package whose text has them, or the address of a page.
    """

    says: str
    where: str


@dataclass(frozen=True)
class Peer:
    """A store of somebody else's: a factory for the kit, and what the report says of it.

    Args:
        store: its name on our pages.
        package: the name of the distribution, whose version is shown.
        configuration: how it is used here, as a few words.
        make: makes a store on a directory.
        promises: what it says about itself.
        notes: what else a reader has to know of it, a sentence each.
        not_its_own: guarantees that say nothing about it, with the reason.
        end: gives back what a store holds.
    """

    store: str
    package: str
    configuration: str
    make: Callable[[Path], Any]
    promises: tuple[Promise, ...] = ()
    notes: tuple[str, ...] = ()
    not_its_own: dict[str, str] = field(default_factory=dict)
    end: Callable[[Any], object] = lambda _store: None

    def __call__(self, place: Path) -> Any:
        """Return a new store object on what is kept in `place`."""
        return self.make(place)

    def close(self, store: Any) -> None:
        """Give back what a store holds."""
        self.end(store)

    def describe(self) -> dict[str, Any]:
        """Return what was checked."""
        return {
            "store": self.store,
            "version": f"{self.package} {importlib.metadata.version(self.package)}",
            "configuration": self.configuration,
            "promises": [{"says": promise.says, "where": promise.where} for promise in self.promises],
            "notes": list(self.notes),
            "not_its_own": self.not_its_own,
        }
