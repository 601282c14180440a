"""Many processes, judged; and the judge, who is judged by a slower one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.proofs.figures import prove
from tests.proofs.processes.parts import PARTS
from tests.proofs.rung import Part


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.key)
def test_every_history_has_an_order(part: Part, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Whatever many processes do at once, and whoever is killed: each session is what one client would have seen."""
    prove(part, tmp_path, pytestconfig)
