"""A long session.

Runs against readfresh, or against the package that it is given: `python
message_limit.py praisonaiagents.session`.
"""

import importlib
import sys

package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")

store = package.DefaultSessionStore("chats")
for number in range(150):
    store.add_user_message("trip", f"Message {number}")

history = store.get_chat_history("trip")
print("messages:", len(history))
print(
    "the first:",
    history[0]["role"],
    "·",
    history[0]["content"].splitlines()[0],
)
