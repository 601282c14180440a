"""The parts of this rung."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.proofs.fuzz.growth import too_expensive, verbs_that_grow_too_fast
from tests.proofs.fuzz.hostile import CASES
from tests.proofs.fuzz.ids import try_ids
from tests.proofs.fuzz.mutated import try_bytes, try_json
from tests.proofs.fuzz.odd import try_odd_things
from tests.proofs.fuzz.trial import quick
from tests.proofs.rung import Finding, Part, Ran
from tests.store.support import scaled, verbs_of

SIZES = {"messages": 40, "snapshots": 20, "children": 20, "fields": 40, "sessions": 20}


def _hostile(_folder: Path) -> Ran:
    counts = {"files made to be expensive": len(CASES), "uses": 0}
    with quick(shares_loads=False):
        for case in CASES:
            for name in case.uses:
                counts["uses"] += 1
                try:
                    wrong = too_expensive(case, name)
                except Exception as error:
                    wrong = f"{type(error).__name__} is raised: {error}"
                if wrong:
                    return Ran(counts, Finding(f"{case.name}, {name}: {wrong}."))
    return Ran(counts)


def _verbs(_folder: Path) -> Ran:
    counts = {"things that there are more and more of": len(SIZES), "verbs": 0}
    with quick(shares_loads=False):
        for kind in (DefaultSessionStore, HierarchicalSessionStore):
            counts["verbs"] += len(verbs_of(kind))
            for what, size in SIZES.items():
                for wrong in verbs_that_grow_too_fast(kind, what, size):
                    return Ran(counts, Finding(wrong))
    return Ran(counts)


PARTS = (
    Part(
        "fuzz",
        "bytes",
        "every verb of both stores on session files that are damaged in their bytes",
        partial(try_bytes, scaled(1_400, 20_000)),
    ),
    Part(
        "fuzz",
        "json",
        "every verb of both stores on session files whose JSON is changed",
        partial(try_json, scaled(2_900, 40_000)),
    ),
    Part(
        "fuzz",
        "things",
        "every verb of both stores on pipes, sockets, directories, links, devices and files that are too large",
        try_odd_things,
    ),
    Part("fuzz", "ids", "ids and names of files that come close to each other", try_ids),
    Part("fuzz", "expensive", "files that are made to be expensive", _hostile),
    Part("fuzz", "growth", "what every verb costs, with more and more of one thing", _verbs),
)
