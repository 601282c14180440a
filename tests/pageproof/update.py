"""Write the outputs of a run back into the pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .scan import Block


def rewrite(root: Path, actual: Mapping[Block, str]) -> list[str]:
    """Put each text in the place of its block; return the names of the blocks that changed."""
    changes: dict[str, dict[int, tuple[Block, str]]] = {}
    for block, text in actual.items():
        if text != block.text:
            # By line, so that a program that two pages include is written once.
            changes.setdefault(block.source, {})[block.first_line] = (block, text)
    for source, at in changes.items():
        file = root / source
        lines = file.read_bytes().decode().replace("\r\n", "\n").split("\n")
        for first in sorted(at, reverse=True):  # from the end: a longer output moves only what stands below
            block, text = at[first]
            new = [" " * block.indent + line if line else "" for line in text.splitlines()]
            lines[first - 1 : first - 1 + block.text.count("\n")] = new
        file.write_bytes("\n".join(lines).encode())
    return sorted(block.name for at in changes.values() for block, _ in at.values())
