"""A fork writes two files; a process that dies between them leaves a child
that its parent does not list.

The dying process has a disk of its own, which ends the process where the
parent's file would be replaced.
"""

import multiprocessing
import os
from pathlib import Path

from readfresh import HierarchicalSessionStore, verify
from readfresh.disk import Disk


class DiesAtTheParent(Disk):
    """A disk on which the process ends before `trip.json` is replaced."""

    def replace(self, source: str, target: str) -> None:
        """End the process at once, as `kill -9` does, when the target is the
        parent.
        """
        if os.path.basename(target) == "trip.json":
            os._exit(9)
        super().replace(source, target)


def fork_and_die() -> None:
    """Fork the session on that disk; this does not return."""
    store = HierarchicalSessionStore(
        "chats", disk=DiesAtTheParent(), new_id=lambda: "fork"
    )
    store.fork_session("trip")


if __name__ == "__main__":
    store = HierarchicalSessionStore("chats")
    store.add_user_message("trip", "Where to?")

    worker = multiprocessing.get_context("spawn").Process(target=fork_and_die)
    worker.start()
    worker.join()
    print("the worker ended with", worker.exitcode)
    print("files:", *sorted(path.name for path in Path("chats").iterdir()))

    print("children:", store.get_children("trip"))
    print("parent:", store.get_parent("fork"))
    for finding in verify(store):
        print(finding.kind, "·", finding.what)

    store.delete_session("fork")
    print("after its deletion:", verify(store))

    store.add_assistant_message("trip", "Porto it is.")
    print("files:", *sorted(path.name for path in Path("chats").iterdir()))
