"""A field that is set to None is None for every later reader.

An agent frees its compute instance and says so; whoever resumes the session
must not find the old one.
"""

import json
from pathlib import Path

from readfresh import DefaultSessionStore, HierarchicalSessionStore

store = DefaultSessionStore("chats")
store.set_agent_info("trip", agent_name="guide", user_id="ada")
store.update_session_metadata(
    "trip", instance="i-42", provider="local", turns=3
)

store.update_session_metadata("trip", instance=None, provider=None)
store.set_agent_info("trip", user_id=None)

for reader in (
    DefaultSessionStore("chats"),
    HierarchicalSessionStore("chats"),
):
    session = reader.get_session("trip")
    print(
        type(reader).__name__,
        dict(session.metadata),
        session.agent_name,
        session.user_id,
    )

data = json.loads(Path("chats/trip.json").read_text())
print("in the file:", data["metadata"], data["user_id"])
