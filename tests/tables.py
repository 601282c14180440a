"""Tables of pages that a run writes: each between two comments, and nothing around them is touched.

A table stands between ``<!-- orders -->`` and ``<!-- end -->``; the name is a key of the tables that are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

Tables = Mapping[str, Callable[[], Iterable[str]]]
"""What gives the lines of each table, by name."""

_TABLE = re.compile(r"(?<=<!-- )(?!end )([\w-]+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def written(text: str, tables: Tables) -> str:
    """Return the text of a page with its tables as they have to be."""
    return _TABLE.sub(lambda found: f"{found[1]}{found[2]}\n" + "\n".join(tables[found[1]]()) + "\n\n", text)


def names_in(text: str) -> list[str]:
    """Return the names of the tables of a page."""
    return [found[1] for found in _TABLE.finditer(text)]
