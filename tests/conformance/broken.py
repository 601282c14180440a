"""Small broken stores, a fault each, and the guarantees that the kit must find broken: those and no others."""

# ruff: noqa: D102 - the methods are described where they are not broken
from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock, Timeout

from readfresh import ExtendedSessionData, HierarchicalSessionStore
from tests.conformance.base import GoodStore, Session


class Unlocked(GoodStore):
    """Read, change, write, and no lock."""

    @contextmanager
    def locked(self, session_id: str) -> Iterator[None]:  # noqa: ARG002
        yield


class LockedTwice(GoodStore):
    """The lock is taken to read, released, and taken again to write."""

    def add_message(self, session_id: str, role: str, content: str, metadata: Mapping[str, Any] | None = None) -> bool:
        with self.locked(session_id):
            session = self.load(session_id)
        session["messages"].append({"role": role, "content": content, "metadata": dict(metadata or {})})
        with self.locked(session_id):
            self.save(session_id, session)
        return True


class LockedAmongThreads(GoodStore):
    """The lock is one of this process: threads are excluded, processes are not."""

    _lock = threading.RLock()

    @contextmanager
    def locked(self, session_id: str) -> Iterator[None]:  # noqa: ARG002
        with self._lock:
            yield


class StaleCache(GoodStore):
    """What has been read once is never read again; writes go to the file."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._cache: dict[str, list[dict[str, Any]]] = {}

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        if session_id not in self._cache:
            self._cache[session_id] = super().get_chat_history(session_id)
        return self._cache[session_id][-max_messages if max_messages else 0 :]


class CacheByTime(GoodStore):
    """What has been read is read again when the file's time has changed, and not when it has not."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._cache: dict[str, tuple[int, Session]] = {}

    def load(self, session_id: str) -> Session:
        try:
            time_ns = os.stat(self.path(session_id)).st_mtime_ns
        except FileNotFoundError:
            return {"messages": []}
        if self._cache.get(session_id, (0,))[0] != time_ns:
            self._cache[session_id] = time_ns, super().load(session_id)
        session = self._cache[session_id][1]
        return {**session, "messages": list(session["messages"])}


class FieldsWiped(GoodStore):
    """What is loaded is made into a base class's few fields, and the rest is gone with the next write."""

    def load(self, session_id: str) -> Session:
        messages = super().load(session_id)["messages"]
        known = ("role", "content", "metadata")
        return {"messages": [{name: message.get(name) for name in known} for message in messages]}


class SilentReset(GoodStore):
    """A file that cannot be read is taken for an empty session, which the next write puts in its place."""

    def load(self, session_id: str) -> Session:
        try:
            return super().load(session_id)
        except ValueError:
            return {"messages": []}


class DamageMovedAway(GoodStore):
    """A file that cannot be read is put aside."""

    def load(self, session_id: str) -> Session:
        try:
            return super().load(session_id)
        except ValueError:
            self.path(session_id).rename(self.path(session_id).with_suffix(".corrupt"))
            return {"messages": []}


class NamelessError(GoodStore):
    """The error of a damaged file says what, and not where."""

    def load(self, session_id: str) -> Session:
        try:
            return super().load(session_id)
        except ValueError:
            raise ValueError("a session is damaged") from None


class TwoIdsOneFile(GoodStore):
    """Whatever is no letter, digit or hyphen becomes an underscore."""

    def path(self, session_id: str) -> Path:
        return self.place / f"{re.sub('[^A-Za-z0-9-]', '_', session_id)[:100]}.json"


class IdIsAPath(GoodStore):
    """The id is the name of the file, dots and slashes included."""

    def path(self, session_id: str) -> Path:
        if len(session_id) > 200:
            raise ValueError("session_id is too long")
        return self.place / f"{session_id}.json"


class InPlace(GoodStore):
    """The file is written where it stands."""

    def save(self, session_id: str, session: Session) -> None:
        self.path(session_id).write_text(json.dumps(session), encoding="utf-8")


class UnlockedInAThread(Unlocked):
    """No lock, and whatever is done to the files is done by a thread that the store has started."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._thread = ThreadPoolExecutor(1)

    def add_message(self, session_id: str, role: str, content: str, metadata: Mapping[str, Any] | None = None) -> bool:
        return self._thread.submit(super().add_message, session_id, role, content, metadata).result()


class InPlaceInAThread(InPlace):
    """The file is written where it stands, by a thread that the store has started."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._thread = ThreadPoolExecutor(1)

    def save(self, session_id: str, session: Session) -> None:
        self._thread.submit(super().save, session_id, session).result()


class ReadersWait(InPlace):
    """The file is written where it stands, and readers take the lock: only a crash shows it."""

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        with self.locked(session_id):
            return super().get_chat_history(session_id, max_messages)


class Buffered(GoodStore):
    """Messages are said to be added when they are in memory; the third one takes them to the file."""

    _waiting: ClassVar[dict[Path, list[Session]]] = {}

    def add_message(self, session_id: str, role: str, content: str, metadata: Mapping[str, Any] | None = None) -> bool:
        waiting = self._waiting.setdefault(self.path(session_id), [])
        waiting.append({"role": role, "content": content, "metadata": dict(metadata or {})})
        if len(waiting) == 3:
            with self.locked(session_id):
                session = super().load(session_id)
                self.save(session_id, {**session, "messages": [*session["messages"], *waiting]})
            waiting.clear()
        return True

    def load(self, session_id: str) -> Session:
        session = super().load(session_id)
        session["messages"] += self._waiting.get(self.path(session_id), [])
        return session

    def clear_session(self, session_id: str) -> bool:
        self._waiting.pop(self.path(session_id), None)
        super().clear_session(session_id)
        return True

    def delete_session(self, session_id: str) -> bool:
        self._waiting.pop(self.path(session_id), None)
        super().delete_session(session_id)
        return True

    def session_exists(self, session_id: str) -> bool:
        return bool(self._waiting.get(self.path(session_id))) or super().session_exists(session_id)


