"""What a test asks for when it needs a server.

`postgresql_url` and `redis_url` are empty databases in a server that all tests of this process share.
`own_postgresql` and `own_redis` are servers that a test may stop and kill.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest

from tests.servers.databases import fresh_database, fresh_keys
from tests.servers.given import close_all, started, url_of
from tests.servers.own import PostgresServer, RedisServer


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database, which is dropped after the test."""
    with fresh_database(url_of(PostgresServer)) as url:
        yield url


@pytest.fixture
def redis_url() -> Iterator[str]:
    """Give the URL of an empty Redis database, which is emptied after the test."""
    with fresh_keys(url_of(RedisServer)) as url:
        yield url


@pytest.fixture
def own_postgresql() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server that runs and is this test's alone: it may be stopped, killed and restarted."""
    server = started(PostgresServer)
    yield cast("PostgresServer", server)
    server.close()


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """Give a Redis server that runs and is this test's alone: it may be stopped, killed and restarted."""
    server = started(RedisServer)
    yield cast("RedisServer", server)
    server.close()


def pytest_unconfigure() -> None:
    """End the servers with the run."""
    close_all()
