"""A database of each kind in turn, with tables."""

from pathlib import Path

import pytest

from readfresh import DbSessionAdapter


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with tables and no session."""
    found: str = (
        f"sqlite:///{tmp_path}/chats.db" if request.param == "sqlite" else request.getfixturevalue("postgresql_url")
    )
    DbSessionAdapter(found).create_schema()
    return found
