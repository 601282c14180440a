"""What the tests of bots and agents share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.agents.support import HISTORY_KINDS, KINDS, make_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place for sessions that does not exist yet."""
    return tmp_path / "sessions"


@pytest.fixture(params=KINDS)
def any_store(request: pytest.FixtureRequest, folder: Path) -> Any:
    """Each kind of store in turn, one of five methods too."""
    return make_store(request.param, folder)


@pytest.fixture(params=HISTORY_KINDS)
def store(request: pytest.FixtureRequest, folder: Path) -> Any:
    """Each kind of store that keeps all of a turn, in turn."""
    return make_store(request.param, folder)


@pytest.fixture
def files(folder: Path) -> Any:
    """One store over files, for what no store decides."""
    return make_store("default", folder)
