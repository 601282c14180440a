"""A damaged session is never overwritten, moved or passed off as an empty one:
reading it and writing to it raise an error that names it, and its bytes stay.

A full disk or a stray editor has cut a file in half; the program shows what
each verb makes of it.
"""

import logging
from pathlib import Path

from readfresh import (
    DefaultSessionStore,
    SessionDamaged,
    SessionStoreError,
    rescue,
)

logging.getLogger("readfresh").setLevel(
    logging.ERROR
)  # the log says what on_error is told, which is printed here


def tell(error: SessionStoreError) -> None:
    """Say that an error occurred."""
    print("on_error:", type(error).__name__, error.session_id)


store = DefaultSessionStore(
    "chats", on_error=tell, now=lambda: 1_000_000_000.0
)
store.add_user_message("trip", "Where to?")
store.add_assistant_message("trip", "Porto it is.")
store.add_user_message("food", "Soup?")

file = Path("chats/trip.json")
half = file.read_bytes()[:-30]
file.write_bytes(half)

try:
    store.get_chat_history("trip")
except SessionDamaged as error:
    print("reading:", error.cause)
try:
    store.add_user_message("trip", "Hello?")
except SessionDamaged as error:
    print("writing:", error.cause)

print("the bytes stay:", file.read_bytes() == half)
print("it exists:", store.session_exists("trip"))
for entry in sorted(
    store.list_sessions(), key=lambda entry: str(entry["session_id"])
):
    print("listed:", entry["session_id"], entry["status"])

found = rescue(store, "trip", new_session_id="trip-rescued")
print(
    "rescued:",
    [
        message.content
        for message in store.get_session("trip-rescued").messages
    ],
)
for said in found.left_out:
    print("left out:", said)
print("the bytes stay:", file.read_bytes() == half)
