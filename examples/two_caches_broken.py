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


trip = Path("trip.json")
trip.write_text('{"messages": ["Porto?"], "children_ids": []}')
store = HierarchicalStore()
print("1.", store.get_session("trip")["messages"], store.get_children("trip"))

# another worker writes
trip.write_text('{"messages": ["Porto?", "Yes."], "children_ids": ["day-1"]}')
print("2.", store.get_session("trip")["messages"], store.get_children("trip"))

store.invalidate_cache()
print("3.", store.get_session("trip")["messages"], store.get_children("trip"))
