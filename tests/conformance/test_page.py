"""The page of the kit shows what the kit finds."""

from __future__ import annotations

import re
from pathlib import Path

from readfresh.conformance import GUARANTEES, capabilities, check

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/conformance/index.md").read_text(encoding="utf-8")


def test_the_diagram_is_the_one_of_the_report() -> None:
    """The page's diagram is what the kit draws for the page's store."""
    report = check(f"{ROOT / 'examples/conformance/my_store.py'}:factory", ["no-lost-update"])
    drawn = re.search(r"```mermaid\n(.*?)\n```", PAGE, re.DOTALL)
    assert drawn
    assert drawn[1] == report.results["no-lost-update"].mermaid


def test_every_check_and_capability_has_its_row() -> None:
    """The tables list each guarantee once, and each capability with its methods."""
    rows = re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE)
    assert rows == list(GUARANTEES)
    for name in capabilities.__all__:
        if name.startswith("Can"):
            methods = ", ".join(f"`{method}`" for method in capabilities.methods_of(getattr(capabilities, name)))
            assert f"| `{name}` | {methods} |" in PAGE
