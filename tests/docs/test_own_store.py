"""The page "Write your own store" shows the diagram that the kit draws of its first version."""

from pathlib import Path

import pytest

from readfresh.conformance import check
from tests.docs.proof import ROOT
from tests.pageproof.plugin import Claims

PAGE = "docs/recipes/write-your-own-store.md"


def test_the_diagram_is_the_kits(pageproof: Claims, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history of the lost update is drawn as the kit has found it."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.syspath_prepend(str(Path(ROOT, "examples/recipes")))
    report = check("my_store_broken:factory", ["no-lost-update"])
    (block,) = [block for block in pageproof.census.blocks if (block.path, block.language) == (PAGE, "mermaid")]
    pageproof.shows(block, report.results["no-lost-update"].mermaid + "\n")
