"""Other people's stores, each in its own environment, are as their pages say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.matrix.stores import THEIRS, Store
from tests.peers.live import needs_peers

needs_peers()


@pytest.mark.parametrize("store", THEIRS, ids=lambda store: store.key)
def test_a_store_is_as_its_page_says(store: Store, compare: Callable[[Store], None]) -> None:
    """Each guarantee is kept, broken, or says nothing about the store, as on the page."""
    compare(store)
