"""The page of the kit lists what the kit has; its diagram is a recording, see `tests/recordings/catalogue.py`."""

from __future__ import annotations

import re
from pathlib import Path

from readfresh.conformance import GUARANTEES, capabilities

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/conformance/index.md").read_text(encoding="utf-8")


def test_every_check_and_capability_has_its_row() -> None:
    """The tables list each guarantee once, and each capability with its methods."""
    rows = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert rows == list(GUARANTEES)
    for name in capabilities.__all__:
        if name.startswith("Can"):
            methods = ", ".join(f"`{method}`" for method in capabilities.methods_of(getattr(capabilities, name)))
            assert f"| `{name}` | {methods} |" in PAGE
