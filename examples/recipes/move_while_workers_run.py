"""Move a directory into PostgreSQL while two workers write to it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import chain
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from readfresh import DbSessionAdapter, DefaultSessionStore, SessionMoved

URL = os.environ["DATABASE_URL"]
SESSIONS = [f"user-{number}" for number in range(40)]


class WhileMoving:
    """The verbs of the directory; the database's for what has been moved."""

    def __init__(self, directory: str, url: str) -> None:
        self.files = DefaultSessionStore(directory, lock_timeout=60)
        self.database = DbSessionAdapter(url, lock_timeout=60)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def call(*args: Any, **fields: Any) -> Any:
            try:
                return getattr(self.files, verb)(*args, **fields)
            except SessionMoved:
                return getattr(self.database, verb)(*args, **fields)

        return call


def work(name: str, stop: Event, added: "Queue[list[str]]") -> None:
    """Add messages to all sessions in turn, until told to stop."""
    store = WhileMoving("chats", URL)
    acknowledged: list[str] = []
    while not stop.is_set():
        for session_id in SESSIONS:
            content = f"{name} {len(acknowledged)}"
            store.add_user_message(session_id, content)
            acknowledged.append(content)
    added.put(acknowledged)


if __name__ == "__main__":
    DbSessionAdapter(URL).create_schema()
    files = DefaultSessionStore("chats")
    for session_id in SESSIONS:
        files.add_user_message(session_id, f"the first of {session_id}")

    spawn = get_context("spawn")
    stop, added = spawn.Event(), spawn.Queue()
    workers = [
        spawn.Process(target=work, args=(name, stop, added))
        for name in ("ann", "bob")
    ]
    for worker in workers:
        worker.start()

    command = [sys.executable, "-m", "readfresh.move", "chats", URL]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as first:
        assert first.stderr
        first.stderr.readline()  # it has begun
        first.send_signal(signal.SIGKILL)
    print("killed:", first.returncode == -signal.SIGKILL)

    again = subprocess.run(command, capture_output=True, text=True)
    print("exit status of the second run:", again.returncode)
    print(again.stdout.splitlines()[-1])

    stop.set()
    acknowledged = list(chain.from_iterable(added.get() for _ in workers))
    for worker in workers:
        worker.join()

    store = DbSessionAdapter(URL)
    found = [
        message["content"]
        for session_id in SESSIONS
        for message in store.get_chat_history(session_id)
    ]
    firsts = [f"the first of {session_id}" for session_id in SESSIONS]
    expected = sorted([*acknowledged, *firsts])
    print("every message once:", sorted(found) == expected)
    marked = [
        path
        for path in Path("chats").glob("*.json")
        if '"readfresh_moved_to"' in path.read_text()
    ]
    print(len(marked), "files say where their session is now")
