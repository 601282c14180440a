"""What the tests of the guarantees share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.guarantees.worker import Worker

Store = DefaultSessionStore[Any]
StoreType = type[Store]


@pytest.fixture(params=[DefaultSessionStore, HierarchicalSessionStore])
def store_type(request: pytest.FixtureRequest) -> StoreType:
    """Each of the stores in turn."""
    kind: StoreType = request.param
    return kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A session directory that does not exist yet."""
    return tmp_path / "sessions"


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """Another process, for tests that leave it alive."""
    running = Worker()
    yield running
    running.end()


@pytest.fixture
def start_worker() -> Iterator[Callable[[], Worker]]:
    """Start another process, for tests that kill it."""
    running: list[Worker] = []

    def start() -> Worker:
        running.append(Worker())
        return running[-1]

    yield start
    for each in running:
        each.kill()
