"""What is made to be expensive costs in proportion to its size."""

import tracemalloc

import pytest

from readfresh import HierarchicalSessionStore, WriteFailed
from tests.proofs.fuzz.growth import Case, Use, grows_too_fast, steps_of, store_on
from tests.proofs.fuzz.hostile import CASES, one


@pytest.mark.parametrize(
    ("files", "use"),
    [pytest.param(case, use, id=f"{case.name}: {name}") for case in CASES for name, use in case.uses.items()],
)
def test_time_and_memory_grow_with_the_file(files: Case, use: Use) -> None:
    """Eight times as much of it takes about eight times as long, and as much memory."""
    assert grows_too_fast(files, use) is None


def test_what_grows_faster_is_seen() -> None:
    """The square of the size is too much, of time and of memory."""

    def slow(store: object) -> object:
        text = store._storage.disk.files["trip.json"]  # type: ignore[attr-defined]
        return sum(text.count(b"z") for _ in range(len(text)))

    def large(store: object) -> object:
        return bytes(len(store._storage.disk.files["trip.json"]) ** 2)  # type: ignore[attr-defined]

    case = Case("letters", lambda size: one(metadata={"text": "x" * size}), {}, size=2_000)
    assert str(grows_too_fast(case, slow)).startswith("time grows")
    assert str(grows_too_fast(case, large)).startswith("memory grows")


def test_steps_are_counted() -> None:
    """Each call of a function is a step."""
    assert steps_of(lambda: [len(text) for text in ("a", "b", "c")]) - steps_of(lambda: [len("a")]) >= 2


def test_what_a_revert_would_make_is_not_made_beyond_what_a_file_may_have() -> None:
    """A small file can name one large message many times; bringing them all back is refused before they are there."""
    snapshot = {"id": "s", "transcript_refs": {"messages": {"items": ["r"] * 1_000}}}
    record = {"role": "user", "content": "x" * 100_000}
    files = one(snapshots=[snapshot], snapshot_storage={"records": {"r": record}})
    store = store_on(files, HierarchicalSessionStore, max_file_bytes=1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(WriteFailed, match="max_file_bytes is 1000000"):
            store.revert_to_snapshot("trip", "s")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    assert store._storage.disk.files == files
