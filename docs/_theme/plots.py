"""Plots of what was measured, as SVG that stands in the page: lines over logarithmic axes, each named at its end.

Written here and not with a plotting library: Matplotlib takes a second of each build, and draws in fixed colours with
ids that repeat from plot to plot; pygal brings 20 kB of styles with each plot, and its logarithmic axes and legends
cannot be read on a phone. This takes a millisecond, has the page's own colours in both schemes, and fits 360 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median
from typing import Any

WIDTH, HEIGHT = 360, 300
LEFT, RIGHT, TOP, BOTTOM = 34, 128, 22, 30  # what stands around the lines: figures, names, the unit, the lengths
LINE_HEIGHT = 12.5


@dataclass(frozen=True)
class Plot:
    """One plot.

    Args:
        title: what it shows, for those who do not see it too.
        measure: the measure of results.json.
        x: the name in a row of what runs to the right.
        y: the name in a row of what runs upwards, a figure for each round.
        unit: what stands at the upper end.
        below: what stands at the right end.
        lines: for each contender, how its line is named.
    """

    title: str
    measure: str
    x: str
    y: str
    unit: str
    below: str
    lines: Mapping[str, str]


def _by_length(title: str, measure: str, lines: Mapping[str, str]) -> Plot:
    return Plot(title, measure, "length", "us", "µs", "messages", lines)


PLOTS = {
    "append-power": _by_length(
        "What an append costs that outlives a loss of power, by the length of the session",
        "append",
        {
            "files": "readfresh files",
            "sqlite": "readfresh SQLite",
            "floor-fsync": "floor of a file",
            "floor-row-fsync": "floor of a row",
            "openai-sqlite": "OpenAI SQLite",
            "google-adk": "Google ADK",
            "langgraph": "LangGraph",
            "agno-sqlite": "Agno SQLite",
        },
    ),
    "append-process": _by_length(
        "What an append costs that does not wait for the disk, by the length of the session",
        "append",
        {
            "files-process": "readfresh files",
            "sqlite-process": "readfresh SQLite",
            "floor": "floor of a file",
            "praisonai": "PraisonAI",
            "langchain-file": "LangChain file",
            "llamaindex": "LlamaIndex",
            "agno-json": "Agno JSON",
            "strands": "Strands",
            "microsoft-session": "Microsoft",
        },
    ),
    "read": _by_length(
        "What it costs to read an unchanged session again, by its length",
        "read",
        {
            "files": "readfresh files",
            "sqlite": "readfresh SQLite",
            "floor-fsync": "floor: the list",
            "praisonai": "PraisonAI",
            "openai-sqlite": "OpenAI SQLite",
            "langchain-file": "LangChain file",
            "langgraph": "LangGraph",
            "strands": "Strands",
        },
    ),
    "processes": Plot(
        "Messages that survive per second, by the number of processes that append to one session",
        "processes",
        "processes",
        "per_second",
        "messages/s",
        "processes",
        {
            "files": "readfresh, power",
            "files-process": "readfresh, process",
            "sqlite": "SQLite, power",
            "postgresql": "PostgreSQL, power",
            "praisonai": "PraisonAI",
            "openai-sqlite": "OpenAI SQLite",
            "openai-postgresql": "OpenAI PostgreSQL",
            "google-adk": "Google ADK",
        },
    ),
}
"""Every plot, by the name that a page gives in ``<!-- plot name -->``."""


def drawn(plot: Plot, results: Mapping[str, Any]) -> str:
    """Return a plot as a figure of HTML; contenders that were not measured are left out."""
    lines = {key: points for key in plot.lines if (points := list(_points(plot, key, results)))}
    if not lines:
        return ""
    across = _Axis([x for points in lines.values() for x, _ in points], LEFT, WIDTH - RIGHT, exact=True)
    upwards = _Axis([y for points in lines.values() for _, y in points], HEIGHT - BOTTOM, TOP)
    body = [*_grid(across, upwards, plot)]
    ends = {key: upwards.at(points[-1][1]) for key, points in lines.items()}
    for key, at in _apart(ends).items():
        kind = results["contenders"][key]["kind"]
        places = [(across.at(x), upwards.at(y)) for x, y in lines[key]]
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        x, y = places[-1]
        body.append(
            f'<g class="plot-{kind}"><polyline points="{corners}"/>'
            + "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in places)
            + f'<path d="M{x + 3:.1f} {y:.1f}L{WIDTH - RIGHT + 12} {at:.1f}"/>'
            f'<text x="{WIDTH - RIGHT + 15}" y="{at + 3.5:.1f}">{escape(plot.lines[key])}</text></g>'
        )
    title = escape(plot.title, quote=True)
    return (
        f'<figure class="plot"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
        f"{''.join(body)}</svg><figcaption>{title}. The figures stand in the table below.</figcaption></figure>"
    )


def _points(plot: Plot, key: str, results: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    rows = results["measures"].get(plot.measure, {}).get("rows", [])
    found = {row[plot.x]: median(row[plot.y]) for row in rows if row["contender"] == key}
    yield from sorted((x, y) for x, y in found.items() if y > 0)


class _Axis:
    """A logarithmic axis between two places of the drawing."""

    def __init__(self, values: Sequence[float], begin: float, end: float, exact: bool = False) -> None:
        least, most = min(values), max(values)
        if exact:
            self.marks = sorted(set(values))
        else:
            powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
            self.marks = [10.0**power for power in powers]
            least, most = self.marks[0], self.marks[-1]
        self._least, self._begin = math.log10(least), begin
        self._scale = (end - begin) / ((math.log10(most) - self._least) or 1)

    def at(self, value: float) -> float:
        """Return where a value is."""
        return self._begin + (math.log10(value) - self._least) * self._scale


def _grid(across: _Axis, upwards: _Axis, plot: Plot) -> Iterator[str]:
    for mark in upwards.marks:
        y = upwards.at(mark)
        yield f'<path class="plot-grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="plot-mark" text-anchor="end" x="{LEFT - 4}" y="{y + 3.5:.1f}">{_short(mark)}</text>'
    for mark in across.marks:
        x, y = across.at(mark), HEIGHT - BOTTOM + 14
        yield f'<text class="plot-mark" text-anchor="middle" x="{x:.1f}" y="{y}">{_short(mark)}</text>'
    yield f'<text class="plot-mark" x="{LEFT - 30}" y="{TOP - 10}">{escape(plot.unit)}</text>'
    yield f'<text class="plot-mark" x="{WIDTH - RIGHT + 28}" y="{HEIGHT - BOTTOM + 14}">{escape(plot.below)}</text>'


def _short(value: float) -> str:
    for least, letter in ((1e6, "M"), (1e3, "k")):
        if value >= least:
            return f"{value / least:g}{letter}"
    return f"{value:g}"


def _apart(ends: Mapping[str, float]) -> dict[str, float]:
    """Return where the name of each line stands: at its end, or as near as the other names leave room."""
    found: dict[str, float] = {}
    above = TOP - LINE_HEIGHT
    ordered = sorted(ends, key=lambda key: ends[key])
    for place, key in enumerate(ordered):
        lowest = HEIGHT - BOTTOM - LINE_HEIGHT * (len(ordered) - 1 - place)
        found[key] = above = max(above + LINE_HEIGHT, min(ends[key], lowest))
    return found
