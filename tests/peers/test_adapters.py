"""Each adapter does what the five methods are for, and quotes what its peer says, in the peer's own environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.environments import PEERS
from tests.peers.live import needs_peers, run
from tests.peers.stores import STORES, peer_of

needs_peers()


@pytest.mark.parametrize("store", STORES)
def test_an_adapter_keeps_the_contract(store: str, tmp_path: Path) -> None:
    """With nobody else there, every store keeps what it is given: what is broken is broken by somebody else."""
    done = run(peer_of(STORES[store]), tmp_path / "home", "-m", "tests.peers.contract", STORES[store])
    assert done.returncode == 0, done.stderr


def test_every_peer_has_an_adapter() -> None:
    """No environment is installed for nothing."""
    assert {peer_of(factory) for factory in STORES.values()} == set(PEERS)
