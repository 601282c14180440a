"""Fork with a store: anywhere but inside `change`."""

import os
from collections.abc import Callable

from readfresh import (
    DefaultSessionStore,
    SessionData,
    SessionMessage,
    StoreMisused,
)

store = DefaultSessionStore("chats")


def in_a_child(work: Callable[[], object]) -> None:
    """Do the work in a forked process, and wait for its end."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


in_a_child(lambda: store.add_user_message("trip", "from a child"))
print(
    [message["content"] for message in store.get_chat_history("trip")],
    flush=True,
)  # before the next fork copies it


def forks(session: SessionData) -> SessionData:
    """Fork; both processes come back from here, and one of them holds the
    lock.
    """
    if child := os.fork():
        os.waitpid(child, 0)
        return session.with_message(SessionMessage("user", "from the parent"))
    return session.with_message(SessionMessage("user", "from the child"))


try:
    store.update("trip", forks)
except StoreMisused as error:
    print(f"the child: {error.cause}; {error.written} was written", flush=True)
    os._exit(0)
print([message["content"] for message in store.get_chat_history("trip")])
