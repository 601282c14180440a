"""Two caches, broken: the subclass keeps a cache that the inherited
`invalidate_cache` has never heard of.
"""

import json
from pathlib import Path
from typing import Any


class Store:
    """Read sessions, and keep what was read."""

    def __init__(self) -> None:
        self._cache: dict[str, dict[str, Any]] = {}

    def get_session(self, session_id: str) -> dict[str, Any]:
        """Return the session."""
        if session_id not in self._cache:
            self._cache[session_id] = json.loads(
                Path(f"{session_id}.json").read_text()
            )
        return self._cache[session_id]

    def invalidate_cache(self) -> None:
        """Forget what was read."""
        self._cache.clear()


class HierarchicalStore(Store):
    """Add the tree."""

    def __init__(self) -> None:
        super().__init__()
        self._children: dict[str, list[str]] = {}

    def get_children(self, session_id: str) -> list[str]:
        """Return the ids of the children."""
        if session_id not in self._children:
            self._children[session_id] = self.get_session(session_id)[
                "children_ids"
            ]
        return self._children[session_id]


def test_the_messages() -> None:
    """Drop the cache, and read the messages that another worker has added."""
    Path("trip.json").write_text('{"messages": [], "children_ids": []}')
    store = HierarchicalStore()
    store.get_session("trip")
    Path("trip.json").write_text('{"messages": ["Hi."], "children_ids": []}')
    store.invalidate_cache()
    assert store.get_session("trip")["messages"] == ["Hi."]


def test_the_children() -> None:
    """Drop the cache, and read the children that another worker has added."""
    Path("trip.json").write_text('{"messages": [], "children_ids": []}')
    store = HierarchicalStore()
    store.get_children("trip")
    Path("trip.json").write_text('{"messages": [], "children_ids": ["day"]}')
    store.invalidate_cache()
    seen = store.get_children("trip")
    assert seen == ["day"], f"{len(seen)} of 1 child is seen"


for test in (test_the_messages, test_the_children):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
