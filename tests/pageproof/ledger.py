"""Know which blocks were verified: each exactly once, by a test that passed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from .site import Site

CLAIM = "pageproof"
"""The user property with which a test claims a block. It travels with the report, out of xdist's workers too."""
NEED = "pageproof need"
"""The user property with which a skipped test says that a block could not be run, and why."""


@dataclass
class Ledger:
    """What the tests of one run have claimed."""

    claims: Counter[str] = field(default_factory=Counter)
    missing: dict[str, str] = field(default_factory=dict)
    """The blocks whose need could not be met here, and why: not verified, and no fault of the pages."""
    seconds: float = 0.0

    def record(self, properties: Iterable[tuple[str, object]], seconds: float) -> None:
        """Take the claims of a test call that passed."""
        claimed = [str(value) for name, value in properties if name == CLAIM]
        self.claims.update(claimed)
        self.seconds += seconds if claimed else 0

    def excuse(self, properties: Iterable[tuple[str, object]]) -> None:
        """Take what a test that was skipped says about blocks whose need could not be met."""
        for name, value in properties:
            if name == NEED:
                block, _, reason = str(value).partition(" ")
                self.missing[block] = reason

    def verdict(self, site: Site) -> list[str]:
        """Return every reason why the pages are not proved; none when they are."""
        census = site.census
        wrong = [str(problem) for problem in census.problems]
        if not census.blocks:
            wrong.append("no code block was found: looked at the wrong place?")
        unrun = [block for block in census.blocks if block.get("unrun")]
        for block in census.blocks:
            claims = self.claims[block.name]
            if claims != (0 if block.get("unrun") else 1) and (claims or block.name not in self.missing):
                said = f"claimed {claims} times" if claims else "verified by no test that passed"
                wrong.append(f"{block.name}: {said}")
        for name in self.claims.keys() - {block.name for block in census.blocks}:
            wrong.append(f"{name}: claimed, but there is no such block")
        unrecorded = [block for block in census.blocks if block.get("unrecorded")]
        if len(unrecorded) != site.unrecorded_budget:
            wrong.append(f"{len(unrecorded)} diagrams say why they are not recorded; the budget is"
                         f" {site.unrecorded_budget} and may only fall")  # fmt: skip
        if len(unrun) != site.unrun_budget:
            wrong.append(f"{len(unrun)} blocks say why they are not run; the budget is {site.unrun_budget}"
                         " and may only fall")  # fmt: skip
        return wrong

    def summary(self, site: Site) -> list[str]:
        """Describe the run in a few lines."""
        blocks = site.census.blocks
        kinds = Counter(block.language for block in blocks)
        verified = sum(1 for block in blocks if self.claims[block.name])
        said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        pages = len({block.path for block in blocks})
        lines = [f"{len(blocks)} blocks in {pages} files ({said}): {verified} verified in {self.seconds:.1f} s"]
        lines += [f"{block.name}: not run: {block.get('unrun')}" for block in blocks if block.get("unrun")]
        why = ((block.name, block.get("unrecorded")) for block in blocks)
        lines += [f"{name}: not recorded: {reason}" for name, reason in why if reason]
        unmet = {block.name: self.missing.get(block.name) for block in blocks if not self.claims[block.name]}
        lines += [f"{name}: not verified: {reason}" for name, reason in unmet.items() if reason]
        return lines
