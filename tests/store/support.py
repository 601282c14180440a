"""What the tests of the stores share: the table of verbs, disks that watch and fail, and child processes."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from readfresh import DefaultSessionStore, HierarchicalSessionStore, rescue
from readfresh.disk import Disk, HeldLock, Stamp
from readfresh.files import SessionFiles
from readfresh.pins import Pin, Version, close_all

Kind = type[DefaultSessionStore[Any]]
Store = DefaultSessionStore[Any]

LONG = os.environ.get("LONG_RUN") == "1"
ROOT = Path(__file__).resolve().parents[2]
# How long a test waits for what is to happen at once: what takes longer is a red, and not a run that hangs.
PATIENCE_SECONDS = 60
FAULTS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)


def scaled(normal: int, long: int) -> int:
    """Return how much to do: little in the normal run, much where LONG_RUN=1 asks for it."""
    return long if LONG else normal


@dataclass(frozen=True)
class Verb:
    """A verb of a store, called on one session.

    Args:
        name: the method.
        call: calls it; the session it is given has two messages, a snapshot and a child where the store has those.
        writes: whether it changes the session.
        missing: what it answers for a session that does not exist; None when it creates the session or raises.
        hierarchical: whether only the hierarchical store has it.
        per_session: whether it reads the session that it is given; else it is a query over all of them.
    """

    name: str
    call: Callable[[Any, str], Any]
    writes: bool = False
    missing: Any = None
    hierarchical: bool = False
    per_session: bool = True


def _snapshot_of(store: Any, session_id: str) -> Any:
    return store.revert_to_snapshot(session_id, "snap-1")


VERBS = (
    Verb("get_session", lambda store, sid: store.get_session(sid).messages, missing=()),
    Verb("get_chat_history", lambda store, sid: store.get_chat_history(sid), missing=[]),
    Verb("session_exists", lambda store, sid: store.session_exists(sid), missing=False),
    Verb("invalidate_cache", lambda store, sid: store.invalidate_cache(sid), per_session=False),
    Verb("list_sessions", lambda store, _: store.list_sessions(), missing=[], per_session=False),
    Verb("list_sessions_by_agent", lambda store, _: store.list_sessions_by_agent("Ann"), missing=[], per_session=False),
    Verb("get_sessions_by_agent", lambda store, _: store.get_sessions_by_agent("Ann"), missing=[], per_session=False),
    Verb("get_agent_chat_history", lambda store, _: store.get_agent_chat_history("Ann"), missing=[], per_session=False),
    Verb("get_by_gateway_session", lambda store, _: store.get_by_gateway_session("g"), per_session=False),
    Verb(
        "list_sessions_by_gateway_agent",
        lambda store, _: store.list_sessions_by_gateway_agent("a"),
        missing=[],
        per_session=False,
    ),
    Verb("add_message", lambda store, sid: store.add_message(sid, "user", "more"), writes=True),
    Verb("add_user_message", lambda store, sid: store.add_user_message(sid, "more"), writes=True),
    Verb("add_assistant_message", lambda store, sid: store.add_assistant_message(sid, "more"), writes=True),
    Verb(
        "set_chat_history",
        lambda store, sid: store.set_chat_history(sid, [{"role": "user", "content": "new"}]),
        writes=True,
    ),
    Verb("update_session_metadata", lambda store, sid: store.update_session_metadata(sid, cost=1), writes=True),
    Verb("set_agent_info", lambda store, sid: store.set_agent_info(sid, agent_name="Bob"), writes=True),
    Verb("set_gateway_info", lambda store, sid: store.set_gateway_info(sid, agent_id="b"), writes=True),
    Verb(
        "update",
        lambda store, sid: store.update(sid, lambda session: session.with_metadata({"cost": 1})),
        writes=True,
    ),
    Verb("clear_session", lambda store, sid: store.clear_session(sid), writes=True, missing=False),
    Verb("delete_session", lambda store, sid: store.delete_session(sid), writes=True, missing=False),
    Verb("get_extended_session", lambda s, sid: s.get_extended_session(sid).messages, missing=(), hierarchical=True),
    Verb("get_children", lambda store, sid: store.get_children(sid), missing=[], hierarchical=True),
    Verb("get_parent", lambda store, sid: store.get_parent(sid), hierarchical=True),
    Verb("get_session_tree", lambda s, sid: s.get_session_tree(sid)["children"], missing=[], hierarchical=True),
    Verb("get_snapshots", lambda store, sid: store.get_snapshots(sid), missing=[], hierarchical=True),
    Verb("is_shared", lambda store, sid: store.is_shared(sid), missing=False, hierarchical=True),
    Verb("export_session", lambda store, sid: store.export_session(sid), hierarchical=True),
    Verb("create_session", lambda store, sid: store.create_session(parent_id=sid), writes=True, hierarchical=True),
    Verb("fork_session", lambda store, sid: store.fork_session(sid), writes=True, hierarchical=True),
    Verb("create_snapshot", lambda store, sid: store.create_snapshot(sid), writes=True, hierarchical=True),
    Verb("revert_to_snapshot", _snapshot_of, writes=True, missing=False, hierarchical=True),
    Verb(
        "revert_to_message", lambda s, sid: s.revert_to_message(sid, 0), writes=True, missing=False, hierarchical=True
    ),
    Verb("share_session", lambda store, sid: store.share_session(sid), writes=True, hierarchical=True),
    Verb("unshare_session", lambda s, sid: s.unshare_session(sid), writes=True, missing=False, hierarchical=True),
    Verb("set_title", lambda store, sid: store.set_title(sid, "Trip"), writes=True, hierarchical=True),
    Verb(
        "auto_title",
        lambda store, sid: asyncio.run(store.auto_title(sid)),
        writes=True,
        missing=False,
        hierarchical=True,
    ),
    Verb(
        "import_session",
        lambda s, sid: s.import_session({"messages": []}, new_session_id=sid),
        writes=True,
        hierarchical=True,
    ),
)
"""Every public verb of both stores; a test checks that none is missing."""

# On a session that exists these change nothing, or make another session.
NOT_IN_PLACE = ("import_session",)


def verbs_of(kind: Kind) -> tuple[Verb, ...]:
    """Return the verbs that a store of the class has."""
    return tuple(verb for verb in VERBS if not verb.hierarchical or issubclass(kind, HierarchicalSessionStore))


def each_verb(*, writes: bool | None = None, per_session: bool | None = None) -> list[Any]:
    """Return the pairs of store class and verb, as parameters for pytest."""
    import pytest

    return [
        pytest.param(kind, verb, id=f"{name}-{verb.name}")
        for name, kind in (("plain", DefaultSessionStore), ("hierarchical", HierarchicalSessionStore))
        for verb in verbs_of(cast("Kind", kind))
        if (writes is None or verb.writes == writes) and (per_session is None or verb.per_session == per_session)
    ]


def filled(kind: Kind, directory: Path, session_id: str = "trip", **arguments: Any) -> Store:
    """Return a store whose session has an exchange, an agent, a gateway, and where it can a snapshot and a child."""
    names = iter(["snap-1", "child-1", *(f"id-{number}" for number in range(1000))])
    store = kind(directory, new_id=lambda: next(names), **arguments)
    store.set_chat_history(
        session_id, [{"role": "user", "content": "Where to?"}, {"role": "assistant", "content": "Porto."}]
    )
    store.set_agent_info(session_id, agent_name="Ann", user_id="u")
    store.set_gateway_info(session_id, gateway_session_id="g", agent_id="a")
    if isinstance(store, HierarchicalSessionStore):
        store.create_snapshot(session_id)
        store.create_session(parent_id=session_id)
    return store


def files_of(store: Store) -> SessionFiles[Any]:
    """Return the directory that the store works on."""
    assert isinstance(store._storage, SessionFiles)
    return store._storage


def hand_over(store: Store, session_id: str) -> bool:
    """Do what a move into a database does to a session's file."""
    return files_of(store).hand_over(session_id, "sqlite:///chats.db", lambda _: None)


