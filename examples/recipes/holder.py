"""Name the process that holds the lock of a session, on Linux."""

import os
import threading
from pathlib import Path

from readfresh import DefaultSessionStore, SessionData


def holder_of(lock_file: str) -> int | None:
    """Return the id of the process that holds the file, or None."""
    inode = str(os.stat(lock_file).st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        if "->" in line:  # one that waits
            continue
        _, kind, _, _, process, file, *_ = line.split()
        if kind == "FLOCK" and file.split(":")[-1] == inode:
            return int(process)
    return None


store = DefaultSessionStore("chats")
store.add_user_message("trip", "Where to?")
print("nobody" if holder_of("chats/trip.json.lock") is None else "somebody")

held, let_go = threading.Event(), threading.Event()


def hold(session: SessionData) -> SessionData:
    """Keep the session's lock until it is let go."""
    held.set()
    let_go.wait()
    return session


thread = threading.Thread(target=store.update, args=("trip", hold))
thread.start()
held.wait()
holder = holder_of("chats/trip.json.lock")
print("this process" if holder == os.getpid() else f"another: {holder}")
let_go.set()
thread.join()
