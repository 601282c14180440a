"""How a block fails: with its page, its line, and a reason that a writer can act on."""

from __future__ import annotations

import difflib
from pathlib import Path

from .scan import Block


class BlockFailed(Exception):
    """A block does not do what its page says."""

    def __init__(self, block: Block, message: str, line: int | None = None) -> None:
        self.block = block
        self.line = line or block.line
        self.message = message
        super().__init__(f"{block.source if line else block.path}:{self.line}: {message}")


def differing(block: Block, actual: str) -> BlockFailed:
    """Say where the page and the run part ways."""
    expected, got = block.text.splitlines(), actual.splitlines()
    at = next((n for n, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got)))
    diff = "\n".join(list(difflib.unified_diff(expected, got, "page", "run", lineterm="", n=2))[2:])
    return BlockFailed(block, f"the page says otherwise than the run:\n{diff}", block.first_line + at)


def inside(folder: Path, name: str, block: Block) -> Path:
    """Return the file of that name in the folder; a name that leads out of it fails the block."""
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise BlockFailed(block, f"{name!r} leads out of the block's folder")
    return file
