"""The ten faults: each broken program shows its fault every time, and differs from the mended one by few lines."""

import difflib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import Page
from tests.docs.proof import ROOT
from tests.recordings.scenarios import all_scenarios

PROGRAMS = ROOT / "examples/faults"
BROKEN, FIXED = "_broken.py", "_fixed.py"
FAULTS = sorted(path.name.removesuffix(BROKEN) for path in PROGRAMS.glob(f"*{BROKEN}"))
MOST_LINES = 20  # that differ: a line that is changed counts twice, once for each program
LOSE_MESSAGES = {"earlier_copy", "one_floor_up", "two_locks", "damaged_file", "stream_left", "cleared_first"}


def verdicts(program: Path, folder: Path) -> list[str]:
    """Run a program in an empty folder, and return what it says of its obvious test and of the other one."""
    folder.mkdir()
    done = subprocess.run([sys.executable, program], cwd=folder, capture_output=True, text=True, check=True)
    return [line.partition(": ")[2].partition(",")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_obvious_test_passes_and_the_other_one_sees_the_fault(fault: str, tmp_path: Path) -> None:
    """Broken: the first test passes and the second fails. Mended: both pass."""
    assert verdicts(PROGRAMS / f"{fault}{BROKEN}", tmp_path / "broken") == ["passes", "fails"]
    assert verdicts(PROGRAMS / f"{fault}{FIXED}", tmp_path / "fixed") == ["passes", "passes"]


@pytest.mark.parametrize("fault", FAULTS)
def test_they_differ_by_few_lines(fault: str) -> None:
    """What a reader compares is a fault and not a program; what the two tests ask is the same to the letter."""
    broken, fixed = ((PROGRAMS / f"{fault}{kind}").read_text("utf-8").splitlines() for kind in (BROKEN, FIXED))
    differing = [line for line in difflib.ndiff(broken, fixed) if line[0] in "+-"]
    assert 0 < len(differing) <= MOST_LINES
    asked = [
        text[text.index(next(line for line in text if line.startswith("def test_"))) :] for text in (broken, fixed)
    ]
    assert asked[0] == asked[1]


def test_each_has_its_page_its_diagram_and_its_row() -> None:
    """None of the ten is left out, and six lose messages."""
    assert len(FAULTS) == 10
    assert {path.name.partition("_fixed")[0] for path in PROGRAMS.glob(f"*{FIXED}")} == set(FAULTS)
    (table,) = Page("docs/faults/index.md").tables
    linked = [cells[0].partition("(")[2].partition(".md")[0].replace("-", "_") for cells in table.rows]
    assert sorted(linked) == FAULTS
    lost = {fault for fault, cells in zip(linked, table.rows, strict=True) if cells[2] == "**messages**"}
    assert lost == LOSE_MESSAGES
    for fault in FAULTS:
        text = (ROOT / f"docs/faults/{fault.replace('_', '-')}.md").read_text("utf-8")
        assert f"examples/faults/{fault}{BROKEN}" in text
        assert f"examples/faults/{fault}{FIXED}" in text
        assert any(f'mermaid {{run="{name}"}}' in text for name in (fault, f"{fault}_broken"))
        assert {fault, f"{fault}_broken"} & all_scenarios().keys()
        assert all(f"\n## {heading}\n" in text for heading in ("Broken", "Why the obvious test passed", "Mended"))
        assert "](../guarantees/" in text
