"""A plain store writes to a session of a hierarchical one, and a field is
there that no store knows.

Runs against readfresh, or against the package that it is given: `python
unknown_fields.py praisonaiagents.session`.
"""

import importlib
import json
import sys
from pathlib import Path

package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")

tree = package.HierarchicalSessionStore("chats")
tree.create_session("trip", title="A trip")
tree.create_session("detour", parent_id="trip")

file = Path("chats/trip.json")
data = json.loads(file.read_text())
data["mood"] = "calm"
file.write_text(json.dumps(data))

package.DefaultSessionStore("chats").add_user_message("trip", "Where to?")

data = json.loads(file.read_text())
print("title:", data.get("title"))
print("children:", data.get("children_ids"))
print("mood:", data.get("mood"))
