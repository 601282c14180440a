"""A holder that is stopped keeps its lock; one that is killed does not."""

import os
import signal

from readfresh import DefaultSessionStore, LockTimeout, SessionData

store = DefaultSessionStore("chats", lock_timeout=0.1)
store.add_user_message("trip", "Where shall we go?")


def stop(session: SessionData) -> SessionData:
    """Stop this process, as Ctrl-Z does, while it holds the lock."""
    os.kill(os.getpid(), signal.SIGSTOP)
    return session


holder = os.fork()
if holder == 0:
    store.update("trip", stop)
    os._exit(0)
os.waitpid(holder, os.WUNTRACED)  # until it has stopped

try:
    store.add_assistant_message("trip", "Porto it is.")
except LockTimeout as error:
    print(f"a write: {error.cause}; {error.written} was written")
print(
    "a read of what is kept:", len(store.get_chat_history("trip")), "message"
)
try:
    DefaultSessionStore("chats", lock_timeout=0.1).get_chat_history("trip")
except LockTimeout as error:
    print(f"a read: {error.cause}")
print(
    "without a lock:",
    store.session_exists("trip"),
    store.list_sessions()[0]["message_count"],
)

os.kill(holder, signal.SIGKILL)
os.waitpid(holder, 0)
store.add_assistant_message("trip", "Porto it is.")
print("after kill -9:", len(store.get_chat_history("trip")), "messages")
