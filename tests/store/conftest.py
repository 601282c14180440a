"""One contract, both stores: what takes the fixture `store` runs with each."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.store.support import LONG, Kind

# A busy machine is no fault of the code.
settings.register_profile("readfresh", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("readfresh")


@pytest.fixture(autouse=True)
def _no_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the wait for the disk: no test of these cuts the power, and flushes are seen at the seam."""
    if not LONG:
        monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(params=[DefaultSessionStore, HierarchicalSessionStore], ids=["plain", "hierarchical"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """The class of the store."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A session directory that does not exist yet."""
    return tmp_path / "sessions"


@pytest.fixture
def store(kind: Kind, directory: Path) -> DefaultSessionStore[Any]:
    """A store on the directory."""
    return kind(directory)
