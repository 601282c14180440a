"""Find and run every code block of a documentation site, and prove that nothing was left out.

Read in this order:

scan      find every block, refuse what merely looks like one
failure   how a block fails
diagram   draw and lint Mermaid
site      what is to be proved: pages, blocks, and the cases that a reader runs together
python    run a block in this process, with the round trip of its output
process   run scripts and consoles as real processes
play      run a case and compare
lint      lint every program with ruff
rendered  compare the scan with the HTML that readers see
ledger    know which blocks were verified
update    write outputs back into the pages
spoil     prove that each check can fail
mutants   prove that a page turns red when its promise is broken
plugin    all of it in pytest
"""

from .failure import BlockFailed
from .play import play
from .scan import Block, Problem
from .site import Case, Census, Site

__all__ = ["Block", "BlockFailed", "Case", "Census", "Problem", "Site", "play"]
