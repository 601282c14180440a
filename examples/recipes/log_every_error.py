"""A worker that goes on after an error, and a log that has it all the same."""

import logging
import sys
from pathlib import Path

from readfresh import DefaultSessionStore, SessionStoreError

logging.basicConfig(
    stream=sys.stdout, format="%(name)s %(levelname)s %(message)s"
)
logging.getLogger("readfresh").setLevel(
    logging.ERROR
)  # the hook says it already
log = logging.getLogger("worker")


def report(error: SessionStoreError) -> None:
    """Log an error of the store; after an unknown outcome a person has to
    look.
    """
    level = logging.CRITICAL if error.written == "unknown" else logging.ERROR
    log.log(
        level, "%s %r: %s", type(error).__name__, error.session_id, error.cause
    )


store = DefaultSessionStore("chats", on_error=report)
store.add_user_message("trip", "Where to?")
Path("chats/food.json").write_text("")

for session_id in ("trip", "food"):
    try:
        store.add_assistant_message(session_id, "One moment.")
    except SessionStoreError:
        continue  # the hook has told it

print([entry["status"] for entry in store.list_sessions()])
