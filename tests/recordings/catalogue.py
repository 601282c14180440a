"""Every recording that a sequence diagram of the pages can name.

- A scenario of `of_*` is played anew each time, on the readfresh that is there: under a fault it draws the fault.
- A history of the conformance kit is found anew, once in a process.
- The order that the explorer finds wrong is found anew, once in a process, in a store that takes no lock.
- A history of the matrix was found when the kit was run over that store last, and is kept in `tests/matrix/reports`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

from tests.matrix.reports import recorded, recording_of
from tests.matrix.stores import STORES, Store
from tests.proofs.teeth.cell import look
from tests.recordings.scenarios import all_scenarios

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KIT = {"the_kit_on_my_store": "conformance/my_store", "the_kit_on_my_redis_store": "recipes/my_store_broken"}
"""The stores of the pages that the kit breaks, by the name of the recording."""


def catalogue() -> Mapping[str, Callable[[Path], str]]:
    """Return the recordings by name; each plays in an empty folder and returns the text of its diagram."""
    return {
        **{name: partial(_played, name) for name in all_scenarios()},
        **{name: partial(_found, path) for name, path in KIT.items()},
        "the_order_that_is_wrong": _wrong,
        **{recording_of(store, slug): partial(_kept, store, slug) for store, slug in _broken()},
    }


def _played(name: str, folder: Path) -> str:
    # Imported when it is called: with the readfresh of that moment.
    scenarios = importlib.import_module("tests.recordings.scenarios")
    drawn: str = scenarios.all_scenarios()[name].draw(folder)
    return drawn


@cache
def _history(path: str) -> str:
    from readfresh.conformance import check

    folder, _, module = path.rpartition("/")
    with patch.object(sys, "path", [str(EXAMPLES / folder), *sys.path]):
        return check(f"{module}:factory", ["no-lost-update"]).results["no-lost-update"].mermaid + "\n"


def _found(path: str, _folder: Path) -> str:
    return _history(path)


def _wrong(_folder: Path) -> str:
    return _order()


@cache
def _order() -> str:
    with tempfile.TemporaryDirectory() as folder:
        finding = look("no-lock", ("orders-pairs",), Path(folder)).finding
    assert finding is not None
    return f"{finding['mermaid']}\n"


def _broken() -> Iterator[tuple[Store, str]]:
    for store in STORES:
        for result in recorded(store)["results"]:
            if result["mermaid"]:
                yield store, result["guarantee"]


def _kept(store: Store, slug: str, _folder: Path) -> str:
    (found,) = (result["mermaid"] for result in recorded(store)["results"] if result["guarantee"] == slug)
    return f"{found}\n"
