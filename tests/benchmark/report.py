"""The tables and the sentences of docs/costs.md that are written from results.json: see `tests.tables`.

`python3 dev.py update tests/benchmark` writes them. The plots are drawn when the site is built: docs/_theme/plots.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests import tables
from tests.benchmark.figures import find
from tests.benchmark.goals import Results, goals, keeps_all, rows_of, times, value
from tests.benchmark.results import Row

PAGE = Path(__file__).resolve().parents[2] / "docs/costs.md"

_FLOOR_OF_A_FILE = "it reads nothing, proves nothing, encodes nothing and checks nothing"
_FLOOR_OF_A_LINE = "a line is appended in place; a reader without a lock, or a crash, can find half of it"
_IN_PLACE = "it takes no lock, and writes the file in its place: a crash can leave half of it"
_ROW = "a message is a row; a file that is replaced is written whole"
WHY = {
    "floor": _FLOOR_OF_A_FILE,
    "floor-fsync": _FLOOR_OF_A_FILE,
    "floor-row": "a row is inserted, and SQLite flushes when it checkpoints; a file that is replaced is written whole",
    "floor-row-fsync": "a row is inserted; a file that is replaced is written whole",
    "floor-line": _FLOOR_OF_A_LINE,
    "floor-line-fsync": _FLOOR_OF_A_LINE,
    "strands": "a message is a small file of its own and no other is touched; a read opens every one of them",
    "openai-sqlite": _ROW,
    "openai-postgresql": _ROW,
    "openai-sqlalchemy": _ROW,
    "langchain-sql": _ROW,
    "google-adk": _ROW,
    "agno-sqlite": "a run is a row; a file that is replaced is written whole",
    "langchain-file": _IN_PLACE,
    "llamaindex": _IN_PLACE,
}
OTHERWISE = "we have found no reason; it is a fault of ours until one stands here"


def written(text: str, results: Results) -> str:
    """Return the text of the page with its parts as they have to be."""
    return tables.written(text, {name: partial(part, results) for name, part in PARTS.items()})


def table(*rows: Sequence[str], numbers: int = 1) -> Iterator[str]:
    """Yield the lines of a table; columns from this one on are numbers, and stand at the right."""
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield "|" + "|".join("---" if column < numbers else "--:" for column in range(len(head))) + "|"
    for row in body:
        yield f"| {' | '.join(row)} |"


def number(figure: float | None, unit: str = "") -> str:
    """Return a figure as a reader can use it: two or three digits that say something."""
    if figure is None:
        return "-"
    text = f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
    return f"{text} {unit}".strip()


def _name(results: Results, key: str) -> str:
    name: str = results["contenders"][key]["name"]
    return f"**{name}**" if results["contenders"][key]["kind"] == "ours" else name


def _by_length(measure: str) -> Callable[[Results], Iterator[str]]:
    def part(results: Results) -> Iterator[str]:
        rows = rows_of(results, measure)
        lengths = sorted({row["length"] for row in rows})
        head = ["store", "a message outlives", *(f"{length:,}" for length in lengths)]

        def cells(key: str) -> list[str]:
            return [number(value(results, measure, key, "us", length=length)) for length in lengths]

        yield from table(head, *_each(results, rows, cells), numbers=2)

    return part


def _each(results: Results, rows: list[Row], cells: Callable[[str], list[str]]) -> Iterator[list[str]]:
    """Yield a row of cells for each contender that was measured, those that wait for the disk first."""
    measured = {row["contender"] for row in rows}
    for durability in ("power", "process"):
        for key, contender in results["contenders"].items():
            if key in measured and contender["durability"] == durability:
                yield [_name(results, key), durability, *cells(key)]


def _ratios(results: Results) -> Iterator[str]:
    lengths = sorted({row["length"] for row in rows_of(results, "append")})
    rows = [["ratio, median of the rounds", *(f"{length:,}" for length in lengths)]]
    for what, one, other in (
        ("`files` by its floor", "files", "floor-fsync"),
        ("`files-process` by its floor", "files-process", "floor"),
        ("PraisonAI by `files-process`", "praisonai", "files-process"),
        ("PraisonAI by the floor of `files-process`", "praisonai", "floor"),
        ("PraisonAI by `files`, which waits for the disk", "praisonai", "files"),
        ("`sqlite` by a row in SQLite, FULL", "sqlite", "floor-row-fsync"),
        ("OpenAI's SQLiteSession by `sqlite`", "openai-sqlite", "sqlite"),
    ):
        rows.append([what, *(number(times(results, "append", one, other, length=length)) for length in lengths)])
    yield from table(*rows)


def _growth(results: Results) -> Iterator[str]:
    for key in ("files", "files-process", "sqlite", "sqlite-process"):
        found = [row for row in rows_of(results, "append") if row["contender"] == key]
        points = sorted((row["length"], median(row["us"])) for row in found)
        if len(points) > 1:
            figures = ", ".join(f"{number(us)} µs at {length:,} messages" for length, us in points)
            steps = ", ".join(f"{after / before:.1f}" for (_, before), (_, after) in pairwise(points))
            yield f"- `{key}`: {figures}; from each length to the next, the cost is multiplied by {steps}."
    yield ""
    for file, row in (("files", "sqlite"), ("files-process", "sqlite-process")):
        yield _crossing(results, file, row)


def _crossing(results: Results, file: str, row: str) -> str:
    names = f"`{file}` and `{row}`"
    lengths = sorted({each["length"] for each in rows_of(results, "append") if each["contender"] == file})
    found = [(length, times(results, "append", file, row, length=length)) for length in lengths]
    losing = [(length, lead) for length, lead in found if lead is not None and lead > 1]
    if not losing:
        return f"Of {names}, the file is the faster at every length that was measured."
    length, lead = losing[0]
    longest, most = losing[-1]
    text = f"Of {names}, the database is the faster from {length:,} messages on, {lead:.1f} times there"
    return text + (f" and {most:.1f} times at {longest:,}." if longest != length else ".")


def _winners(results: Results) -> Iterator[str]:
    rows = [["who is faster than our file of equal durability", "a message outlives", "at messages", "times", "why"]]
    twins = {"power": "files", "process": "files-process"}
    for key, contender in results["contenders"].items():
        if contender["kind"] == "ours":
            continue
        leads = []
        for row in rows_of(results, "append"):
            if row["contender"] == key:
                lead = times(results, "append", twins[contender["durability"]], key, length=row["length"])
                leads += [(row["length"], lead)] if lead is not None and lead >= 1.05 else []
        if leads:
            lost = keeps_all(results, key) is False
            why = WHY.get(key, OTHERWISE) + (", and it loses messages of two writers" if lost else "")
            cells = [f"{length:,}" for length, _ in leads], [number(lead) for _, lead in leads]
            rows.append([contender["name"], contender["durability"], *(", ".join(each) for each in cells), why])
    yield from table(*rows, numbers=99)


def _processes(results: Results) -> Iterator[str]:
    rows = rows_of(results, "processes")
    counts = sorted({row["processes"] for row in rows})
    most = counts[-1] if counts else 0
    written = {row["processes"]: row["written"] for row in rows}

    def cells(key: str) -> list[str]:
        last = find(rows, contender=key, processes=most)
        figures = [_survivors(find(rows, contender=key, processes=count)) for count in counts if count > 1]
        if last is None:
            return [*figures, *["-"] * 5]
        return [
            *figures,
            number(median(last["per_second"])),
            number(median(last["us"]) / 1e3),
            number(median(last["p99_us"]) / 1e3),
            number(max(last["longest_us"]) / 1e3),
            f"{median(last['slowest_to_fastest']):.2f}",
        ]

    head = [
        "store",
        "a message outlives",
        *(f"survive, {count} processes, of {written[count]:,}" for count in counts if count > 1),
    ]
    head += [f"messages/s, {most} processes", "median ms", "p99 ms", "longest ms", "slowest by fastest"]
    yield from table(head, *_each(results, rows, cells), numbers=2)


def _survivors(row: Row | None) -> str:
    if row is None:
        return "-"
    least, most = min(row["survive"]), max(row["survive"])
    text = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return text if least == row["written"] else f"**{text}**"


def _throughput(results: Results) -> Iterator[str]:
    rows = rows_of(results, "processes")
    counts = sorted({row["processes"] for row in rows})
    head = ["store", "a message outlives", *(f"{count} process{'es' * (count > 1)}" for count in counts)]

    def cells(key: str) -> list[str]:
        return [number(value(results, "processes", key, "per_second", processes=count)) for count in counts]

    yield from table(head, *_each(results, rows, cells), numbers=2)


def _simple(measure: str, *columns: tuple[str, str, float], **group: Any) -> Callable[[Results], Iterator[str]]:
    """Return a part with a column for each figure: its head, its name in a row, and what it is divided by."""

    def part(results: Results) -> Iterator[str]:
        rows = rows_of(results, measure)
        head = ["store", "a message outlives", *(column[0] for column in columns)]

        def cells(key: str) -> list[str]:
            row = find(rows, contender=key, **group)
            return [number(_figure(row, name) / scale) if row else "-" for _, name, scale in columns]

        yield from table(head, *_each(results, rows, cells), numbers=2)

    return part


def _figure(row: Row, name: str) -> float:
    figures = row[name]
    if name in ("torn", "stale", "reads"):  # counts of all rounds
        return float(sum(figures))
    return median(figures) if isinstance(figures, list) else float(figures)


def _apart(results: Results) -> Iterator[str]:
    rows = rows_of(results, "apart")

    def cells(key: str) -> list[str]:
        row = find(rows, contender=key)
        assert row
        return [_survivors(row), number(median(row["per_second"])), number(max(row["longest_us"]) / 1e3)]

    written = rows[0]["written"] if rows else 0
    yield from table(
        ["store", "a message outlives", f"survive, of {written:,}", "messages/s", "longest ms"],
        *_each(results, rows, cells),
        numbers=2,
    )


def _listing(results: Results) -> Iterator[str]:
    rows = rows_of(results, "listing")
    counts = sorted({row["sessions"] for row in rows})
    kinds = (("new store object", "cold_us"), ("nothing changed", "us"), ("one changed", "one_changed_us"))
    head = ["store", "a message outlives", *(f"{count:,}, {kind}" for count in counts for kind, _ in kinds)]

    def cells(key: str) -> list[str]:
        columns = [(count, figure) for count in counts for _, figure in kinds]
        return [number(value(results, "listing", key, figure, 1e3, sessions=count)) for count, figure in columns]

    yield from table(head, *_each(results, rows, cells), numbers=2)


def _goals(results: Results) -> Iterator[str]:
    rows = [["what", "goal", "measured", "reached"]]
    for goal in goals():
        bound = f"at {'least' if goal.at_least else 'most'} {number(goal.bound, goal.unit)}"
        reached = {True: "yes", False: "**no**", None: "not measured"}[goal.reached(results)]
        rows.append([goal.what, bound, number(goal.measured(results), goal.unit), reached])
    yield from table(*rows, numbers=99)


def _run(results: Results) -> Iterator[str]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, measure in results["measures"].items():
        machine = measure["machine"]
        memory = f"{machine['memory_bytes'] / 2**30:.0f} GiB"
        where = f"{machine['system']}, {machine['cores']} cores, {memory}, {machine['filesystem']}"
        where += ", " + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        found.setdefault((measure["date"], _rounds(measure["rows"]), where), []).append(name)
    rows = [["measures", "day", "rounds", "machine"]]
    rows += [[", ".join(names), *same] for same, names in found.items()]
    yield from table(*rows, numbers=99)


def _rounds(rows: Sequence[Row]) -> str:
    """Return how many rounds the figures are of: fewer where a round takes long."""
    counts = {len(figure) for row in rows for figure in row.values() if isinstance(figure, list)}
    return "-".join(f"{count}" for count in sorted({min(counts), max(counts)})) if counts else "1"


def _versions(results: Results) -> Iterator[str]:
    rows = [["key", "store", "version", "a message outlives", "an append writes"]]
    for key, contender in results["contenders"].items():
        wrote = "all messages again" if contender["rewrites"] else "what is new"
        rows.append([f"`{key}`", contender["name"], contender["version"] or "-", contender["durability"], wrote])
    yield from table(*rows, numbers=99)


def _left_out(results: Results) -> Iterator[str]:
    rows = [["store", "left out of", "why"]]
    rows += [[key, "all", why] for key, why in results["left_out"].items()]
    for name, measure in results["measures"].items():
        for key, why in measure["failed"].items():
            rows.append([_name(results, key), name, f"`{' '.join(why.replace('|', '/').replace('`', '').split())}`"])
    if len(rows) == 1:
        yield "Nobody was left out."
    else:
        yield from table(*rows, numbers=99)


PARTS: dict[str, Callable[[Results], Iterator[str]]] = {
    "goals": _goals,
    "growth": _growth,
    "append": _by_length("append"),
    "ratios": _ratios,
    "winners": _winners,
    "read": _by_length("read"),
    "first-read": _simple("read", ("first read, 1,000 messages, µs", "first_us", 1), length=1_000),
    "processes": _processes,
    "throughput": _throughput,
    "apart": _apart,
    "beside": _simple(
        "beside",
        ("reads", "reads", 1),
        ("torn", "torn", 1),
        ("stale", "stale", 1),
        ("read, median µs", "read_us", 1),
        ("read, p99 µs", "read_p99_us", 1),
        ("append, median µs", "append_us", 1),
    ),
    "fresh": _simple("fresh", ("median ms", "us", 1e3), ("stale", "stale", 1)),
    "listing": _listing,
    "opening": _simple("opening", ("open µs", "open_us", 1), ("first read µs", "read_us", 1)),
    "import": _simple("import", ("ms", "us", 1e3)),
    "memory": _simple(
        "memory", ("opened, MB", "opened_bytes", 1e6), ("10,000 messages read and appended to, MB", "most_bytes", 1e6)
    ),
    "run": _run,
    "versions": _versions,
    "left-out": _left_out,
}
"""What can stand between two comments, by name."""
