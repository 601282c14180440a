"""What nobody would write finds nothing in our stores, and finds what is wrong with others."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import HierarchicalSessionStore, SessionDamaged, SessionData, WriteFailed, files
from readfresh.files import SessionFiles
from tests.full_grid import FULL_GRID
from tests.proofs.figures import prove, record
from tests.proofs.fuzz import guided, ids, mutated, odd
from tests.proofs.fuzz.growth import Case, cost_of, store_on, too_expensive, verbs_that_grow_too_fast
from tests.proofs.fuzz.hostile import one
from tests.proofs.fuzz.mutations import VALUES
from tests.proofs.fuzz.parts import PARTS
from tests.proofs.fuzz.trial import quick
from tests.proofs.rung import Part
from tests.store import support

# Files that are made to be expensive take half a minute; what every verb costs is measured in each run.
EVERY = [part for part in PARTS if FULL_GRID or part.key != "fuzz-expensive"]


@pytest.mark.parametrize("part", EVERY, ids=lambda part: part.key)
def test_no_input_makes_a_store_fail_hang_or_lose(part: Part, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """Errors of ours alone, the bytes as they were, every call returns, and costs no more than its share."""
    prove(part, tmp_path, pytestconfig)


if guided.SECONDS:

    def test_guided_files_find_nothing(tmp_path: Path, pytestconfig: pytest.Config) -> None:
        """What atheris makes up, led by the code that it reaches, is read, rescued and saved as any other file."""
        ran = guided.try_guided(tmp_path, guided.SECONDS)
        assert ran.finding is None, str(ran.finding)
        if pytestconfig.getoption("--update-examples", False):
            what = "session files that atheris makes up, led by the code that they reach"
            record("atheris", {"what": what, "counts": dict(ran.counts), "seconds": guided.SECONDS})


def test_what_guides_is_locked() -> None:
    """The lock names one version, and a hash for each of its files."""
    (line,) = guided.LOCK.read_text().replace("\\\n", " ").splitlines()
    words, *hashes = re.split(r"\s+--hash=", line)
    assert re.fullmatch(r"atheris==[\d.]+", words)
    assert hashes
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes)


# What is found in stores that are broken


def skips_what_is_damaged(patch: pytest.MonkeyPatch) -> None:
    """Read a file that is no session as an empty one."""
    load = SessionFiles._session

    def lenient(self: Any, raw: bytes, session_id: str, path: str) -> Any:
        try:
            return load(self, raw, session_id, path)
        except SessionDamaged:
            return self.session_type(session_id)

    patch.setattr(SessionFiles, "_session", lenient)


def raises_what_python_raises(patch: pytest.MonkeyPatch) -> None:
    """Let an error of JSON through as it is."""
    load = SessionFiles._session

    def bare(self: Any, raw: bytes, session_id: str, path: str) -> Any:
        json.loads(raw)
        return load(self, raw, session_id, path)

    patch.setattr(SessionFiles, "_session", bare)


def forgets_unknown_fields(patch: pytest.MonkeyPatch) -> None:
    """Write what the class knows and nothing else."""
    to_lines = SessionData.to_lines
    known = {*SessionData.__match_args__}
    patch.setattr(SessionData, "to_lines", lambda self: {k: v for k, v in to_lines(self).items() if k in known})


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (skips_what_is_damaged, "reads what is no JSON"),
        (raises_what_python_raises, "which is no error of a store"),
        (forgets_unknown_fields, "what was saved reads back as something else"),
    ],
)
def test_a_broken_store_is_found(
    breaks: Callable[[pytest.MonkeyPatch], None], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each kind of failure is found, and said with the file that shows it."""
    monkeypatch.setattr(mutated, "SHRINK_SECONDS", 1)
    breaks(monkeypatch)
    ran = mutated.try_files(100, tmp_path, of_json=False)
    assert ran.finding
    assert re.search(says, ran.finding.what), str(ran.finding)
    assert "the file: " in ran.finding.history[-1]


def test_a_name_that_two_ids_share_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names that are folded or are paths are found among twenty thousand pairs."""
    for name in (lambda one, _=None: f"{one.lower()}.json", lambda one, _=None: one.lstrip("/") + ".json"):
        monkeypatch.setattr(files, "file_name", name)
        assert ids.try_ids(tmp_path).finding


def test_a_call_that_does_not_return_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that says no more is ended, and the call is named."""
    monkeypatch.setattr(support, "PATIENCE_SECONDS", 1)
    monkeypatch.setattr(odd, "COMMAND", ["-c", "import sys; print('a call', flush=True); sys.stdin.read()"])
    found = odd.try_odd_things(tmp_path).finding
    assert found
    assert found.what == "a call: the call does not return."


# What is counted


def test_every_value_of_a_mutation_can_be_written() -> None:
    """Else a mutation ends the trial and not the store."""
    assert all(json.dumps(value) for value in VALUES)


def test_what_grows_faster_is_seen() -> None:
    """The square of the size is too much: of looks at a text, of memory at once, of copies that do not last."""

    def text_of(store: Any) -> bytes:
        found: bytes = store._storage.disk.files["trip.json"]
        return found

    uses: dict[str, Any] = {
        "looks": lambda store: [text_of(store).count(b"z") for _ in text_of(store)],
        "memory": lambda store: bytes(len(text_of(store)) ** 2),
        "copies": lambda store: [len(text_of(store)[number:]) for number in range(len(text_of(store)))],
        "each byte": lambda store: [ord(letter) for letter in text_of(store).decode()],
    }
    case = Case("letters", lambda size: one(metadata={"text": "x" * size}), uses, size=500)
    found = {use: str(too_expensive(case, use)).partition("more and more ")[2].partition(",")[0] for use in uses}
    assert found == {"looks": "steps", "memory": "allocated bytes", "copies": "allocated bytes", "each byte": ""}


def test_costs_are_counted() -> None:
    """Each call of a function is a step, a look through a list as many as it is long, and a copy is allocated."""
    nothing = cost_of(lambda: None)
    assert cost_of(lambda: [len(text) for text in ("a", "b", "c")]).steps - nothing.steps >= 3
    letters = ["a"] * 1_000
    assert cost_of(lambda: letters.count("a")).steps - nothing.steps >= 1_000
    assert cost_of(lambda: (len(bytes(100_000)), len("a"), len(bytes(100_000)))).allocated_bytes >= 200_000


def test_a_verb_that_grows_faster_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader that looks at each message once for each message costs more and more."""
    load = SessionFiles._session

    def quadratic(self: Any, *arguments: Any) -> Any:
        session = load(self, *arguments)
        return [max(len(one.role) for _ in session.messages) for one in session.messages] and session

    monkeypatch.setattr(SessionFiles, "_session", quadratic)
    with quick(shares_loads=False):
        found = next(verbs_that_grow_too_fast(HierarchicalSessionStore, "messages", 40), "")
    assert found.startswith("HierarchicalSessionStore.get_session takes more and more steps, ")


def test_what_a_revert_would_make_is_not_made_beyond_what_a_file_may_have() -> None:
    """A small file can name one large message many times; bringing them all back is refused before they are there."""
    snapshot = {"id": "s", "transcript_refs": {"messages": {"items": ["r"] * 1_000}}}
    record = {"role": "user", "content": "x" * 100_000}
    given = one(snapshots=[snapshot], snapshot_storage={"records": {"r": record}})
    store = store_on(given, HierarchicalSessionStore, max_file_bytes=1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(WriteFailed, match="max_file_bytes is 1000000"):
            store.revert_to_snapshot("trip", "s")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert store._storage.disk.files == given
