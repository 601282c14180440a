"""A field is set to None.

Runs against readfresh, or against the package that it is given: `python
none_clears.py praisonaiagents.session`.
"""

import importlib
import sys

package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")

store = package.DefaultSessionStore("chats")
store.set_agent_info("trip", agent_name="Ann")
store.update_session_metadata("trip", compute="c-1")

store.set_agent_info("trip", agent_name=None)
store.update_session_metadata("trip", compute=None)

session = store.get_session("trip")
print("agent name:", session.agent_name)
print("compute:", session.metadata["compute"])
