"""What other processes do in the tests of the databases: `python -m tests.database.children <role> <arguments>`."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from readfresh import DbSessionAdapter, SessionStoreError
from readfresh import database as module


def say(value: object) -> None:
    """Print a line."""
    print(value if isinstance(value, str) else json.dumps(value), flush=True)


def tried(action: Callable[[], Any]) -> Any:
    """Return what the action answers, or the name of what it raises."""
    try:
        return action()
    except SessionStoreError as error:
        return type(error).__name__


def append(url: str, name: str, count: str) -> None:
    """Add messages of this name, numbered, after a line has been read."""
    store = DbSessionAdapter(url, durability="process", lock_timeout=60)
    say("ready")
    sys.stdin.readline()
    for number in range(int(count)):
        store.add_user_message("trip", f"{name}-{number}")
    say("done")


def append_until_told(url: str, name: str) -> None:
    """Add messages until a line is read; say each that has been kept, and each error by its name."""
    store = DbSessionAdapter(url, lock_timeout=0.5)
    ended: list[str] = []
    threading.Thread(target=lambda: ended.append(sys.stdin.readline()), daemon=True).start()
    number = 0
    while not ended:
        content = f"{name}-{number}"
        try:
            store.add_user_message("trip", content)
        except SessionStoreError as error:
            say(f"{type(error).__name__} {content}")
        else:
            say(f"kept {content}")
        number += 1
    say("end")


def append_in_two_halves(url: str, name: str, count: str) -> None:
    """Add half of the messages, and the other half when a line has been read."""
    store = DbSessionAdapter(url, durability="process", lock_timeout=60)
    for number in range(int(count)):
        if number == int(count) // 2:
            say("half")
            sys.stdin.readline()
        store.add_user_message("trip", f"{name}-{number}")
    say("done")


def make_schema(url: str) -> None:
    """Make the tables when a line is read, and say whether this process did."""
    store = DbSessionAdapter(url, lock_timeout=60)
    say("ready")
    sys.stdin.readline()
    say(store.create_schema())
    say(store.add_user_message("trip", "works"))


def die_making_schema(url: str, statements: str) -> None:
    """Be killed after so many statements of the first migration."""
    first = module.MIGRATIONS[0]
    poison = "SELECT readfresh_no_such_function()"
    module.MIGRATIONS = ((*first[: int(statements)], poison),)

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    original = sa.text
    sa.text = lambda sql: die() if sql == poison else original(sql)  # type: ignore[assignment,return-value]
    DbSessionAdapter(url).create_schema()


def die_inside_change(url: str) -> None:
    """Be killed while `change` runs, or while rows are written."""
    store = DbSessionAdapter(url)

    def change(session: Any) -> Any:
        say("inside")
        sys.stdin.readline()
        os.kill(os.getpid(), signal.SIGKILL)
        return session

    store.update("trip", change)


def full(url: str) -> None:
    """Write until no file may grow any more (RLIMIT_FSIZE, a full disk in all but the errno)."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    store = DbSessionAdapter(url)
    kept = 0
    while True:
        try:
            store.add_user_message("trip", "x" * 5000)
        except SessionStoreError as error:
            say([type(error).__name__, kept, len(store.get_session("trip").messages)])
            return
        kept += 1


def unprivileged(url: str) -> None:
    """Work on a file that this user may read and not write, as a user without privileges."""
    store = DbSessionAdapter(url, lock_timeout=0.2)  # imports what that user may not read, where tests run as root
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    say(
        [
            tried(lambda: len(store.get_session("trip").messages)),
            tried(lambda: store.add_user_message("trip", "x")),
            tried(lambda: store.delete_session("trip")),
        ]
    )


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
