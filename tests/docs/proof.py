"""What pageproof is to prove here: the pages, the README, and the docstrings of readfresh."""

import sys
from pathlib import Path

from tests.pageproof.site import Site
from tests.recordings.catalogue import catalogue
from tests.servers.given import a_database, an_empty_redis

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT / "docs/_theme"))  # where mkdocs finds what its hooks import


def pytest_pageproof_site() -> Site:
    """Every block of every page, with readfresh, and what records it, imported anew for each case."""
    from drawings import draw

    return Site(
        root=ROOT,
        pages=("docs/**/*.md", "*.md"),
        fresh=("readfresh", "tests.recordings"),
        needs={"postgresql": a_database, "redis": an_empty_redis},
        recordings=catalogue(),
        draw=draw,
        unrun_budget=0,
        unrecorded_budget=0,
    )
