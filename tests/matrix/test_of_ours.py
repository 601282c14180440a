"""Our stores keep every guarantee that says something about them, in a run of the kit as fresh as this one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.full_grid import FULL_GRID
from tests.matrix.reports import recorded
from tests.matrix.stores import OURS, Store

EACH = pytest.mark.parametrize("store", OURS, ids=lambda store: store.key)


# The kit takes half a minute over a store of files, and minutes over one on SQLite: a writer that SQLite keeps waiting
# says nothing of it, and the kit waits to be sure.
# Our stores have tests of their own in each run (tests/guarantees, tests/database), and the kit has its own.
if FULL_GRID:

    @EACH
    def test_a_store_is_as_its_page_says(
        store: Store, compare: Callable[[Store], None], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each guarantee is kept, or says nothing about the store, as on the page."""
        if store.needs:
            variable = {"postgresql_url": "DATABASE_URL", "redis_url": "REDIS_URL"}[store.needs]
            monkeypatch.setenv(variable, request.getfixturevalue(store.needs))
        compare(store)


@EACH
def test_ours_keep_everything(store: Store) -> None:
    """No page of a store of ours says that something is broken, or could not be run, or was lost."""
    report = recorded(store)
    assert {result["status"] for result in report["results"]} <= {"kept", "not applicable"}
    assert report["stress"] == {"added": 400, "refused": 0, "kept": 400}
