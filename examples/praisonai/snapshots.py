"""Snapshots: a new one after all was replaced, and one of the year before that
holds an index.

Runs against readfresh, or against the package that it is given: `python
snapshots.py praisonaiagents.session`.
"""

import importlib
import json
import logging
import sys
from pathlib import Path

logging.disable(logging.CRITICAL)
package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")

store = package.HierarchicalSessionStore("chats")
store.add_user_message("trip", "Where to?")
snapshot = store.create_snapshot("trip")
store.set_chat_history(
    "trip", [{"role": "user", "content": "Something else."}]
)
print(
    "new:",
    store.revert_to_snapshot("trip", snapshot),
    store.get_chat_history("trip")[0]["content"],
)

old = {
    "session_id": "old",
    "messages": [
        {"role": "user", "content": f"Message {number} after a trim."}
        for number in range(3)
    ],
    "snapshots": [{"id": "s-1", "session_id": "old", "message_index": 0}],
}
Path("chats/old.json").write_text(json.dumps(old))
try:
    print(
        "old:",
        store.revert_to_snapshot("old", "s-1"),
        store.get_chat_history("old")[-1]["content"],
    )
except ValueError as error:
    print(
        "old: raised",
        type(error).__name__,
        "·",
        len(store.get_chat_history("old")),
        "messages",
    )
