"""What a turn promises holds over PostgreSQL and over the Redis example too: the guarantee's own tests, run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guarantees import test_a_turn_is_kept as guarantee

store = guarantee.store
turn_worker = guarantee.turn_worker
# pytest collects what it finds in this module.
globals().update({name: test for name, test in vars(guarantee).items() if name.startswith("test_")})


@pytest.fixture(params=["postgresql", "redis"])
def kind(request: pytest.FixtureRequest, folder: Path) -> str:
    """Each server in turn, with its address where the workers look for it."""
    folder.mkdir()
    (folder / "url").write_text(request.getfixturevalue(f"{request.param}_url"))
    chosen: str = request.param
    return chosen
