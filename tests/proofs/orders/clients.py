"""Real stores whose every operation at the seam waits for its turn.

A client stands for a process: a store object with a disk and a lock table of its own, run by a greenlet.
Before each operation at the seam, and when a call begins and ends, it hands over, and goes on when it is chosen.
What it does then is done by `Disk` itself, on real files, and told apart by what it touches.

Two things stand in for real ones, and the rung `threads` does without them: the lock among the threads of one process,
since there is one thread; and filelock's polling, since a client is chosen to lock only when nobody holds the lock.
flock(2) is real: it has to grant what the model says is free.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import filelock
import greenlet

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionStoreError, disk, files
from readfresh.disk import Disk, HeldLock, Stamp
from readfresh.model import SessionData, SessionSnapshot
from readfresh.pins import Pin, Version
from readfresh.values import thaw
from tests.proofs.orders.spec import Call, text

Touches = tuple[tuple[str, str], ...]
"""What an operation touches, and how: pairs of an object and a mode; see `dependent`."""

Store = DefaultSessionStore[Any]
HISTORY = "the history"


def dependent(one: str, other: str) -> bool:
    """Return whether it matters which of two touches of one object comes first, by their modes.

    ``read``s commute, so do ``same``s (making sure that a lock file exists), ``call``s and ``return``s;
    everything else matters: a ``write``, a lock that is taken or released, a call that begins before another returns.
    """
    return one != other or one not in ("read", "same", "call", "return")


@dataclass
class Step:
    """An operation that a client is about to make, or has made.

    Args:
        name: the verb of the disk, or ``call`` and ``return``.
        path: what it is about.
        ready: whether it can be made now.
        touches: what it touches; known when it is made.
        result: what it gave; known when it is made.
    """

    name: str
    path: str
    ready: Callable[[], bool] = lambda: True
    touches: Touches = ()
    result: Any = None


def _nothing() -> Touches:
    return ()


class Killed(BaseException):
    """The process is dead: it does nothing more, its clean-up included."""


@dataclass
class Client:
    """A process that makes calls, one after another.

    Args:
        name: what people call it.
        calls: what it calls.
        dies_before: the number of its step before which it is killed; None lets it live.
    """

    name: str
    calls: Sequence[Call]
    dies_before: int | None = None
    answers: list[str] = field(default_factory=list)
    begun: int = 0
    made: int = 0
    waiting: Step | None = None
    dead: bool = False
    open: set[int] = field(default_factory=set)
    pins: WeakSet[Pin] = field(default_factory=WeakSet)
    locks: dict[int, str] = field(default_factory=dict)  # the descriptors that hold one, and its path
    body: Any = None
    call: Call | None = None

    def start(self, store: Callable[[Client], Store], hub: Any) -> None:
        """Run up to the first step."""
        self.hub = hub
        self.body = greenlet.greenlet(self._run, parent=hub)
        self._resume(store(self))

    def go(self) -> Step:
        """Make the step that waits, and run up to the next one; return what was made."""
        step = self.waiting
        assert step is not None
        self.waiting = None
        self._resume()
        self.made += 1
        return step

    def step(self, name: str, path: str, act: Callable[[], Any], touch: Callable[[], Touches], **more: Any) -> Any:
        """Wait for the turn, then act; `touch` is asked right before."""
        if self.dead:
            raise Killed
        if touch is _nothing and self.dies_before is None:
            return act()  # nobody notices when it is made, but by its maker's death
        step = Step(name, path, **more)
        if self.made == self.dies_before:
            step = Step("killed", "", touches=self.releases())
        self.waiting = step
        self.hub.switch()
        if step.name == "killed":
            self.die()
            self.hub.switch()  # for good
        if self.dead:
            raise Killed
        step.touches = touch()
        step.result = act()
        return step.result

    def releases(self) -> Touches:
        """Return what is touched when it lets go of the locks that it holds."""
        return tuple((f"lock {path}", "release") for path in self.locks.values())

    def die(self) -> None:
        """Lose what a process loses with its life: descriptors, and the locks that hang on them."""
        self.dead = True
        for descriptor in self.open:
            os.close(descriptor)
        for pin in self.pins:
            pin.close()
        self.open.clear()
        self.locks.clear()

    def end(self) -> None:
        """Unwind the greenlet, which does nothing more."""
        self.dead = True
        if self.body:
            self.body.throw(Killed)
        self.body = None

    def _resume(self, *arguments: Any) -> None:
        _current.append(self)
        try:
            self.body.switch(*arguments)
        finally:
            _current.pop()

    def _run(self, store: Store) -> None:
        try:
            for call in self.calls:
                self.call = call
                self.step("call", call.verb, self._begin, lambda: ((HISTORY, "call"),))
                answer = perform(store, call)
                self.step("return", answer, partial(self.answers.append, answer), lambda: ((HISTORY, "return"),))
        except Killed:
            self.dead = True

    def _begin(self) -> None:
        self.begun += 1


_current: list[Client] = []


def perform(store: Store, call: Call) -> str:
    """Make a call and return its answer as the specification writes it.

    An error that no store may raise is an answer like any other, and one that the specification does not give.
    """
    arguments = call.arguments
    try:
        if call.verb == "update_session_metadata":
            value = store.update_session_metadata(arguments[0], **arguments[1])
        elif call.verb == "update":
            value = store.update(arguments[0], lambda session: session.with_metadata(arguments[1]))
        elif call.verb == "auto_title":
            value = _driven(cast("HierarchicalSessionStore", store).auto_title(*arguments))
        else:
            value = getattr(store, call.verb)(*arguments)
    except SessionStoreError as error:
        return f"raises {type(error).__name__}"
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    return text(_plain(value))


def _driven(coroutine: Any) -> Any:
    """Return what a coroutine returns that never waits: its threads are this one, see `seamed`."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for an event loop")


