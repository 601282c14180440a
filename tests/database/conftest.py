"""Both databases, for whatever takes the fixture `databases`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.database.support import Databases
from tests.servers.databases import fresh_database
from tests.servers.given import url_of
from tests.servers.own import PostgresServer
from tests.store.conftest import directory, kind, store

__all__ = ["directory", "kind", "store"]  # the fixtures of one contract


class Schemas:
    """Schemas of one PostgreSQL database, which tests use again: to make tables takes longer than to empty them."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        plain = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._administration = psycopg.connect(plain, autocommit=True)
        self._made: set[str] = set()

    def url(self, number: int) -> str:
        """Return the URL of a schema, which is made for the first who asks."""
        name = f"s{number}"
        if name not in self._made:
            self._administration.execute(f"CREATE SCHEMA {name}")
            self._made.add(name)
        url = self._url.update_query_dict({"options": f"-csearch_path={name}"})
        return url.render_as_string(hide_password=False)

    def close(self) -> None:
        """Let go the connection."""
        self._administration.close()


@pytest.fixture(scope="session")
def schemas() -> Iterator[Schemas]:
    """The schemas of one PostgreSQL database."""
    with fresh_database(url_of(PostgresServer)) as url:
        made = Schemas(url)
        yield made
        made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Databases of each kind in turn."""
    numbers = itertools.count()
    if request.param == "sqlite":

        def new_url(directory: Path) -> str:
            del directory
            return f"sqlite:///{tmp_path}/db-{next(numbers)}.sqlite"
    else:
        found: Schemas = request.getfixturevalue("schemas")

        def new_url(directory: Path) -> str:
            del directory
            return found.url(next(numbers))

    made = Databases(new_url)
    yield made
    made.close()


@pytest.fixture
def url(databases: Databases, directory: Path) -> str:
    """The URL of a database with tables and no session, of each kind in turn."""
    return databases.url(directory)


@pytest.fixture
def postgresql(schemas: Schemas) -> Iterator[str]:
    """The URL of a PostgreSQL database with tables and no session."""
    made = Databases(lambda _: schemas.url(0))
    yield made.url(Path("postgresql"))
    made.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """The URL of a SQLite database with tables and no session."""
    return Databases(lambda _: f"sqlite:///{tmp_path}/chats.db").url(tmp_path)
