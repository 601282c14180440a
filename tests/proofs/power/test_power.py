"""What a loss of power leaves is what the stores promise, and the rung sees it when it is not."""

from pathlib import Path

import pytest

from tests.proofs.figures import prove
from tests.proofs.power.parts import PARTS
from tests.proofs.rung import Part


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.key)
def test_nothing_is_found(part: Part, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Every disk that a loss of power may leave shows what the setting promises."""
    prove(part, tmp_path, pytestconfig)
