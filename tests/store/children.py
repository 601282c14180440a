"""What child processes do in the tests of the stores: ``python -m tests.store.children <role> <arguments>``.

A child prints one line when it has come to a point, and goes on when it is told a line.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, StoreMisused
from readfresh.disk import system_disk
from tests.store.support import PATIENCE_SECONDS, Kind, Store, descriptors, held, held_open

KINDS: dict[str, Kind] = {kind.__name__: kind for kind in (DefaultSessionStore, HierarchicalSessionStore)}


def say(value: object) -> None:
    """Print a line of JSON."""
    print(json.dumps(value), flush=True)


def wait() -> None:
    """Wait to be told to go on."""
    sys.stdin.readline()


def tried(action: Callable[[], Any]) -> Any:
    """Return what the action returns, or the name of the error."""
    try:
        return action()
    except Exception as error:
        return type(error).__name__


def hold(directory: str, session_id: str) -> None:
    """Hold the session's lock inside `change` until told to go on; then add a message."""

    def change(session: Any) -> Any:
        print("held", flush=True)
        wait()
        return session.with_metadata({"held": True})

    print(tried(lambda: DefaultSessionStore(directory).update(session_id, change)), flush=True)


def fork_while_another_thread_holds(directory: str) -> None:
    """Fork while a thread holds the session's lock: the child writes once the thread has let go, and never before."""
    store = DefaultSessionStore(directory, lock_timeout=0.2)
    hears, tells = os.pipe()
    said, says = os.pipe()
    with held(store, "trip", thread=1) as let_go:
        child = os.fork()
        if child == 0:
            try:
                os.close(tells)
                first = tried(lambda: store.add_user_message("trip", "early"))
                other = tried(lambda: store.add_user_message("other", "free"))
                say([first, other])
                os.write(says, b"x")
                os.read(hears, 1)  # the thread has let go
                say(tried(lambda: store.add_user_message("trip", "late")))
            finally:
                os._exit(0)
        os.close(hears)
        os.close(says)
        try:
            # Its words, then its end, are something to read. A child that hangs is killed, and its words are missed.
            if select.select([said], [], [], PATIENCE_SECONDS / 3)[0]:
                os.read(said, 1)
            let_go()
            os.write(tells, b"x")
            select.select([said], [], [], PATIENCE_SECONDS / 3)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    say([message["content"] for message in store.get_chat_history("trip")])


def fork_with_a_kept_session(directory: str) -> None:
    """Fork with a session that is kept; say what the child holds open, reads, and holds open then."""
    store = DefaultSessionStore(directory)
    store.add_user_message("trip", "a")
    child = os.fork()
    if child == 0:
        inherited = held_open(directory)
        history = [message["content"] for message in store.get_chat_history("trip")]
        say(["child", inherited, history, len(held_open(directory))])
        os._exit(0)
    os.waitpid(child, 0)
    say(["parent", held_open(directory)])


def fork_inside_change(directory: str) -> None:
    """Fork inside `change`: the child can neither write nor call a store, and the parent's lock stays held."""
    store = DefaultSessionStore(directory, lock_timeout=0.2)
    before = descriptors()

    def change(session: Any) -> Any:
        child = os.fork()
        if child == 0:
            say(tried(lambda: DefaultSessionStore(directory).get_chat_history("trip")))
            return session.with_metadata({"child": 1})  # goes on, as a careless program does
        os.waitpid(child, 0)
        # The end of the child's `with` block must not have freed the lock, of which it had inherited a descriptor.
        subprocess.run([sys.executable, "-m", "tests.store.children", "read", directory, "trip"], check=True)
        return session.with_metadata({"parent": 1})

    parent = os.getpid()
    try:
        answer: Any = store.update("trip", change)
    except StoreMisused:
        answer = "StoreMisused"
    if os.getpid() != parent:
        say(["child", answer])
        os._exit(0)
    say(["parent", answer, dict(store.get_session("trip").metadata), descriptors() == before])


def read(directory: str, session_id: str) -> None:
    """Read a session, waiting for a moment only."""
    say(tried(lambda: DefaultSessionStore(directory, lock_timeout=0.2).get_chat_history(session_id)))


def orphan(directory: str) -> None:
    """Die with the lock held, leaving a forked child that lives on."""

    def change(session: Any) -> Any:
        if os.fork() == 0:
            print("orphan", flush=True)
            wait()
            os._exit(0)
        signal.pause()
        return session

    DefaultSessionStore(directory).update("trip", change)


def unprivileged(directory: str, kind: str) -> None:
    """Work in a directory that this user may read and not write, as a user without privileges."""
    system_disk()  # imports what that user may not read, where tests run as root
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    store = KINDS[kind](directory, lock_timeout=0.2)

    def seen() -> list[tuple[str, int, int]]:
        return sorted((one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in os.scandir(directory))

    before = seen()
    say([message["content"] for message in store.get_chat_history("trip")])
    say(store.get_session("trip").session_id)
    say([one["status"] for one in store.list_sessions()])
    say(
        [
            tried(lambda: store.add_user_message("trip", "x")),
            tried(lambda: store.add_user_message("new", "x")),
            tried(lambda: store.delete_session("trip")),
            tried(lambda: store.clear_session("trip")),
            tried(lambda: store.get_chat_history("secret")),
            tried(lambda: store.get_chat_history("nobody")),
        ]
    )
    say(seen() == before)


def send(store: Store, session_id: str, content: str) -> bool:
    """Add a message with a store that was sent here."""
    return store.add_user_message(session_id, content)


def failing(store: Store, session_id: str) -> None:
    """Raise an error of the store in a worker process."""
    store.get_session(session_id)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
