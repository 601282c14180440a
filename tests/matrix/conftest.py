"""What the tests of the matrix share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from readfresh.conformance import GUARANTEES
from tests.matrix.reports import differences, fresh, record, recorded
from tests.matrix.stores import Store


@pytest.fixture
def compare(pytestconfig: pytest.Config, tmp_path: Path) -> Callable[[Store], None]:
    """Give what runs the kit over a store and compares; with `--update-examples` it writes the report instead."""

    def run(store: Store) -> None:
        found = fresh(store, tmp_path / "run")
        if pytestconfig.getoption("--update-examples"):
            record(store, found)
            return
        unlike = differences(recorded(store), found)
        # The kit takes a call that is slow for one that waits: on a busy machine it may be wrong, and not every time.
        for again in range(2):
            if slugs := [name for name in unlike if name in GUARANTEES]:
                second = differences(recorded(store), fresh(store, tmp_path / f"again-{again}", slugs))
                unlike = {name: said for name, said in unlike.items() if name in second or name not in slugs}
        if unlike:
            said = [f"{name}: {words}" for name, words in unlike.items()]
            pytest.fail("\n".join([f"{store.key} is not as its page says:", *said]), pytrace=False)

    return run
