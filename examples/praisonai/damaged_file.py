"""A file that was cut in half, read and written.

Runs against readfresh, or against the package that it is given: `python
damaged_file.py praisonaiagents.session`.
"""

import importlib
import logging
import sys
from pathlib import Path

logging.disable(logging.CRITICAL)
package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")

store = package.DefaultSessionStore("chats")
store.add_user_message("trip", "Where to?")
file = Path("chats/trip.json")
half = file.read_bytes()[:-20]
file.write_bytes(half)

try:
    print("read:", store.get_chat_history("trip"))
except Exception as error:
    print("read: raised", type(error).__name__)
try:
    print("write:", store.add_user_message("trip", "And when?"))
except Exception as error:
    print("write: raised", type(error).__name__)
print("the file is as it was:", file.read_bytes() == half)
print(
    "other files of it:",
    sum(
        path.read_bytes() == half
        for path in Path("chats").iterdir()
        if path != file
    ),
)
