"""Record what a save does on the disk, with a disk of our own in the place of
the real one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from readfresh import DefaultSessionStore, SessionData, SessionMessage
from readfresh.disk import Disk, HeldLock


class RecordingDisk(Disk):
    """The real disk, which says what is done with it."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._names: dict[int, str] = {}

    def note(self, verb: str, path: str = "") -> None:
        """Write down one step, with the last part of the path."""
        self.steps.append(f"{verb} {os.path.basename(path)}".strip())

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        """Lock, and unlock."""
        with super().lock(path, timeout_seconds) as held:
            self.note("lock", path)
            yield held
        self.note("unlock", path)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        self.note("read", path)
        return super().read(path, max_bytes)

    def create(self, path: str) -> int:
        """Create the temporary file."""
        self.note("create", path)
        descriptor = super().create(path)
        self._names[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write the new session."""
        self.note("write", self._names[descriptor])
        super().write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        """Wait until the content has reached the disk."""
        self.note("fsync", self._names[descriptor])
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the temporary file."""
        self.note("close", self._names.pop(descriptor))
        super().close(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Rename: the instant of the change."""
        self.note("replace", target)
        super().replace(source, target)

    def sync_directory(self, directory: str) -> None:
        """Wait until the rename has reached the disk."""
        self.note("sync_directory", directory)
        super().sync_directory(directory)


disk = RecordingDisk()
store = DefaultSessionStore("chats", disk=disk)
store.add_user_message("trip", "Where shall we go?")


def change(session: SessionData) -> SessionData:
    """Add a message, and note when that happens."""
    disk.note("change")
    return session.with_message(SessionMessage("assistant", "Porto it is."))


store.invalidate_cache()  # so that it has to read what it changes
disk.steps.clear()
disk.note("call")
store.update("trip", change)
disk.note("return")
for number, step in enumerate(disk.steps, 1):
    print(f"{number}. {step}")
