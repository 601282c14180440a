"""A change that has returned outlives the death of its process and the loss of
power (`durability="process"` gives up the second, and with it `all-or-nothing`
across a loss of power, for speed).
"""

import os
import signal
from multiprocessing import get_context

from readfresh import DefaultSessionStore
from readfresh.disk import Disk


class Told(Disk):
    """The real disk, which tells in which order a change is written and
    flushed.
    """

    def write(self, descriptor: int, data: bytes) -> None:
        """Tell, and write."""
        print("  write")
        super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        """Tell, and flush the file."""
        print("  fsync")
        super().fsync(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Tell, and rename."""
        print("  replace")
        super().replace(source, target)

    def sync_directory(self, directory: str) -> None:
        """Tell, and flush the directory."""
        if directory.endswith("sessions"):
            print("  sync_directory")
        super().sync_directory(directory)


def write_and_die() -> None:
    """Write, and be killed as soon as the call has returned."""
    DefaultSessionStore("sessions").add_message("trip", "user", "Porto")
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    process = get_context("spawn").Process(target=write_and_die)
    process.start()
    process.join()
    print("killed:", process.exitcode == -signal.SIGKILL)
    print("found:", DefaultSessionStore("sessions").get_chat_history("trip"))
    print("durability='power'")
    DefaultSessionStore("sessions", disk=Told()).add_message(
        "trip", "user", "by train"
    )
    print("durability='process'")
    DefaultSessionStore(
        "sessions", durability="process", disk=Told()
    ).add_message("trip", "user", "or by boat")
