"""A reader, and a process that starts after a crash, finds a session as it was
before a change or as it is after it, never in between.
"""

import os
import signal
from multiprocessing import get_context

from readfresh import DefaultSessionStore
from readfresh.disk import Disk


class Crash(Disk):
    """The real disk, on which this process is killed in the middle of a write
    or right after the rename.
    """

    def __init__(self, moment: str) -> None:
        self.moment = moment

    def write(self, descriptor: int, data: bytes) -> None:
        """Write half of the data, and be killed."""
        super().write(descriptor, data[: len(data) // 2])
        if self.moment == "half written":
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(descriptor, data[len(data) // 2 :])

    def replace(self, source: str, target: str) -> None:
        """Rename, and be killed."""
        super().replace(source, target)
        os.kill(os.getpid(), signal.SIGKILL)


def change(moment: str) -> None:
    """Replace the history, and be killed at the moment."""
    messages = [
        {"role": "user", "content": "new"},
        {"role": "user", "content": "newer"},
    ]
    DefaultSessionStore("sessions", disk=Crash(moment)).set_chat_history(
        "trip", messages
    )


if __name__ == "__main__":
    store = DefaultSessionStore("sessions")
    store.add_message("trip", "user", "old")
    for moment in ("half written", "renamed"):
        process = get_context("spawn").Process(target=change, args=(moment,))
        process.start()
        process.join()
        found = [
            message["content"] for message in store.get_chat_history("trip")
        ]
        killed_by = signal.Signals(-(process.exitcode or 0)).name
        print(f"{killed_by} when {moment}: {found}")
