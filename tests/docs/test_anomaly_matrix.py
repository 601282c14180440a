"""The matrix of the guarantees is what the programs of the page of anomalies print."""

import re

from tests.docs.pages import Page
from tests.docs.proof import ROOT

ANOMALIES = "docs/how-it-works/anomalies.md"
COLUMNS = {
    "torn read": "torn-read",
    "lost update": "lost-update",
    "half file after a crash": "half-file",
    "stale read": "stale-read",
}
# Designs that a program plays under another name, or plays as one because they differ in nothing that it looks at.
SAME = {
    ("stale-read", "… and writers lock"): "write in place",
    ("stale-read", "… and readers lock too"): "write in place",
    ("stale-read", "rename, no lock"): "rename",
    ("stale-read", "rename and lock"): "rename",
    ("stale-read", "rename, lock and an unproven cache"): "rename and a cache",
    # What is in a cache was read whole, and what a crash leaves is not in a cache.
    ("torn-read", "rename, lock and an unproven cache"): "rename and lock",
    ("half-file", "rename, lock and an unproven cache"): "rename and lock",
}


def _printed() -> dict[str, dict[str, str]]:
    """Return what the programs print of each design, by the heading that they stand under."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in (ROOT / ANOMALIES).read_text("utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:].lower().replace(" ", "-")
        elif said := re.match(r"([^:]+): (possible|no)\. worker|([^:]+): (possible|no)\. \d", line):
            found.setdefault(heading, {})[said[1] or said[3]] = said[2] or said[4]
    return found


def test_the_matrix_is_what_the_programs_print() -> None:
    """Each cell says what a program prints of that design, and each "possible" leads to its program."""
    printed = _printed()
    (matrix,) = [table for table in Page("docs/guarantees/index.md").tables if table.header[0] == "design"]
    assert matrix.header[1:] == list(COLUMNS)
    assert len(matrix.rows) == 6
    possible = 0
    used: dict[str, set[str]] = {}
    for design, *cells in matrix.rows:
        for column, cell in zip(COLUMNS.values(), cells, strict=True):
            name = design.strip("*")
            name = SAME.get((column, name), name)
            says = printed[column][name]
            used.setdefault(column, set()).add(name)
            wanted = f"[possible](../how-it-works/anomalies.md#{column})" if says == "possible" else "no"
            assert cell == wanted, f"{design}, {column}"
            possible += says == "possible"
    assert possible == 9
    more = [
        (column, name, printed[column][name])
        for column, names in used.items()
        for name in printed[column].keys() - names
    ]
    assert more == [("stale-read", "rename and a cache with a timestamp", "possible")]
