"""Kills a move at each of its steps, lets somebody do something, moves to the end, and prints what there is then."""

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from readfresh import DbSessionAdapter, DefaultSessionStore, SessionMoved
from readfresh.move import move
from tests.move.both import Both
from tests.move.faults import FAULTS
from tests.move.killed import killed_child


def a_worker_adds(directory: str, url: str, session_id: str) -> None:
    """Add a message where the session is."""
    Both(directory, url).add_user_message(session_id, "since then")


def a_worker_deletes(directory: str, url: str, session_id: str) -> None:
    """Delete the session where it is."""
    Both(directory, url).delete_session(session_id)


def a_worker_makes_it_anew(directory: str, url: str, session_id: str) -> None:
    """Delete the session where it is, and begin another one under its id."""
    Both(directory, url).delete_session(session_id)
    Both(directory, url).add_user_message(session_id, "since then")


def two_workers_disagree(directory: str, url: str, session_id: str) -> None:
    """Add a message here, and one there although nobody has been sent there."""
    DbSessionAdapter(url).add_user_message(session_id, "there")
    a_worker_adds(directory, url, session_id)


def contents(store: Any, session_id: str) -> list[Any] | str:
    """Return what a store says about the session."""
    try:
        if not store.session_exists(session_id):
            return "none"
        return [message.content for message in store.get_session(session_id).messages]
    except SessionMoved:
        return "moved"


def main(folder: str, url: str, what: str, *faults: str) -> None:
    """Try every step, with a move that is whole or has a fault."""
    for fault in faults:
        FAULTS[fault]()
    action: Callable[[str, str, str], None] = globals()[what]
    for last in itertools.count(1):
        directory = str(Path(folder, str(last)))
        session_id = f"trip-{last}"
        files, database = DefaultSessionStore(directory, durability="process"), DbSessionAdapter(url)
        files.add_user_message(session_id, "one")
        files.add_user_message(session_id, "two")
        killed = killed_child(directory, url, last)
        action(directory, url, session_id)
        report = move(directory, url)
        line = {
            "step": last,
            "killed": killed,
            "left": [left.why for left in report.left],
            "here": contents(files, session_id),
            "there": contents(database, session_id),
            "again": len(move(directory, url).left),
            "litter": sorted(path.name for path in Path(directory).iterdir() if path.suffix == ".tmp"),
        }
        print(json.dumps(line), flush=True)
        if not killed:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
