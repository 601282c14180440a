"""The command: ``python -m readfresh.conformance pkg.module:factory``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from readfresh.conformance.console import progress_bar, table
from readfresh.conformance.factory import FactoryError
from readfresh.conformance.guarantees import GUARANTEES
from readfresh.conformance.runner import check


def main(arguments: list[str] | None = None) -> int:
    """Check a store, print the report, and return the exit status.

    Returns:
        0: each guarantee is kept or not applicable; 1: one is broken; 2: something could not run.
    """
    parser = argparse.ArgumentParser(
        prog="python -m readfresh.conformance",
        description="Check the guarantees of a session store.",
        epilog="Exit status: 0, all kept or not applicable; 1, a guarantee is broken; 2, something could not run.",
    )
    parser.add_argument("factory", help="what makes the stores: pkg.module:factory, or file.py:factory")
    parser.add_argument("--only", action="append", metavar="SLUG", help="check this guarantee; may be given again")
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON too; - writes it instead of the text")
    parser.add_argument("--mermaid", action="store_true", help="add a diagram to each history")
    parser.add_argument("--no-figures", action="store_true", help="leave out how much was tried and how long it took")
    given = parser.parse_args(arguments)
    for slug in given.only or ():
        if slug not in GUARANTEES:
            parser.error(f"there is no guarantee {slug!r}; there are {', '.join(GUARANTEES)}")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        with progress_bar() as progress:
            report = check(given.factory, given.only, progress)
    except FactoryError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    if given.json == "-":
        print(report.to_json())
    else:
        if table(report):
            print("\n".join([*report.evidence(mermaid=given.mermaid), "", report.counts()]))
        else:
            print(report.to_text(mermaid=given.mermaid))
        if not given.no_figures:
            print(report.figures())
    if given.json and given.json != "-":
        Path(given.json).write_text(report.to_json() + "\n", encoding="utf-8")
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())
