"""Prove that each check can fail: spoil one block at a time, in memory, and see it turn red."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from .failure import BlockFailed
from .play import play
from .scan import Block
from .site import Case, Site

_FAILURE = 'if __name__ == "__main__":\n    raise SystemExit("spoiled")\n'
_SPOILED = {
    "json": '{"spoiled": true}\n',
    "text": "spoiled\n",
    "toml": "spoiled = true\n",
    "yaml": "spoiled: true\n",
    "mermaid": "class Ghost spoiled\n",
}


def survivors(site: Site, case: Case, blocks: Sequence[Block] | None = None) -> list[str]:
    """Return the blocks of a case whose check stays green when they are spoiled, as `page:line: how`.

    Each takes a run of the whole case; with `blocks`, it is these that are spoiled, not all.
    """
    alive: list[str] = []
    for at, block in enumerate(case.blocks):
        if blocks is not None and block not in blocks:
            continue
        bad = spoiled(block)
        try:
            play(site, replace(case, blocks=(*case.blocks[:at], bad, *case.blocks[at + 1 :])))
        except BlockFailed as failure:
            # A file is spoiled through the script that imports it; all else has to fail by itself.
            if block.get("run") == "file" or failure.block is bad:
                continue
            alive.append(f"{block.name}: spoiled, but it was {failure} that failed")
        else:
            alive.append(f"{block.name}: spoiled, and still green")
    return alive


def spoiled(block: Block) -> Block:
    """Return the block with one expectation changed, or with a failure appended."""
    text = block.text
    if block.language == "py":
        if block.get("raises"):
            return replace(block, attributes={**block.attributes, "raises": "Spoiled"})
        lines = text.splitlines(keepends=True)
        outputs = [at for at, line in enumerate(lines) if line.lstrip().startswith("#> ")]
        if outputs and not block.get("run"):
            lines[outputs[-1]] = lines[outputs[-1]].rstrip("\n") + " spoiled\n"
            return replace(block, text="".join(lines))
        return replace(block, text=text + ("raise SystemExit\n" if block.get("run") == "file" else _FAILURE))
    if block.language == "console":
        return replace(block, text=text + "spoiled\n")
    if block.language == "mermaid" and block.get("run"):
        # One message says something else: it can be drawn all the same.
        return replace(block, text=re.sub(r"(>>.*: .*)", r"\1 spoiled", text, count=1))
    return replace(block, text=text + _SPOILED[block.language])
