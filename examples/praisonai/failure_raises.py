"""A disk that is full while a session is written.

Runs against readfresh, or against the package that it is given: `python
failure_raises.py praisonaiagents.session`.
"""

import importlib
import logging
import resource
import sys

logging.disable(logging.CRITICAL)
package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")

store = package.DefaultSessionStore("chats")
store.add_user_message("trip", "Where to?")

limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(
    resource.RLIMIT_FSIZE, (300, limits[1])
)  # no file of more than 300 bytes can be written now
try:
    answer = (
        f"returned {store.update_session_metadata('trip', notes='x' * 500)}"
    )
except Exception as error:
    answer = f"raised {type(error).__name__}"
finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)

print(answer)
print("notes are kept:", "notes" in store.get_session("trip").metadata)
