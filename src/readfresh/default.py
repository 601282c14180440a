"""`DefaultSessionStore`: chat sessions in a directory, or wherever a storage keeps them."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from readfresh.chat import ChatStore, random_id
from readfresh.disk import Disk
from readfresh.errors import SessionStoreError
from readfresh.files import SessionFiles
from readfresh.model import SessionData
from readfresh.storage import Durability, SessionStorage, StorageProvider
from readfresh.store import S
from readfresh.values import whole_number

__all__ = ["DefaultSessionStore", "default_session_dir", "get_default_session_store"]

SESSION_DIR_VARIABLE = "READFRESH_SESSION_DIR"
LOCK_TIMEOUT = 5.0
MAX_FILE_BYTES = 256 * 1024 * 1024

K = TypeVar("K", bound="DefaultSessionStore[Any]")


class DefaultSessionStore(ChatStore[S]):
    """Chat sessions as JSON files in one directory, shared by any number of threads, processes and store objects.

    Any method may be called from any thread.

    Args:
        session_dir: the directory; it is created, private, by the first write. None: see `default_session_dir`.
        max_messages: how many messages `add_message` and `set_chat_history` leave in a session, the newest.
            None, the default, drops nothing. A tool call is never split from its results.
        lock_timeout: how long a read or a write waits for a session's lock, in seconds.
        durability: ``"power"``: a change that has returned outlives the loss of power.
            ``"process"``: it outlives the death of its process, and a loss of power may take it, or damage the file.
        on_error: called with every `SessionStoreError` before it is raised, and with those that a query reports
            instead of raising; for logs and alerts.
        now: the clock, in seconds since the epoch.
        new_id: makes the ids that the store gives itself, each a new one.
        max_file_bytes: a session whose file is larger is neither read nor written.
        disk: the seam to the file system, for tests.
        storage: keeps the sessions instead of a directory: a `DbSessionAdapter`, whose timeout and durability hold.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
    """

    session_type: type[S] = cast("type[S]", SessionData)

    def __init__(
        self,
        session_dir: str | os.PathLike[str] | None = None,
        max_messages: int | None = None,
        lock_timeout: float = LOCK_TIMEOUT,
        durability: Durability = "power",
        *,
        on_error: Callable[[SessionStoreError], object] | None = None,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = random_id,
        max_file_bytes: int = MAX_FILE_BYTES,
        disk: Disk | None = None,
        storage: StorageProvider | None = None,
    ) -> None:
        kept: SessionStorage[S]
        if storage is None:
            self._place = str(default_session_dir() if session_dir is None else _directory(session_dir)) + os.sep
            self.session_dir = os.path.abspath(self._place)
            self.lock_timeout = seconds(lock_timeout, "lock_timeout")
            self.durability = durability_of(durability)
            kept = SessionFiles(
                self.session_dir,
                self.session_type,
                lock_timeout=self.lock_timeout,
                durability=durability,
                max_file_bytes=whole_number(max_file_bytes, "max_file_bytes", least=1),
                disk=_disk(disk),
            )
        else:
            _belongs_to_the_storage(
                session_dir=session_dir is None,
                lock_timeout=lock_timeout == LOCK_TIMEOUT,
                durability=durability == "power",
                max_file_bytes=max_file_bytes == MAX_FILE_BYTES,
                disk=disk is None,
            )
            if isinstance(storage, type) or not callable(getattr(storage, "storage_for", None)):
                raise TypeError(f"storage must be a DbSessionAdapter, not {type(storage).__name__}")
            self._place = storage.place
            self.lock_timeout = storage.lock_timeout
            self.durability = storage.durability
            kept = storage.storage_for(self.session_type)
        super().__init__(kept, self.session_type, max_messages=max_messages, on_error=on_error, now=now, new_id=new_id)


def default_session_dir() -> Path:
    """Return the directory of a store that is given none.

    It is what the environment variable READFRESH_SESSION_DIR names,
    else ``sessions`` in the user's data directory for readfresh, as platformdirs knows it.
    """
    if named := os.environ.get(SESSION_DIR_VARIABLE):
        return _directory(named, SESSION_DIR_VARIABLE)
    from platformdirs import user_data_path

    return user_data_path("readfresh", appauthor=False) / "sessions"


def get_default_session_store() -> DefaultSessionStore:
    """Return the process's one `DefaultSessionStore` on the default directory, made on the first call."""
    return one_store(DefaultSessionStore)


def one_store(kind: type[K]) -> K:
    """Return the process's one store of a kind on the default directory."""
    # No lock, which a fork could leave held for ever: of two that are made at once, setdefault keeps one.
    found: K = _stores.get(kind) or _stores.setdefault(kind, kind())
    return found


_stores: dict[type, Any] = {}


def _directory(value: object, name: str = "session_dir") -> Path:
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be a path, not {type(value).__name__}")
    path = os.fspath(value)
    if not isinstance(path, str):
        raise TypeError(f"{name} must be a path of text, not of {type(path).__name__}")
    if not path or "\0" in path:
        raise ValueError(f"{name} must not be empty or contain NUL")
    if "://" in path:  # not shown: it may hold a password
        raise ValueError(f"{name} must be a path, not a URL: DbSessionAdapter(url) keeps sessions in a database")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{name} is {path!r}, and there is no such user: {error}") from None


def _disk(value: object) -> Disk | None:
    if value is not None and not isinstance(value, Disk):
        raise TypeError(f"disk must be a Disk, not {type(value).__name__}")
    return value


def seconds(value: object, name: str) -> float:
    """Return `value` when it is a time to wait; raise TypeError or ValueError that names it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not math.isfinite(value) or not 0 <= value <= threading.TIMEOUT_MAX:
        raise ValueError(f"{name} must be a finite number of seconds, 0 or more, not {value}")
    return float(value)


def durability_of(value: Durability) -> Durability:
    """Return `value` when it is a durability; raise ValueError."""
    if value not in ("power", "process"):
        raise ValueError(f"durability must be 'power' or 'process', not {value!r}")
    return value


def _belongs_to_the_storage(**left_out: bool) -> None:
    for name, absent in left_out.items():
        if not absent:
            raise ValueError(f"{name} must be left out beside storage, which has its own")
