"""Make the session files of this folder with PraisonAI's own stores.

Run it where ``praisonaiagents==1.7.17`` is installed, and nothing else of ours needs to be:

    python tests/store/praisonai/make.py [<folder>]

It writes what its stores write, in a directory of its own, and copies the files here, or into the folder.
Only ids and times are then replaced by fixed ones, so that a second run makes the same files.
What is in them was made up for this test.
"""

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from praisonaiagents.session import (
    DefaultSessionStore,
    HierarchicalSessionStore,
)

HERE = Path(__file__).parent
CALL = [{"id": "call_1", "type": "function", "function": {"name": "tide", "arguments": '{"town": "Porto"}'}}]
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def exchange(store: Any, session_id: str, number: int) -> None:
    """Add a question and its answer."""
    store.add_user_message(session_id, f"Question {number}: où? 日本 🎈", {"number": number, "tags": ["a", None]})
    store.add_assistant_message(session_id, f"Answer {number}")


def plain(directory: str) -> None:
    """Chat, a tool call, metadata with None, agent, gateway, runtime state, a compaction."""
    store = DefaultSessionStore(session_dir=directory)
    exchange(store, "plain", 1)
    store.add_message("plain", "assistant", "", tool_calls=CALL)
    store.add_message("plain", "tool", "high at 14:05", tool_call_id="call_1")
    store.update_session_metadata("plain", model="some-model", total_tokens=12, cost=0.5, compute={"id": "c1"})
    store.set_agent_info("plain", agent_name="Ann", user_id="u1")
    store.set_gateway_info("plain", gateway_session_id="g1", agent_id="a1")
    store.set_runtime_state("plain", "runtime", "turn", {"step": 3, "notes": ["x"]})
    store.append_compaction_checkpoint("plain", "They talked about tides.", tokens_before=90, tokens_after=9)
    exchange(store, "plain", 2)
    exchange(store, "a/b", 1)


def compacted(directory: str) -> None:
    """A window of four messages: what rolls out of it is archived."""
    store = DefaultSessionStore(session_dir=directory, max_messages=4, retention="compact")
    for number in range(4):
        exchange(store, "compacted", number)


def tree(directory: str) -> None:
    """A parent with a child, a fork and pooled snapshots; sharing and a title."""
    store = HierarchicalSessionStore(session_dir=directory)
    store.create_session(session_id="tree", title="A trip", agent_name="Ann", metadata={"k": [1, None]})
    exchange(store, "tree", 1)
    store.create_session(session_id="child", parent_id="tree")
    store.create_snapshot("tree", label="before", metadata={"why": "test"})
    store.add_message("tree", "assistant", "", tool_calls=CALL)
    store.add_message("tree", "tool", "high at 14:05", tool_call_id="call_1")
    store.create_snapshot("tree", label="after")
    store.fork_session("tree", from_message_index=1, title="Fork")
    store.share_session("tree")
    store.revert_to_message("tree", 0)


def fixed(text: str) -> str:
    """Replace ids and times by fixed ones, in the order in which they come."""
    seen: dict[str, str] = {}
    text = UUID.sub(lambda m: seen.setdefault(m[0], f"00000000-0000-4000-8000-{len(seen):012d}"), text)
    text = re.sub(r'("(?:timestamp|created_at)": ?)\d{10}\.\d+', r"\g<1>1790000000.25", text)
    return re.sub(r'"\d{4}-\d\d-\d\dT[^"]+"', '"2026-11-01T12:00:00.000001+00:00"', text)


def main(target: Path) -> None:
    """Write the files."""
    with tempfile.TemporaryDirectory() as directory:
        for make in (plain, compacted, tree):
            make(directory)
        for path in sorted(Path(directory).glob("*.json")):
            name = path.name
            if UUID.fullmatch(path.stem):
                name = "fork.json"
            shutil.copy(path, target / name)
        for path in sorted(target.glob("*.json")):
            path.write_text(fixed(path.read_text(encoding="utf-8")), encoding="utf-8")
            json.loads(path.read_bytes())
            print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
