"""A change alters what it names and nothing else: fields that a store has
never heard of survive it, at every level of the file.

A hierarchical store writes a session, another program adds fields of its own,
and a plain store, which knows neither titles nor snapshots nor those fields,
writes on.
"""

import json
from pathlib import Path

from readfresh import DefaultSessionStore, HierarchicalSessionStore

tree = HierarchicalSessionStore("chats")
tree.create_session("trip", title="Porto in May")
tree.add_user_message("trip", "Where to?")
tree.create_snapshot("trip", label="before the answer")

file = Path("chats/trip.json")
data = json.loads(file.read_text())
data["rating"] = {"stars": 5}
data["messages"][0]["reactions"] = ["thumbs up"]
data["snapshots"][0]["pinned"] = True
file.write_text(json.dumps(data))

plain = DefaultSessionStore("chats")
plain.add_assistant_message("trip", "Porto it is.")
plain.update_session_metadata("trip", mood="calm")

after = json.loads(file.read_text())
print("title:", after["title"])
print("rating:", after["rating"])
print("reactions:", after["messages"][0]["reactions"])
print("pinned:", after["snapshots"][0]["pinned"])
print("messages:", len(after["messages"]))

named = {"messages", "metadata", "updated_at"}
print(
    "altered beside what was named:",
    [key for key in data if key not in named and after[key] != data[key]],
)
