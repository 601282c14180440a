"""Measures what it costs, ours and other people's side by side, and keeps it in results.json.

What it measures is in `measures`, who takes part in `contenders`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmark import results
from tests.benchmark.contenders import CONTENDERS, Contender
from tests.benchmark.measures import MEASURES, Run
from tests.peers.environments import NotInstalled, python
from tests.servers.binaries import Missing
from tests.servers.databases import fresh_database
from tests.servers.own import PostgresServer


def main(words: Sequence[str] | None = None) -> None:
    """Measure what the command line asks for."""
    asked = _arguments().parse_args(words)
    kept = results.recorded(asked.results)
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="readfresh-benchmark-") as folder, _server() as server:
        present, left_out = _present([CONTENDERS[key] for key in asked.contenders], server)
        described = {contender.key: results.described(contender) for contender in present}
        for name in asked.only:
            began = time.monotonic()
            run = Run(present, Path(folder), server, asked.quick, asked.rounds, asked.appends)
            rows = MEASURES[name](run)
            measure = results.measure(rows, run.failed, Path(folder))
            kept = results.merged(kept, described, left_out, {name: measure})
            kept["measures"] = {each: kept["measures"][each] for each in MEASURES if each in kept["measures"]}
            if not asked.quick:  # after each measure: what is measured is kept, whatever happens next
                results.keep(kept, asked.results)
            print(f"{name}: {time.monotonic() - began:.0f} seconds", flush=True)
            for key, why in run.failed.items():
                print(f"  {key} could not do it: {why}", flush=True)
            if asked.quick:
                print("\n".join(f"  {row}" for row in rows), flush=True)
    for key, why in left_out.items():
        print(f"{key} was left out: {why}", flush=True)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("dev.py benchmark", description=__doc__)
    some = partial(_names, MEASURES)
    parser.add_argument("--only", type=some, default=list(MEASURES), help=f"of {', '.join(MEASURES)}")
    some = partial(_names, CONTENDERS)
    parser.add_argument("--contenders", type=some, default=list(CONTENDERS), help=f"of {', '.join(CONTENDERS)}")
    parser.add_argument("--quick", action="store_true", help="a few seconds per measure; prints, and keeps nothing")
    parser.add_argument("--rounds", type=int, help="how often the contenders take turns")
    parser.add_argument("--appends", type=int, help="how many messages each of many processes appends")
    parser.add_argument(
        "--folder", help="a folder on the disk to measure; if not given, the system's for temporary files"
    )
    parser.add_argument("--results", type=Path, default=results.FILE, help="the file to keep the results in")
    return parser


def _names(known: Any, text: str) -> list[str]:
    found = text.split(",")
    if unknown := [name for name in found if name not in known]:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return found


@contextmanager
def _server() -> Iterator[Callable[[], AbstractContextManager[str]] | None]:
    """Give what makes empty databases in a PostgreSQL server, one of our own or that of the environment."""
    if named := os.environ.get(PostgresServer.variable):
        yield partial(fresh_database, named)
        return
    try:
        server = PostgresServer()
    except Missing as missing:
        print(missing, file=sys.stderr)
        yield None
        return
    with server:
        yield partial(fresh_database, server.url)


def _present(
    wanted: Sequence[Contender], server: Callable[[], AbstractContextManager[str]] | None
) -> tuple[list[Contender], dict[str, str]]:
    """Return who can take part, and why the others cannot; environments that are missing are installed."""
    present, left_out = [], {}
    for contender in wanted:
        if contender.postgresql and server is None:
            left_out[contender.key] = "no PostgreSQL server was found"
            continue
        try:
            if contender.peer:
                python(contender.peer)
        except NotInstalled as error:
            left_out[contender.key] = str(error)
        else:
            present.append(contender)
    return present, left_out


if __name__ == "__main__":
    main()