class DeadHolder(GoodStore):
    """The lock is a file that is there: whoever dies leaves it there."""

    @contextmanager
    def locked(self, session_id: str) -> Iterator[None]:
        path = self.path(session_id).with_suffix(".lock")
        until = time.monotonic() + 0.5
        while True:
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL))
                break
            except FileExistsError:
                if time.monotonic() > until:
                    raise TimeoutError(f"{session_id!r} was locked for 0.5 s") from None
                threading.Event().wait(0.05)
        try:
            yield
        finally:
            path.unlink()


class WaitsForEver(GoodStore):
    """The lock is waited for without end."""

    @contextmanager
    def locked(self, session_id: str) -> Iterator[None]:
        with FileLock(f"{self.path(session_id)}.lock", poll_interval=0.002):
            yield


class LockGivenUp(GoodStore):
    """Whoever has waited for long enough goes on without the lock."""

    @contextmanager
    def locked(self, session_id: str) -> Iterator[None]:
        lock = FileLock(f"{self.path(session_id)}.lock", timeout=0.3, poll_interval=0.002)
        with suppress(Timeout):
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


class GoodTree(HierarchicalSessionStore):
    """readfresh's own store, to be broken below."""

    def __init__(self, place: Path) -> None:
        super().__init__(place, lock_timeout=0.5, durability="process")


class NoneSkipped(GoodTree):
    """None is taken for "not given"."""

    def update_session_metadata(self, session_id: str, **fields: Any) -> bool:
        return super().update_session_metadata(
            session_id, **{name: value for name, value in fields.items() if value is not None}
        )


class BaseClassWrites(GoodTree):
    """Metadata are written by way of the plain class: what a tree adds is gone."""

    def update_session_metadata(self, session_id: str, **fields: Any) -> bool:
        return self.update(
            session_id,
            lambda session: ExtendedSessionData(
                session.session_id, session.messages, metadata={**session.metadata, **fields}
            ),
        )


class ReplacedInTwoSteps(GoodTree):
    """A history is replaced by clearing it and adding the new messages."""

    def set_chat_history(self, session_id: str, messages: Iterable[Any]) -> bool:
        self.clear_session(session_id)
        for message in messages:
            self.add_message(session_id, message["role"], message["content"], message.get("metadata"))
        return True


class TimestampsDropped(GoodTree):
    """Replacing a history keeps role and content."""

    def set_chat_history(self, session_id: str, messages: Iterable[Any]) -> bool:
        return super().set_chat_history(
            session_id, [{"role": message["role"], "content": message["content"]} for message in messages]
        )


class SnapshotByIndex(GoodTree):
    """A snapshot is how many messages there were."""

    def revert_to_snapshot(self, session_id: str, snapshot_id: str) -> bool:
        index = next(one.message_index for one in self.get_snapshots(session_id) if one.id == snapshot_id)
        return self.revert_to_message(session_id, index)


class ChildListedFirst(GoodTree):
    """A parent lists a child before there is one."""

    def create_session(self, session_id: str | None = None, *args: Any, **options: Any) -> str:
        parent = options.pop("parent_id", None)
        if parent is not None and session_id is not None:
            self.update(parent, lambda newest: replace(newest, children_ids=(*newest.children_ids, session_id)))
        created = super().create_session(session_id, *args, **options)
        if parent is not None:
            self.update(created, lambda newest: replace(newest, parent_id=parent))
        return created

    def get_children(self, session_id: str) -> list[str]:
        return list(self.get_session(session_id).children_ids)


class ParentBroughtBack(GoodTree):
    """A child is entered in its parent, whether that is still there or not."""

    def _create_under(self, parent: ExtendedSessionData, child: ExtendedSessionData) -> str:
        created = self._create(child).session_id
        self.update(parent.session_id, lambda newest: replace(newest, children_ids=(*newest.children_ids, created)))
        return created


class CacheThatShows(GoodTree):
    """What has been read is given again until `invalidate_cache`."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._cache: dict[str, list[dict[str, Any]]] = {}

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        if session_id not in self._cache:
            self._cache[session_id] = super().get_chat_history(session_id)
        return self._cache[session_id][-(max_messages or 0) :]

    def invalidate_cache(self, session_id: str | None = None) -> None:  # noqa: ARG002
        self._cache.clear()


class WritesFromCache(GoodStore):
    """What is changed is what was read once, and not what is in the file."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self._cache: dict[str, Session] = {}

    def load(self, session_id: str) -> Session:
        return self._cache.setdefault(session_id, super().load(session_id))

    def save(self, session_id: str, session: Session) -> None:
        self._cache[session_id] = session
        super().save(session_id, session)

    def delete_session(self, session_id: str) -> bool:
        self._cache.pop(session_id, None)
        return super().delete_session(session_id)
