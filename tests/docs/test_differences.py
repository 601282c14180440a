"""The page of the differences shows what PraisonAI printed, as it was recorded, for each program."""

import re

from tests.docs.pages import Page
from tests.docs.proof import ROOT

PROGRAMS = ROOT / "examples/praisonai"
HEADER = "what PraisonAI 1.7.17 printed"


def test_the_page_shows_what_was_recorded() -> None:
    """Below each program stands a table of the lines that PraisonAI printed, whole and in order."""
    page = Page("docs/differences.md")
    included = [
        found[1] for line in page.lines if (found := re.fullmatch(r'--8<-- "examples/praisonai/(\w+)\.py"', line))
    ]
    shown = [[row[0].strip("`") for row in table.rows] for table in page.tables if table.header == [HEADER]]
    recorded = [(PROGRAMS / f"recorded/{name}.txt").read_text("utf-8").splitlines() for name in included]
    assert shown == recorded
    assert all(recorded)
    assert sorted(included) == sorted(file.stem for file in PROGRAMS.glob("*.py"))


def test_every_program_shows_a_difference() -> None:
    """What readfresh prints, on the page, is not what PraisonAI printed: else there is nothing to tell."""
    text = (ROOT / "docs/differences.md").read_text("utf-8")
    outputs = re.findall(r'```text \{title="Output"\}\n(.*?)```', text, re.DOTALL)
    recorded = re.findall(rf"\| {re.escape(HEADER)} \|\n\|---\|\n((?:\| .* \|\n)+)", text)
    assert len(outputs) == len(recorded) >= 8
    for ours, theirs in zip(outputs, recorded, strict=True):
        assert ours.splitlines() != [row[3:-3] for row in theirs.splitlines()]
