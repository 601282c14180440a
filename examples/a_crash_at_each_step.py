"""Kill a worker before each step of a save, and look at what the next one
finds.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from readfresh import DefaultSessionStore
from readfresh.disk import Disk, HeldLock


class DeadlyDisk(Disk):
    """The real disk, until one verb is called: that kills the process."""

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def die_at(self, verb: str) -> None:
        """Die as `kill -9` does, if this is the verb."""
        if verb == self.verb:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        """Lock, and unlock."""
        self.die_at("lock")
        with super().lock(path, timeout_seconds) as held:
            yield held
            self.die_at("unlock")

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        self.die_at("read")
        return super().read(path, max_bytes)

    def create(self, path: str) -> int:
        """Create the temporary file."""
        self.die_at("create")
        return super().create(path)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write the new session."""
        if self.verb == "write":
            super().write(descriptor, data[: len(data) // 2])
        self.die_at("write")
        super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        """Wait until the content has reached the disk."""
        self.die_at("fsync")
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the temporary file."""
        self.die_at("close")
        super().close(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Rename: the instant of the change."""
        self.die_at("replace")
        super().replace(source, target)

    def sync_directory(self, directory: str) -> None:
        """Wait until the rename has reached the disk; the directories above
        are none of this program's business.
        """
        if os.path.basename(directory) == "chats":
            self.die_at("sync_directory")
        super().sync_directory(directory)


temporary = Path("chats/trip.json.tmp")
print(
    f"{'killed at':16}{'messages':10}{'temporary file':16}after the next save"
)
for verb in (
    "lock",
    "read",
    "create",
    "write",
    "fsync",
    "close",
    "replace",
    "sync_directory",
    "unlock",
):
    store = DefaultSessionStore("chats")
    store.set_chat_history(
        "trip", [{"role": "user", "content": "Where shall we go?"}]
    )
    worker = os.fork()
    if worker == 0:
        with suppress(BaseException):
            DefaultSessionStore(
                "chats", disk=DeadlyDisk(verb)
            ).add_assistant_message("trip", "Porto it is.")
        os._exit(1)
    _, status = os.waitpid(worker, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL

    found = len(store.get_chat_history("trip"))
    left = "left" if temporary.exists() else "none"
    store.add_user_message("trip", "And when?")
    after = len(store.get_chat_history("trip"))
    litter = "left" if temporary.exists() else "none"
    print(f"{verb:16}{found:<10}{left:16}{after} messages, {litter}")
