"""The recipe that puts pageproof to work elsewhere does what it says, in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.docs.proof import ROOT
from tests.pageproof.plugin import Claims
from tests.pageproof.scan import Block

BY = "your-docs"


def without_times(text: str) -> str:
    """Return what pytest has printed, but for how long it took."""
    return re.sub(r"in [\d.]+( ?s)", r"in 0.0\1", text)


def said(block: Block, folder: Path) -> str:
    """Run the commands of a console block, one after the other, and return it as it has to stand on the page."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HOME": str(folder),
        "COLUMNS": "80",
    }
    shown = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", line.removeprefix("$ ")],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            shown += [line + "\n", ran.stdout]
            shown += [f"[exit {ran.returncode}]\n"] * bool(ran.returncode)
    return "".join(shown)


def test_the_recipe_works(pageproof: Claims, tmp_path: Path) -> None:
    """Its files, pasted into an empty folder beside pageproof, print what the page shows, and prove that page."""
    unneeded = shutil.ignore_patterns("tests", "__pycache__")
    shutil.copytree(ROOT / "tests/pageproof", tmp_path / "tests/pageproof", ignore=unneeded)
    (tmp_path / "docs").mkdir()
    blocks = pageproof.by(BY)
    for block in blocks:
        if block.language == "console":
            assert without_times(said(block, tmp_path)) == without_times(block.text), block.name
        else:
            (tmp_path / block.attributes["title"]).write_text(block.text, "utf-8")
    assert sum(block.language == "console" for block in blocks) == 3
    pageproof.claim(blocks)
