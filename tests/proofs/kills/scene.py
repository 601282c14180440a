"""What stands in a directory before a verb is called, and the verbs that are called."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from readfresh import HierarchicalSessionStore, rescue
from readfresh.disk import Disk
from readfresh.storage import Durability
from tests.store.support import Kind, Store, Verb, contents, filled, hand_over, verbs_of

SESSION = "trip"
CHILD = "fresh-0"
DAMAGED = "hurt"
BEFORE, NOW = 1_900_000_000.0, 1_900_000_100.0  # a clock that stands: two runs of a verb write the same bytes

Files = Mapping[str, bytes]

ELSEWHERE = (
    Verb("hand_over to a database", hand_over, writes=True),
    Verb("rescue", lambda store, _: rescue(store, DAMAGED, "mended").new_session_id, writes=True),
    Verb("delete_session of a damaged session", lambda store, _: store.delete_session(DAMAGED), writes=True),
    Verb("create_session without a parent", lambda s, _: s.create_session("alone"), writes=True, hierarchical=True),
    Verb(
        "import_session under a new id",
        lambda store, _: store.import_session({"messages": [{"role": "user", "content": "Where to?"}]}),
        writes=True,
        hierarchical=True,
    ),
)
"""Calls that write another session than the one that is there or not, and what a move does at the seam."""

STATES = ("there", "not there", "with litter", "no directory")
"""How the session can stand: `with litter` it is there, and a killed writer has left its temporary file."""


def calls_of(kind: Kind, state: str) -> list[Verb]:
    """Return the calls that write, of a class of store in a state."""
    calls = [verb for verb in verbs_of(kind) if verb.writes]
    if state == "there":
        hierarchical = issubclass(kind, HierarchicalSessionStore)
        calls += [call for call in ELSEWHERE if hierarchical or not call.hierarchical]
    return calls


class Scene:
    """A tree of sessions, one beside it, and a damaged one, that can be put into any number of directories.

    Args:
        kind: the class of the stores.
        folder: an empty folder, to make them in.
    """

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind = kind
        made = folder / "sessions"
        clock: dict[str, Any] = {"now": lambda: BEFORE, "durability": "process"}
        if issubclass(kind, HierarchicalSessionStore):
            kind(made, **clock).create_session("root")
            kind(made, **clock).create_session(SESSION, parent_id="root")
        filled(kind, made, SESSION, **clock)
        kind(made, **clock).add_user_message("other", "acknowledged")
        whole = {name: content for name, content in contents(made).items() if isinstance(content, bytes)}
        session = whole[f"{SESSION}.json"]
        whole[f"{DAMAGED}.json"] = session.replace(b'"trip"', b'"hurt"')[:-20]
        litter = {f"{name}.json.tmp": session[: len(session) // 2] for name in (SESSION, CHILD)}
        self.files: dict[str, Files] = {
            "there": whole,
            "not there": {name: content for name, content in whole.items() if name != f"{SESSION}.json"},
            "with litter": whole | litter,
            "no directory": {},
        }

    def put(self, state: str, root: Path) -> Path:
        """Put the sessions into a new folder, and return their directory."""
        directory = root / "sessions"
        root.mkdir(parents=True)
        if state != "no directory":
            directory.mkdir(mode=0o700)
        for name, content in self.files[state].items():
            (directory / name).write_bytes(content)
        return directory

    def store(self, directory: Path, durability: Durability = "process", disk: Disk | None = None) -> Store:
        """Return a new store there, which waits for no lock."""
        ids = itertools.count()
        return self.kind(
            directory,
            lock_timeout=0,
            durability=durability,
            disk=disk,
            now=lambda: NOW,
            new_id=lambda: f"fresh-{next(ids)}",
        )
