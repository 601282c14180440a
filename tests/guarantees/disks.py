"""Disks that are put in the place of the real one, to watch it and to stop in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from readfresh.disk import Disk, HeldLock
from readfresh.pins import Pin, Version

Watch = Callable[[str, str], None]

# The verbs of a change, in its order; a test that stops before each of them has stopped everywhere.
# `half-written` is not a verb: it is the moment at which half the bytes have been written.
# A store that keeps nothing of the session yet makes these; one that keeps it looks at its `version` and does not read.
STEPS = (
    "lock", "pin", "read", "version", "create", "write", "half-written", "fsync", "close", "pin-temporary", "replace",
    "sync_directory", "unlock",
)  # fmt: skip
UNDER_LOCK = STEPS[1:]
# Where one of these fails the change goes on without.
TOLERATED = ("pin", "pin-temporary", "version")


class WatchedDisk(Disk):
    """The real disk, which tells of every verb before it is done: its name, and the name of the file."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._open: dict[int, str] = {}
        self._locked = False

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        """Lock, and tell of the release too."""
        self._tell("lock", path)
        with super().lock(path, timeout_seconds) as held:
            self._locked = True
            try:
                yield held
                self._tell("unlock", path)
            finally:
                self._locked = False

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        self._tell("read", path)
        return super().read(path, max_bytes)

    def pin(self, path: str) -> Pin | None:
        """Hold open; where that fails the store goes on without."""
        try:
            self._tell("pin-temporary" if path.endswith(".tmp") else "pin", path)
        except OSError:
            return None
        return super().pin(path)

    def version(self, path: str) -> Version | None:
        """Look whether it is the file that is held open."""
        try:
            self._tell("version", path)
        except OSError:
            return None
        return super().version(path)

    def create(self, path: str) -> int:
        """Create."""
        self._tell("create", path)
        descriptor = super().create(path)
        self._open[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write in two halves."""
        self._tell("write", self._open[descriptor])
        super().write(descriptor, data[: len(data) // 2])
        self._tell("half-written", self._open[descriptor])
        super().write(descriptor, data[len(data) // 2 :])

    def fsync(self, descriptor: int) -> None:
        """Flush the file."""
        self._tell("fsync", self._open[descriptor])
        super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the file."""
        self._tell("close", self._open.pop(descriptor))
        super().close(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Rename."""
        self._tell("replace", target)
        super().replace(source, target)

    def unlink(self, path: str) -> None:
        """Delete."""
        self._tell("unlink", path)
        super().unlink(path)

    def sync_directory(self, directory: str) -> None:
        """Flush the directory; before the lock is taken it is one above that of the sessions."""
        self._tell("sync_directory" if self._locked else "sync_above", directory)
        super().sync_directory(directory)

    def make_directory(self, directory: str) -> list[str]:
        """Create the directory."""
        self._tell("make_directory", directory)
        return super().make_directory(directory)

    def _tell(self, verb: str, path: str) -> None:
        self._watch(verb, Path(path).name)


class Recorder:
    """A watch that writes down what was done: `Recorder().steps` is a list of verbs."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.files: list[tuple[str, str]] = []

    def __call__(self, verb: str, file: str) -> None:
        """Write it down."""
        self.steps.append(verb)
        self.files.append((verb, file))


class Interruption:
    """A watch that does something else, once, right before a verb of the thread that armed it."""

    def __init__(self, verb: str, action: Callable[[], None]) -> None:
        self.verb = verb
        self.action = action
        self.happened = False

    def __call__(self, verb: str, _file: str) -> None:
        """Interrupt, the first time the verb comes."""
        if verb == self.verb and not self.happened:
            self.happened = True
            self.action()