def contents(directory: Path, *, locks: bool = False) -> dict[str, bytes | str]:
    """Return what stands in the directory: the bytes of files, and what else there is by its kind."""
    found: dict[str, bytes | str] = {}
    if not directory.exists():
        return found
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            if locks or not name.endswith(".lock"):
                found[name] = path.read_bytes()
        else:
            found[name] = f"{stat.S_IFMT(mode):o}"
    return found


def descriptors() -> dict[str, str]:
    """Return the open descriptors of this process and what they are of, but for those of sessions that are kept."""
    close_all()
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that listed the directory
            continue
    return found


def held_open(directory: str | Path) -> list[str]:
    """Return what this process holds open of the directory's session files, deleted ones too."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that listed the directory
            continue
        if target.startswith(f"{directory}/") and ".json" in target:
            found.append(os.path.basename(target))
    return sorted(found)


def write_json(directory: Path, name: str, data: Mapping[str, Any]) -> Path:
    """Put a file into the session directory, as another program does."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@contextmanager
def held(store: Store, session_id: str, **metadata: Any) -> Iterator[Callable[[], None]]:
    """Hold the session's lock in another thread, which then sets the metadata.

    It lets go when what is yielded is called, and at the end of the block in any case.
    """
    inside, leave = threading.Event(), threading.Event()
    ended: list[object] = []

    def change(session: Any) -> Any:
        inside.set()
        leave.wait(PATIENCE_SECONDS)
        return session.with_metadata(metadata) if metadata else session

    def hold() -> None:
        try:
            ended.append(store.update(session_id, change))
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=hold, daemon=True)

    def let_go() -> None:
        leave.set()
        thread.join(PATIENCE_SECONDS)

    thread.start()
    try:
        assert inside.wait(PATIENCE_SECONDS), f"the lock was not taken: {ended}"
        yield let_go
    finally:
        let_go()
    assert ended == [bool(metadata)], ended


