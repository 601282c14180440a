"""Replacing a history is one change: nobody ever sees it half replaced, and
timestamps and metadata that were given are kept.

A reader looks at the file at every step of the replacement, and finds three
messages or one, never none or two.
"""

import json
from pathlib import Path

from readfresh import DefaultSessionStore, SessionMessage
from readfresh.disk import Disk

FILE = Path("chats/trip.json")
seen: list[tuple[str, int]] = []


class LookingDisk(Disk):
    """The disk, with somebody who looks at the session after each step of a
    change.
    """

    def write(self, descriptor: int, data: bytes) -> None:
        """Write the temporary file, then look."""
        super().write(descriptor, data)
        seen.append(("write", len(json.loads(FILE.read_text())["messages"])))

    def replace(self, source: str, target: str) -> None:
        """Rename it over the session, then look."""
        super().replace(source, target)
        seen.append(("replace", len(json.loads(FILE.read_text())["messages"])))


DefaultSessionStore("chats").set_chat_history(
    "trip", [{"role": "user", "content": text} for text in ("A", "B", "C")]
)

summary = SessionMessage(
    "system",
    "They said A, B and C.",
    timestamp=978307200.0,
    metadata={"by": "summariser"},
)
store = DefaultSessionStore("chats", disk=LookingDisk())
store.set_chat_history("trip", [summary])

print("messages after each step:", seen)
print("kept as given:", store.get_session("trip").messages == (summary,))
