"""Prove that each check can fail: spoil blocks in memory, and see each of them turn red."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from .failure import BlockFailed
from .play import differs, play
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

    What a run is compared with is spoiled in all blocks at once, since each is compared by itself.
    What has to stop the run takes a run for each block. With `blocks`, it is these that are spoiled, not all.
    """
    bad = {block: spoiled(block) for block in case.blocks if blocks is None or block in blocks}
    compared = {block: text for block, text in bad.items() if _is_compared(block)}
    alive = _never_different(site, case, compared) if compared else []
    for at, block in enumerate(case.blocks):
        if block in bad and block not in compared:
            # A file is spoiled through the script that imports it, further down; all else has to fail by itself.
            is_file = block.get("run") == "file"
            below = case.blocks[at + 1 :] if is_file else ()
            try:
                play(site, replace(case, blocks=(*case.blocks[:at], bad[block], *below)))
            except BlockFailed as failure:
                if not is_file and failure.block is not bad[block]:
                    alive.append(f"{block.name}: spoiled, but it was {failure} that failed")
            else:
                alive.append(f"{block.name}: spoiled, and still green")
    return alive


def _never_different(site: Site, case: Case, bad: Mapping[Block, Block]) -> list[str]:
    """Run the case once, with these of its blocks spoiled, and return those that show what the run has shown."""
    try:
        actual = play(site, replace(case, blocks=tuple(bad.get(block, block) for block in case.blocks)), rewrite=True)
    except BlockFailed as failure:
        return [f"{block.name}: spoiled, but it was {failure} that failed" for block in bad]
    same = (block for block, text in bad.items() if not differs(text, actual.get(text, text.text)))
    return [f"{block.name}: spoiled, and still green" for block in same]


def _is_compared(block: Block) -> bool:
    """Whether the block shows what a run has shown, so that a spoiled one is run to its end and differs."""
    if block.language == "py":
        return not block.get("run") and not block.get("raises") and bool(_outputs(block))
    return block.language in ("text", "json", "console") or (block.language == "mermaid" and bool(block.get("run")))


def _outputs(block: Block) -> list[int]:
    return [at for at, line in enumerate(block.text.splitlines()) if line.lstrip().startswith("#> ")]


def spoiled(block: Block) -> Block:
    """Return the block with one expectation changed, or with a failure appended."""
    text = block.text
    if block.language == "py":
        if block.get("raises"):
            return replace(block, attributes={**block.attributes, "raises": "Spoiled"})
        lines = text.splitlines(keepends=True)
        if _is_compared(block):
            last = _outputs(block)[-1]
            lines[last] = lines[last].rstrip("\n") + " spoiled\n"
            return replace(block, text="".join(lines))
        return replace(block, text=text + ("raise SystemExit\n" if block.get("run") == "file" else _FAILURE))
    if block.language == "console":
        return replace(block, text=text + "spoiled\n")
    if block.language == "mermaid" and block.get("run"):
        # One message says something else: it can be drawn all the same.
        return replace(block, text=re.sub(r"(>>.*: .*)", r"\1 spoiled", text, count=1))
    return replace(block, text=text + _SPOILED[block.language])
