"""What a worker calls while sessions are moved: the directory, and the database for what has been moved."""

from collections.abc import Callable
from typing import Any

from readfresh import DbSessionAdapter, DefaultSessionStore, SessionMoved


class Both:
    """Every verb of the directory's store; the database's where that says so."""

    def __init__(self, directory: str, url: str) -> None:
        self.files = DefaultSessionStore(directory, lock_timeout=60)
        self.database = DbSessionAdapter(url, lock_timeout=60)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            try:
                return getattr(self.files, verb)(*args, **named)
            except SessionMoved:
                return getattr(self.database, verb)(*args, **named)

        return call
