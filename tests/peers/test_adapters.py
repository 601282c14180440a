"""Each adapter does what the five methods are for, and quotes what its peer says, in the peer's own environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.matrix.stores import THEIRS, Store
from tests.peers.live import needs_peers, run

needs_peers()


@pytest.mark.parametrize("store", THEIRS, ids=lambda store: store.key)
def test_an_adapter_keeps_the_contract(store: Store, tmp_path: Path) -> None:
    """With nobody else there, every store keeps what it is given: what is broken is broken by somebody else."""
    done = run(store.peer, tmp_path / "home", "-m", "tests.peers.contract", store.factory)
    assert done.returncode == 0, done.stderr
