"""What the verbs answer where there is nothing, or something already.

Runs against readfresh, or against the package that it is given: `python
verbs.py praisonaiagents.session`.
"""

import importlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

logging.disable(logging.CRITICAL)
package = importlib.import_module(sys.argv[1] if sys.argv[1:] else "readfresh")
store = package.HierarchicalSessionStore("chats")


def show(name: str, call: Callable[[], Any]) -> None:
    """Print what a call answers."""
    try:
        print(f"{name}:", call())
    except Exception as error:
        print(f"{name}: raised", type(error).__name__)


show("read a missing session", lambda: store.get_chat_history("missing"))
show("files after that", lambda: len(list(Path("chats").glob("missing*"))))
show("clear a missing session", lambda: store.clear_session("missing"))
show("it exists then", lambda: store.session_exists("missing"))
show("delete what is missing", lambda: store.delete_session("never"))
show("set no metadata", lambda: store.update_session_metadata("trip"))
show("export what is missing", lambda: len(store.export_session("never")) > 0)
show(
    "snapshot of what is missing",
    lambda: len(store.create_snapshot("never")) > 0,
)
show("fork of what is missing", lambda: len(store.fork_session("nothing")) > 0)

store.create_session("trip", title="A trip")
store.add_user_message("trip", "Where to?")
show("create what exists", lambda: store.create_session("trip"))
show("its messages", lambda: len(store.get_chat_history("trip")))
show(
    "import over what exists",
    lambda: store.import_session({"session_id": "x", "messages": []}, "trip"),
)
show("its messages", lambda: len(store.get_chat_history("trip")))

store.create_session("detour", parent_id="trip")
store.create_session("packing", parent_id="trip")
store.delete_session("packing")
show("children after one is deleted", lambda: store.get_children("trip"))
store.delete_session("trip")
show("parent after it is deleted", lambda: store.get_parent("detour"))
show("the origin in the file", lambda: store.get_session("detour").parent_id)

Path("chats/broken.json").write_text("[]")
show("list beside a broken file", lambda: len(store.list_sessions()) > 0)
