"""What the kit is told about the store: make it, damage it, close it."""

import os
from pathlib import Path
from typing import Any

from redis import Redis

from redis_store import RedisStore

URL = os.environ["REDIS_URL"]


class Factory:
    """Makes stores, each place with keys of its own."""

    def __call__(self, place: Path) -> RedisStore:
        """Make a store object."""
        return RedisStore(URL, prefix=place.name)

    def damage(self, place: Path, session_id: str) -> None:
        """Cut the end off a session's value."""
        key = f"{place.name}:{session_id}"
        with Redis.from_url(URL) as redis:
            value: Any = redis.get(key)
            redis.set(key, value[:-10])

    def close(self, store: RedisStore) -> None:
        """Give back the connections."""
        store.close()

    def describe(self) -> dict[str, Any]:
        """Say what was checked, for the report."""
        with Redis.from_url(URL) as redis:
            info: Any = redis.info()
        return {name: info[name] for name in ("redis_version", "aof_enabled")}


factory = Factory()