def _plain(value: Any) -> Any:
    if isinstance(value, SessionData | SessionSnapshot):
        return thaw(value.to_dict())
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value


class ScheduledDisk(Disk):
    """The disk of one client: each verb is a step. It does not flush, since no order loses power."""

    def __init__(self, client: Client, world: Inodes) -> None:
        self._client = client
        self._world = world

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        """Hold the lock, which is taken when nobody holds it."""
        client = self._client
        context = Disk.lock(self, path, timeout_seconds)
        held = client.step(
            "lock",
            path,
            context.__enter__,
            lambda: ((f"name {path}", "same"), (f"lock {path}", "lock")),
            ready=lambda: not self._world.is_held(path),
        )
        touched = client.releases()
        try:
            yield cast("HeldLock", _ScheduledLock(held, client, path))
        finally:
            client.step("unlock", path, partial(context.__exit__, None, None, None), lambda: touched)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        found: bytes | None = self._client.step(
            "read",
            path,
            partial(Disk.read, self, path, max_bytes),
            lambda: ((f"name {path}", "read"), (f"content {self._world.of(path)}", "read")),
        )
        return found

    def pin(self, path: str) -> Pin | None:
        """Hold open."""
        pins: list[Pin] = []

        def hold() -> None:  # what it holds is no result, which the record of the order would hold on to
            if (pin := Disk.pin(self, path)) is not None:
                pins.append(pin)
                self._client.pins.add(pin)

        self._client.step("pin", path, hold, lambda: ((f"name {path}", "read"),))
        return pins.pop() if pins else None

    def version(self, path: str) -> Version | None:
        """Look which file it is."""
        version: Version | None = self._client.step(
            "version", path, partial(Disk.version, self, path), lambda: ((f"name {path}", "read"),)
        )
        return version

    def exists(self, path: str) -> bool:
        """Look."""
        found: bool = self._client.step(
            "exists", path, partial(Disk.exists, self, path), lambda: ((f"existence {path}", "read"),)
        )
        return found

    def stamp(self, path: str) -> Stamp | None:
        """Look which file it is, and what has become of it."""
        stamp: Stamp | None = self._client.step(
            "stamp",
            path,
            partial(Disk.stamp, self, path),
            lambda: ((f"name {path}", "read"), (f"content {self._world.of(path)}", "read")),
        )
        return stamp

    def create(self, path: str) -> int:
        """Create."""

        def touched() -> Touches:
            self._world.made(path)
            return ((f"name {path}", "write"), (f"existence {path}", "write"), *_listed(path))

        descriptor: int = self._client.step("create", path, partial(Disk.create, self, path), touched)
        self._client.open.add(descriptor)
        self._world.paths[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write in two halves."""
        path = self._world.paths[descriptor]
        half = len(data) // 2
        for part in (data[:half], data[half:]):
            self._client.step(
                "write",
                path,
                partial(Disk.write, self, descriptor, part),
                lambda: ((f"content {self._world.of(path)}", "write"),),
            )

    def fsync(self, descriptor: int) -> None:
        """Pass for a flush."""
        self._client.step("fsync", self._world.paths[descriptor], lambda: None, _nothing)

    def close(self, descriptor: int) -> None:
        """Close."""
        self._client.step("close", self._world.paths[descriptor], partial(Disk.close, self, descriptor), _nothing)
        self._client.open.discard(descriptor)

    def replace(self, source: str, target: str) -> None:
        """Rename."""

        def touched() -> Touches:
            appears = () if os.path.lexists(target) else ((f"existence {target}", "write"), *_listed(target))
            self._world.renamed(source, target)
            return (
                *((f"name {path}", "write") for path in (source, target)),
                (f"existence {source}", "write"),
                *appears,
            )

        self._client.step("replace", target, partial(Disk.replace, self, source, target), touched)

    def unlink(self, path: str) -> None:
        """Delete."""
        self._client.step(
            "unlink",
            path,
            partial(Disk.unlink, self, path),
            lambda: ((f"name {path}", "write"), (f"existence {path}", "write"), *_listed(path)),
        )

    def names(self, directory: str) -> list[str]:
        """List the sessions' files; that of others is none of a store's business, so it is not touched."""
        found: list[str] = self._client.step(
            "names",
            directory,
            lambda: sorted(name for name in Disk.names(self, directory) if name.endswith(".json")),
            lambda: ((f"list {directory}", "read"),),
        )
        return found

    def sync_directory(self, directory: str) -> None:
        """Pass for a flush of a directory."""
        self._client.step("sync_directory", directory, lambda: None, _nothing)

    def make_directory(self, directory: str) -> list[str]:
        """Make the directory."""
        made: list[str] = self._client.step(
            "make_directory",
            directory,
            partial(Disk.make_directory, self, directory),
            lambda: ((f"name {directory}", "same"),),
        )
        return made


def _listed(path: str) -> Touches:
    return ((f"list {os.path.dirname(path)}", "write"),) if path.endswith(".json") else ()


class _ScheduledLock:
    def __init__(self, held: HeldLock, client: Client, path: str) -> None:
        self._held = held
        self._client = client
        self._path = path

    def still_stands(self) -> bool:
        found: bool = self._client.step(
            "still_stands", self._path, self._held.still_stands, lambda: ((f"name {self._path}", "same"),)
        )
        return found


class Inodes:
    """What the files of a directory are, whatever their names: the objects that operations touch."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._clients = clients
        self._count = 0
        self._at: dict[str, str] = {}
        self.paths: dict[int, str] = {}

    def of(self, path: str) -> str:
        """Return which file has this name."""
        return self._at.get(path, path)

    def made(self, path: str) -> None:
        """Note that a file was created."""
        self._count += 1
        self._at[path] = f"{path} {self._count}"

    def renamed(self, source: str, target: str) -> None:
        """Note that a file has another name."""
        self._at[target] = self._at.pop(source, source)

    def is_held(self, path: str) -> bool:
        """Return whether a client holds the lock file that has this name; one that was deleted has it no more."""
        try:
            standing = os.stat(path)
        except FileNotFoundError:
            return False
        held = (descriptor for client in self._clients for descriptor in client.locks)
        return any(os.path.samestat(standing, os.fstat(descriptor)) for descriptor in held)


class _BareLock:
    """flock(2) without a wait, in the place of filelock's `FileLock`: the lock is free, or the model is wrong."""

    def __init__(self, path: str, *, on_acquired: Callable[[int], None], **_: Any) -> None:
        self._path = path
        self._told = on_acquired

    def acquire(self, **_: Any) -> None:
        """Take it."""
        self._client = _current[-1]
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._client.open.add(self._descriptor)
        self._client.locks[self._descriptor] = self._path
        self._told(self._descriptor)

    def release(self) -> None:
        """Let it go."""
        if not self._client.dead:
            del self._client.locks[self._descriptor]
            self._client.open.remove(self._descriptor)
            os.close(self._descriptor)


@contextmanager
def seamed() -> Iterator[None]:
    """Let stores run as clients in this process: see the head of this module for what stands in for what."""

    async def to_no_thread(function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    stands: list[tuple[Any, str, Any]] = [
        (filelock, "FileLock", _BareLock),
        (disk, "_thread_lock", lambda _path: disk._ThreadLock()),
        (asyncio, "to_thread", to_no_thread),
    ]
    real = [(owner, name, getattr(owner, name)) for owner, name, _ in stands]
    for owner, name, value in stands:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in real:
            setattr(owner, name, value)


def open_store(client: Client, directory: Path, inodes: Inodes) -> Store:
    """Return the client's store, as a process has it that has written into the directory before."""
    kind: Any = HierarchicalSessionStore if client.calls[0].extended else DefaultSessionStore
    own = ScheduledDisk(client, inodes)
    files._flushed[own] = {str(directory)}

    def call() -> Call:
        assert client.call
        return client.call

    store: Store = kind(directory, disk=own, now=lambda: call().time, new_id=lambda: call().new_id)
    return store
