"""Draws the diagrams of a report with the real Mermaid, by the rules of the pages."""

from __future__ import annotations

from tests.pageproof import diagram
from tests.pageproof.scan import Block


def draw(mermaid: str) -> None:
    """Raise `BlockFailed` where Mermaid cannot draw it, and where it is no diagram as the pages have them."""
    diagram.check(Block("report", 1, "mermaid", {}, mermaid + "\n", "report", 1, 0))
