"""Toy pages, written with ''' for the backticks of a fence so that the tests can be read."""

import re
from pathlib import Path
from textwrap import dedent

from tests.pageproof.failure import BlockFailed
from tests.pageproof.play import play
from tests.pageproof.site import Site


def write(root: Path, page: str, name: str = "docs/index.md") -> Site:
    """Write a page of a toy project, and return the project."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(re.sub("'{3,}", lambda quotes: "`" * len(quotes[0]), dedent(page).lstrip("\n")))
    return Site(root=root, fresh=("toylib",))


def failure(site: Site) -> str:
    """Play every case of a project, and return the one failure; "" if there is none."""
    assert site.census.problems == ()
    assert site.census.cases
    said = []
    for case in site.census.cases:
        try:
            play(site, case)
        except BlockFailed as failed:
            said.append(str(failed))
    assert len(said) <= 1, said
    return "".join(said)
