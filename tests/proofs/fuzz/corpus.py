"""Real session files, which are mutated: ours, PraisonAI's, one with unknown fields, one that has moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from readfresh.codec import MOVED
from tests.guarantees.content import foreign_session
from tests.proofs.fuzz.memory import DIRECTORY, MemoryDisk
from tests.store.support import filled

PRAISONAI = Path(__file__).parents[2] / "store" / "praisonai"


def corpus() -> dict[str, bytes]:
    """Return session files of the session ``trip``, by where they come from."""
    found = {kind.__name__: _written_by(kind) for kind in (DefaultSessionStore, HierarchicalSessionStore)}
    for path in sorted(PRAISONAI.glob("*.json")):
        found[f"PraisonAI's {path.stem}"] = _as_json({**json.loads(path.read_bytes()), "session_id": "trip"})
    found["unknown fields"] = _as_json(foreign_session())
    found["moved"] = _as_json({MOVED: "postgresql://host/chats", **foreign_session()})
    found["on one line"] = json.dumps(foreign_session()).encode()
    return found


def _written_by(kind: Any) -> bytes:
    disk = MemoryDisk({})
    store = filled(kind, DIRECTORY, disk=disk, durability="process", now=lambda: 1.5)
    call = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}
    store.add_assistant_message("trip", None, {"cost": 0.5}, tool_calls=[call])
    store.add_message("trip", "tool", [{"type": "text", "text": "low"}], tool_call_id="c1")
    store.update_session_metadata("trip", note=None, deep={"list": [1, 2.5, True, "é"]})
    return disk.files["trip.json"]


def _as_json(data: Any) -> bytes:
    return json.dumps(data, indent=2, ensure_ascii=False).encode()
