"""Lint every `py` block with ruff, in one call.

Each page's session is one file, padded with blank lines so that ruff's line numbers are the page's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .scan import Problem
from .site import Site

RULES = ("E4", "E7", "E9", "F", "B", "RUF100")
"""What is wrong in a program of any style: broken statements, unused and undefined names, likely bugs."""


def lint(site: Site, rules: tuple[str, ...] = RULES) -> list[Problem]:
    """Return what ruff has against the programs on the pages."""
    with tempfile.TemporaryDirectory() as name:
        sources: dict[str, str] = {}
        for number, case in enumerate(site.census.cases):
            # A script is a program of its own, whatever session it belongs to.
            code = [block for block in case.blocks if block.language == "py"]
            programs = [[block] for block in code if block.get("run")]
            programs.append([block for block in code if not block.get("run")])
            for part, blocks in enumerate(programs):
                for source in {block.source for block in blocks}:
                    file = Path(name, f"block_{number}_{part}_{len(sources)}.py")
                    lines: list[str] = []
                    for block in sorted(blocks, key=lambda block: block.first_line):
                        if block.source == source:
                            lines += [""] * (block.first_line - 1 - len(lines)) + block.text.splitlines()
                    file.write_text("\n".join(lines) + "\n")
                    sources[file.name] = source
        command = [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--isolated",
            "--output-format=json",
            f"--select={','.join(rules)}",
        ]
        # B018: a block that shows what raises may end in a bare expression.
        # E402: a later block of a page imports what it introduces, where a reader meets it.
        done = subprocess.run([*command, "--ignore=B018,E402", name], text=True, capture_output=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"ruff failed: {done.stderr}")
        return sorted(
            Problem(sources[Path(said["filename"]).name], said["location"]["row"], f"{said['code']} {said['message']}")
            for said in json.loads(done.stdout)
        )
