"""The progress bar and the table of the command, with rich where it is installed (extra ``console``)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from readfresh.conformance.report import Report

__all__ = ["progress_bar", "table"]

_COLOURS = {"kept": "green", "broken": "red", "not applicable": "dim", "could not run": "yellow"}


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """Show a progress bar on a terminal's standard error; without rich, or without a terminal, show none."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        yield None
        return
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting")
        yield lambda slug, number, total: bar.update(task, description=slug, completed=number, total=total)


def table(report: Report) -> bool:
    """Print the results as a table on a terminal; return whether that was done."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    if not sys.stdout.isatty():
        return False
    drawn = Table("guarantee", "result", "what was tried, or why not", title=report.store)
    for slug, one in report.results.items():
        drawn.add_row(slug, Text(one.status, style=_COLOURS[one.status]), one.reason)
    Console().print(drawn)
    return True
