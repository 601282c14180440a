"""Two processes add 200 messages each to one session, at once: how many of them are there afterwards?

    python -m tests.matrix.stress tests.matrix.ours:default

Prints `{"added": …, "refused": …, "kept": …}`: appends that returned, that raised or said False, and the messages that
a new store object then reads, each counted once; None where it cannot read them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from readfresh.conformance.factory import from_name

APPENDS = 200


def work(factory: str, place: str, name: str, together: Barrier, added: SimpleQueue[int]) -> None:
    """Add messages, and say how many calls have returned."""
    store = from_name(factory)(Path(place))
    together.wait()
    done = 0
    for number in range(APPENDS):
        try:
            done += store.add_message("trip", "user", f"{name} {number}") is not False
        except Exception:
            continue  # it has refused, and said so
    added.put(done)


def stress(factory: str, place: Path) -> dict[str, int | None]:
    """Run it, and count."""
    make = from_name(factory)
    make(place)  # whoever is first makes what all need
    spawn = get_context("spawn")
    together, added = spawn.Barrier(2), spawn.SimpleQueue()
    writers = [
        spawn.Process(target=work, args=(factory, str(place), name, together, added)) for name in ("first", "second")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done = sum(added.get() for _ in writers)
    found: dict[str, int | None] = {"added": done, "refused": 2 * APPENDS - done}
    try:
        said = {message["content"] for message in make(place).get_chat_history("trip")}
    except Exception:
        return found | {"kept": None}
    return found | {"kept": len(said)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        unique = Path(folder, f"rf{uuid.uuid4().hex[:12]}")  # the namespace of a store on a server
        unique.mkdir()
        print(json.dumps(stress(sys.argv[1], unique)))
