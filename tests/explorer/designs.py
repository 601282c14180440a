"""The designs: two real writers on a real folder, each of which stops before its next step.

A broken design is a program in `examples/explorer`, whose `worker` is a generator; ours is the real
`DefaultSessionStore`, run by the clients of `tests.proofs.orders`.
"""

from __future__ import annotations

import fcntl
import json
import runpy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import greenlet

from readfresh import DefaultSessionStore
from tests.proofs.orders.clients import Client, Inodes, ScheduledDisk, seamed
from tests.proofs.orders.spec import Call, text

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples/explorer"

FIRST = "Where shall we go?"
ADDED = {"A": "Porto it is.", "B": "And when?"}
"""What each worker adds."""

Content = list[str] | str | None
"""The messages of a file or of a memory; what is wrong with it instead; None where there is none."""


def content(data: bytes | None) -> Content:
    """Return what a session's bytes hold."""
    if not data:
        return data if data is None else "empty"
    try:
        session = json.loads(data)
    except ValueError:
        return "broken JSON"
    return [each["content"] for each in session["messages"]] if isinstance(session, dict) else session


class Writers(Protocol):
    """Two workers, each of which stops before its next step."""

    def next_step(self, worker: str) -> str | None:
        """Name the step that the worker is about to make; None when it has ended."""

    def go(self, worker: str) -> None:
        """Let it make this step."""

    def memory(self, worker: str) -> Content:
        """Return the messages that it has in memory."""


class Generators:
    """Workers that are generators of a program: they yield the name of each step before they make it."""

    def __init__(self, worker: Callable[[str], Iterator[str]]) -> None:
        Path("trip.json").write_text(json.dumps([FIRST]))
        self._workers: dict[str, Any] = {name: worker(message) for name, message in ADDED.items()}
        self._next: dict[str, str | None] = {name: next(each) for name, each in self._workers.items()}

    def next_step(self, worker: str) -> str | None:
        """Name it."""
        return self._next[worker]

    def go(self, worker: str) -> None:
        """Make it."""
        self._next[worker] = next(self._workers[worker], None)

    def memory(self, worker: str) -> Content:
        """Return the variable `messages` of the generator."""
        frame = self._workers[worker].gi_frame
        return None if frame is None or "messages" not in frame.f_locals else list(frame.f_locals["messages"])


class RememberedDisk(ScheduledDisk):
    """A disk that keeps what was read or is to be written last: the session, as its worker has it in memory."""

    memory: bytes | None = None

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        self.memory = super().read(path, max_bytes)
        return self.memory

    def write(self, descriptor: int, data: bytes) -> None:
        """Write."""
        self.memory = data
        super().write(descriptor, data)


OURS = {
    "call": "call add_message",
    "lock": "lock",
    "read": "read trip.json",
    "create": "create trip.json.tmp",
    "write": "write half of trip.json.tmp",
    "replace": "rename to trip.json",
    "unlock": "unlock",
    "return": "return",
}
"""The steps of our store that are told; those between them, which look or clean up, go with the one before."""


class Stores:
    """Workers that are stores, each with a message to add."""

    def __init__(self) -> None:
        self._clients = {
            name: Client(name, [Call("add_message", text(["trip", "user", message]), False, 1.0, name)])
            for name, message in ADDED.items()
        }
        inodes = Inodes(list(self._clients.values()))
        self._disks = {name: RememberedDisk(client, inodes) for name, client in self._clients.items()}
        for client in self._clients.values():
            client.start(lambda one: DefaultSessionStore(".", disk=self._disks[one.name]), greenlet.getcurrent())

    def next_step(self, worker: str) -> str | None:
        """Name it."""
        step = self._clients[worker].waiting
        return OURS[step.name] if step else None

    def go(self, worker: str) -> None:
        """Make it, and those that are not told."""
        client = self._clients[worker]
        client.go()
        while client.waiting and client.waiting.name not in OURS:
            client.go()

    def memory(self, worker: str) -> Content:
        """Return what its disk has last read or been given."""
        return content(self._disks[worker].memory) if self._clients[worker].waiting else None

    def end(self) -> None:
        """Unwind the workers."""
        for client in self._clients.values():
            client.end()


@contextmanager
def _of_stores() -> Iterator[Writers]:
    DefaultSessionStore(".").add_message("trip", "user", FIRST)
    with seamed():
        stores = Stores()
        try:
            yield stores
        finally:
            stores.end()


def _of_program(name: str) -> Callable[[], AbstractContextManager[Writers]]:
    @contextmanager
    def begin() -> Iterator[Writers]:
        yield Generators(runpy.run_path(str(EXAMPLES / name))["worker"])

    return begin


@dataclass(frozen=True)
class Design:
    """A way to add a message.

    Args:
        key: its name in addresses.
        title: its name for readers.
        what: what a worker does, as a sentence.
        begin: starts both workers in the working directory.
    """

    key: str
    title: str
    what: str
    begin: Callable[[], AbstractContextManager[Writers]]


DESIGNS = (
    Design(
        "earlier-copy",
        "Broken: change an earlier copy",
        "Each worker reads, then locks, and saves the whole session over the file.",
        _of_program("earlier_copy.py"),
    ),
    Design(
        "two-locks",
        "Broken: lock twice",
        "Each worker reads under one lock, and saves under another.",
        _of_program("two_locks.py"),
    ),
    Design(
        "in-place",
        "Broken: write in place",
        "Each worker writes over the file in two halves, and takes a file that it cannot read for a new session.",
        _of_program("in_place.py"),
    ),
    Design(
        "readfresh",
        "readfresh: one lock from the read to the rename",
        "Each worker calls add_message, which reads, writes beside the file and renames under one lock.",
        _of_stores,
    ),
)


def lock_is_free() -> bool:
    """Ask the system whether the session's lock can be taken."""
    with open("trip.json.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def bytes_of(name: str) -> bytes | None:
    """Return what a file of the working directory holds; None where it is missing."""
    path = Path(name)
    return path.read_bytes() if path.exists() else None


@contextmanager
def begun(design: Design, folder: Path) -> Iterator[Writers]:
    """Start the workers of a design in this empty folder, which is the working directory meanwhile."""
    with chdir(folder), design.begin() as writers:
        yield writers
