"""What the page says without JavaScript: how many orders were run, and one of each design, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tests.explorer.designs import DESIGNS, ROOT, Content
from tests.explorer.recording import Recorded, recorded
from tests.tables import Tables

PAGE = ROOT / "docs/how-it-works/explorer.md"


def _counts() -> Iterator[str]:
    yield "| design | orders of the two workers' steps | of these lose a message | it opens on |"
    yield "|---|---|---|---|"
    for each in recorded():
        losing = sum(bool(lost) for lost in each.orders.values())
        yield f"| {each.design.title} | {len(each.orders)} | {losing} | `{each.opens_on}` |"


def _steps(number: int) -> Iterator[str]:
    each = recorded()[number]
    yield "| step | lock | worker A has | worker B has | temporary file | session file |"
    yield "|---|---|---|---|---|---|"
    for end in range(len(each.opens_on) + 1):
        yield _row(each, each.opens_on[:end])


def _row(each: Recorded, path: str) -> str:
    state = each.states[path]
    step = f"{path[-1]}: {each.states[path[:-1]]['next'][path[-1]]}" if path else "before"
    fate = each.fate(path)
    if fate is not None and (not path or fate != each.fate(path[:-1])):
        step += f"<br>**every order from here loses {_told(fate) if fate else 'a message'}**"
    cells = [
        step,
        state["lock"] or "free",
        *map(_told, [*state["memory"].values(), state["temporary"], state["session"]]),
    ]
    return f"| {' | '.join(cells)} |"


def _told(content: Content) -> str:
    return ", ".join(f"“{each}”" for each in content) if isinstance(content, list) else content or "none"


TABLES: Tables = {"orders": _counts, **{each.key: partial(_steps, number) for number, each in enumerate(DESIGNS)}}
"""The tables of the page, by name."""