class UntouchedDisk(Disk):
    """A disk that must not be touched: whatever asks for a verb fails the test."""

    def __getattribute__(self, name: str) -> Any:
        """Refuse every verb."""
        if name.startswith("__") or name == "reserved_names":
            return super().__getattribute__(name)
        raise AssertionError(f"the disk was asked to {name}")


class WatchedDisk(Disk):
    """A disk that announces each step before and after it is made.

    Steps are the verbs, and of a lock also that it is looked at (`still_stands`) and let go (`release`).
    """

    flushes = True

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self._of: dict[int, str] = {}

    def before(self, verb: str, path: str) -> None:
        """Be told of a step that is about to be made; raising here keeps it from being made."""
        self.steps.append((verb, os.path.basename(path)))

    def after(self, verb: str, path: str) -> None:
        """Be told of a step that has been made."""

    @contextmanager
    def _step(self, verb: str, path: str) -> Iterator[None]:
        self.before(verb, path)
        yield
        self.after(verb, path)

    @contextmanager
    def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
        """Hold the lock."""
        self.before("lock", path)
        with super().lock(path, timeout_seconds) as held:
            self.after("lock", path)
            yield cast("HeldLock", _WatchedLock(self, held, path))
        self.before("release", path)  # let go by then, as it is when close(2) fails
        self.after("release", path)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        with self._step("read", path):
            return super().read(path, max_bytes)

    def pin(self, path: str) -> Pin | None:
        """Hold open; a disk that fails here cannot be asked to."""
        try:
            self.before("pin", path)
        except OSError:
            return None
        pin = super().pin(path)
        self.after("pin", path)
        return pin

    def version(self, path: str) -> Version | None:
        """Look; a disk that fails here shows nothing."""
        try:
            self.before("version", path)
        except OSError:
            return None
        version = super().version(path)
        self.after("version", path)
        return version

    def exists(self, path: str) -> bool:
        """Look."""
        with self._step("exists", path):
            return super().exists(path)

    def stamp(self, path: str) -> Stamp | None:
        """Look; a disk that fails here shows nothing."""
        try:
            self.before("stamp", path)
        except OSError:
            return None
        stamp = super().stamp(path)
        self.after("stamp", path)
        return stamp

    def create(self, path: str) -> int:
        """Create."""
        with self._step("create", path):
            descriptor = super().create(path)
            self._of[descriptor] = path
            return descriptor

    def write(self, descriptor: int, data: bytes) -> None:
        """Write; a disk that fails here has written half."""
        try:
            self.before("write", self._of[descriptor])
        except OSError:
            super().write(descriptor, data[: len(data) // 2])
            raise
        super().write(descriptor, data)
        self.after("write", self._of[descriptor])

    def fsync(self, descriptor: int) -> None:
        """Flush."""
        with self._step("fsync", self._of[descriptor]):
            if self.flushes:
                super().fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close, also when that is to fail: the system gives the descriptor back whatever it answers."""
        super().close(descriptor)
        with self._step("close", self._of.pop(descriptor)):
            pass

    def replace(self, source: str, target: str) -> None:
        """Rename."""
        with self._step("replace", target):
            super().replace(source, target)

    def unlink(self, path: str) -> None:
        """Delete."""
        with self._step("unlink", path):
            super().unlink(path)

    def names(self, directory: str) -> list[str]:
        """List."""
        with self._step("names", directory):
            return super().names(directory)

    def sync_directory(self, directory: str) -> None:
        """Flush a directory."""
        with self._step("sync_directory", directory):
            if self.flushes:
                super().sync_directory(directory)

    def make_directory(self, directory: str) -> list[str]:
        """Make a directory."""
        with self._step("make_directory", directory):
            return super().make_directory(directory)


class _WatchedLock:
    def __init__(self, disk: WatchedDisk, held: HeldLock, path: str) -> None:
        self._disk = disk
        self._held = held
        self._path = path

    def still_stands(self) -> bool:
        with self._disk._step("still_stands", self._path):
            return self._held.still_stands()


class FaultyDisk(WatchedDisk):
    """A disk whose step number `at` fails, counted from 0; every later one fails too where the fault `stays`.

    It does not really flush, since no test of it cuts the power.
    """

    flushes = False

    def __init__(self, at: int, number: int, *, stays: bool = False) -> None:
        super().__init__()
        self.at = at
        self.number = number
        self.stays = stays
        self.failed: list[str] = []

    def before(self, verb: str, path: str) -> None:
        """Fail when it is time."""
        count = len(self.steps)
        super().before(verb, path)
        if count == self.at or (self.stays and count > self.at):
            self.failed.append(verb)
            raise OSError(self.number, os.strerror(self.number), path)


class Child:
    """A process that runs a function of `tests.store.children`, and speaks with the test by lines."""

    def __init__(self, role: str, *arguments: object, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.children", role, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def says(self, expected: str | None = None) -> str:
        """Wait for the next line; it must be the one that is expected."""
        assert self.process.stdout is not None
        guard = threading.Timer(PATIENCE_SECONDS, self.process.kill)  # the end of the child is the end of the line
        guard.start()
        try:
            line = self.process.stdout.readline().rstrip("\n")
        finally:
            guard.cancel()
        if expected is not None and line != expected:
            self.process.kill()
            raise AssertionError(f"the child said {line!r}, not {expected!r}: {self.process.communicate()[1]}")
        return line

    def tell(self, line: str = "go") -> None:
        """Say a line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self) -> str:
        """Wait for it to end well, and return what else it said."""
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, err
        return out

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def run_child(role: str, *arguments: object, env: Mapping[str, str] | None = None) -> list[Any]:
    """Run a child to its end and return the JSON value of each line it printed."""
    with Child(role, *arguments, env=env) as child:
        return [json.loads(line) for line in child.end().splitlines()]


def rescued(store: Store, session_id: str) -> list[Any]:
    """Return the contents of the messages that can be rescued."""
    return [message.content for message in rescue(store, session_id).session.messages]
