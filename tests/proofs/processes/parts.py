"""The parts of the rung: processes over files, over SQLite and over PostgreSQL, whose server is killed as well."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from readfresh import DbSessionAdapter
from readfresh.storage import Durability
from tests.proofs.processes.run import Aims, Run
from tests.proofs.processes.worker import Plan
from tests.proofs.rung import Part, Ran
from tests.servers.given import started
from tests.servers.own import PostgresServer
from tests.store.support import scaled

SEED = 20_250_601
VARYING = frozenset(
    {"operations", "kills", "kills of the server", "in doubt", "refused", "sessions", "longest wait in ms"}
)


def _ran(run: Run) -> Ran:
    finding = run.go()
    figures = run.figures
    counts = {
        "operations": figures.operations,
        "kills": figures.kills,
        "in doubt": figures.in_doubt,
        "sessions": figures.sessions,
        "longest wait in ms": 1 + figures.longest_wait_ns // 1_000_000,
        **({"kills of the server": figures.crashes} if figures.crashes else {}),
        **({"refused": figures.refused} if figures.refused else {}),
    }
    return Ran(counts, finding, VARYING)


def _files(durability: Durability, workers: int, operations: int, kills: int) -> Callable[[Path], Ran]:
    def run(folder: Path) -> Ran:
        plan = Plan(SEED, str(folder / "sessions"), str(folder / "clock"), durability)
        return _ran(Run(folder, plan, Aims(operations, kills), workers=workers))

    return run


def _sqlite(folder: Path) -> Ran:
    place = f"sqlite:///{folder}/chats.db"
    with contextlib.closing(DbSessionAdapter(place)) as adapter:
        adapter.create_schema()
    plan = Plan(SEED, place, str(folder / "clock"))
    return _ran(Run(folder, plan, Aims(scaled(1000, 30_000), scaled(10, 300)), workers=4))


def _postgresql(folder: Path) -> Ran:
    with _server() as server:
        place = server.new_database()
        with contextlib.closing(DbSessionAdapter(place)) as adapter:
            adapter.create_schema()

        def crash() -> None:
            server.kill()
            server.start()

        plan = Plan(SEED, place, str(folder / "clock"), "power")
        aims = Aims(scaled(800, 20_000), scaled(4, 80), crashes=scaled(3, 40))
        return _ran(Run(folder, plan, aims, workers=4, crash=crash))


@contextlib.contextmanager
def _server() -> Iterator[PostgresServer]:
    server = cast("PostgresServer", started(PostgresServer))
    try:
        yield server
    finally:
        server.close()


PARTS = (
    Part(
        "processes",
        "files",
        "eight processes over one directory, killed at random moments, their histories judged",
        _files("process", 8, scaled(5000, 50_000), scaled(30, 300)),
    ),
    Part(
        "processes",
        "files-at-full-durability",
        "the same, each change flushed to the disk",
        _files("power", 4, scaled(600, 6000), scaled(6, 60)),
    ),
    Part(
        "processes",
        "sqlite",
        "four processes over one SQLite file, killed at random moments, their histories judged",
        _sqlite,
    ),
    Part(
        "processes",
        "postgresql",
        "four processes over PostgreSQL, killed at random moments, and the server too, their histories judged",
        _postgresql,
    ),
)
