"""One server of each kind for the whole process: the one that the environment names, or one of our own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.servers.binaries import Missing
from tests.servers.databases import fresh_database, fresh_keys
from tests.servers.own import PostgresServer, RedisServer
from tests.servers.server import Server

_running: dict[type[Server], Server] = {}


def url_of(kind: type[Server]) -> str:
    """Return the URL of the server of this kind, which is started for the first who asks.

    Where none is installed, the test is skipped, and says how to get one.
    """
    if named := os.environ.get(kind.variable):
        return named
    if kind not in _running:
        _running[kind] = started(kind)
    return _running[kind].url


def started(kind: type[Server]) -> Server:
    """Return a new server that runs; skip the test where there is none."""
    try:
        server = kind()
    except Missing as missing:
        pytest.skip(str(missing))
    try:
        return server.start()
    except BaseException:
        server.close()
        raise


def close_all() -> None:
    """End the servers that were started."""
    while _running:
        _running.popitem()[1].close()


@contextmanager
def a_database() -> Iterator[Mapping[str, str]]:
    """Give what names an empty PostgreSQL database to a program of a page."""
    with fresh_database(url_of(PostgresServer)) as url:
        yield {"DATABASE_URL": url}


@contextmanager
def an_empty_redis() -> Iterator[Mapping[str, str]]:
    """Give what names an empty Redis database to a program of a page."""
    with fresh_keys(url_of(RedisServer)) as url:
        yield {"REDIS_URL": url}
