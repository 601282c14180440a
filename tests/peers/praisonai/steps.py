"""The steps of the page for PraisonAI's users: programs that need its package, and what they print.

On the page a step is a program with a title, and a console that runs it, both with `by="praisonai"`.
What PraisonAI's package did when it was run last is in `recorded.json`; the normal test run compares the pages with it:

    {"kept": {row: {store: word}}, "steps": [{"file": …, "program": …, "command": …, "output": …}, …]}
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.docs.proof import ROOT
from tests.pageproof.scan import Block, scan_page

PAGE = "docs/recipes/live-beside-praisonai.md"
BY = "praisonai"
RECORD = Path(__file__).with_name("recorded.json")


@dataclass(frozen=True)
class Step:
    """A program, the command that runs it, and what it prints."""

    file: str
    program: str
    command: str
    output: str

    def as_dict(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return asdict(self)

    def words(self) -> tuple[dict[str, str], list[str]]:
        """Return the variables that the command sets, and the words after `python`."""
        words = shlex.split(self.command)
        at = words.index("python")
        return dict(word.split("=", 1) for word in words[:at]), words[at + 1 :]


@cache
def blocks_of_the_page() -> tuple[Block, ...]:
    """Return the blocks that say `by="praisonai"`."""
    blocks, _ = scan_page(ROOT, PAGE)
    return tuple(block for block in blocks if block.get("by") == BY)


def steps_of_the_page() -> list[Step]:
    """Return the steps, in the page's order."""
    found = []
    blocks = blocks_of_the_page()
    assert len(blocks) % 2 == 0, "a program without a console"
    for program, console in zip(blocks[::2], blocks[1::2], strict=True):
        assert (program.language, console.language) == ("py", "console"), f"{PAGE}:{program.line}"
        command, _, output = console.text.partition("\n")
        assert re.fullmatch(r"\$ .*\bpython \S+", command), f"{PAGE}:{console.line}: {command}"
        found.append(Step(str(program.get("title")), program.text, command.removeprefix("$ "), output))
    return found


def recorded() -> dict[str, Any]:
    """Return what was recorded."""
    found: dict[str, Any] = json.loads(RECORD.read_bytes())
    return found


def record(**parts: Any) -> None:
    """Replace parts of the record."""
    data = recorded() if RECORD.exists() else {}
    RECORD.write_text(json.dumps(data | parts, indent=2, ensure_ascii=False) + "\n", "utf-8")
