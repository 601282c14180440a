"""Two ids that differ in one character.

Runs against readfresh, or against the package that it is given: `python
ids_apart.py praisonaiagents.session`.
"""

import importlib
import sys
from pathlib import Path

package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")

store = package.DefaultSessionStore("chats")
store.add_user_message("a/b", "The secret of a/b.")
store.add_user_message("a_b", "The question of a_b.")

for message in store.get_chat_history("a_b"):
    print("a_b reads:", message["content"])
print("files:", *sorted(path.name for path in Path("chats").glob("*.json")))
