"""Fresh databases in a running server.

The clients are imported by whoever needs them first: the fixtures are loaded by every run of the tests.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    import psycopg


def make_database(url: str) -> str:
    """Make an empty database in the PostgreSQL server of this URL, and return the URL of the new one."""
    from sqlalchemy import make_url

    name = f"readfresh_{uuid.uuid4().hex}"
    with _administration(url) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """Give the URL of an empty database in the PostgreSQL server of this URL, and drop it afterwards."""
    from sqlalchemy import make_url

    fresh = make_database(url)
    try:
        yield fresh
    finally:
        with _administration(url) as connection:
            connection.execute(f"DROP DATABASE {make_url(fresh).database} WITH (FORCE)")


@contextmanager
def _administration(url: str) -> Iterator[psycopg.Connection]:
    import psycopg
    from sqlalchemy import make_url

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        yield connection


@contextmanager
def fresh_keys(url: str) -> Iterator[str]:
    """Give the URL of an empty database in the Redis server of this URL, and empty it afterwards.

    Redis has its databases numbered, 16 unless it was told otherwise: this is the one of this worker of xdist, so that
    workers may share a server. Raises RuntimeError where it is not empty: the keys are somebody else's.
    """
    import redis

    number = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    place, _, query = url.partition("?")
    fresh = f"{place}?{urlencode(dict(parse_qsl(query)) | {'db': str(number)})}"
    with redis.Redis.from_url(fresh) as client:
        if client.dbsize():
            raise RuntimeError(f"database {number} of the Redis server in REDIS_URL holds keys; name an empty server")
        try:
            yield fresh
        finally:
            client.flushdb()
