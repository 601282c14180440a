"""What a store keeps with its file held open: when it is believed, how much of it there is, and when it goes."""

import os
import pickle
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, HierarchicalSessionStore, OutcomeUnknown, pins
from readfresh.disk import Disk
from readfresh.pins import MAX_PINS, close_all
from tests.store.support import Child, Kind, WatchedDisk, held_open, run_child


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    close_all()
    yield
    close_all()


def test_what_was_written_or_read_is_held_open(kind: Kind, directory: Path) -> None:
    """An unchanged session costs one look: no lock, no read, and its file is the one that is held open."""
    disk = WatchedDisk()
    store = kind(directory, disk=disk)
    store.add_user_message("trip", "a")
    assert held_open(directory) == ["trip.json"]
    disk.steps.clear()
    assert store.get_chat_history("trip") == [{"role": "user", "content": "a"}]
    assert disk.steps == [("version", "trip.json")]
    reader = kind(directory, disk=disk)
    reader.get_session("trip")
    disk.steps.clear()
    assert reader.get_session("trip") == store.get_session("trip")
    assert disk.steps == [("version", "trip.json")] * 2
    assert held_open(directory) == ["trip.json"] * 2


def test_a_kept_session_is_read_beside_a_holder(kind: Kind, directory: Path) -> None:
    """A read that has nothing to wait for does not wait: a writer that has replaced nothing yet has changed nothing."""
    store = kind(directory, lock_timeout=0)
    store.add_user_message("trip", "a")
    with Child("hold", directory, "trip") as child:
        child.says("held")
        assert store.get_chat_history("trip") == [{"role": "user", "content": "a"}]
        child.tell()
        child.says("True")
    assert store.get_session("trip").metadata == {"held": True}


@pytest.mark.parametrize("how", ["renamed", "deleted and written"])
def test_another_file_is_never_taken_for_the_one_that_is_kept(kind: Kind, directory: Path, how: str) -> None:
    """Size and times say nothing: another file of the same size, with the same times, has another inode number."""
    store = kind(directory)
    store.add_user_message("trip", "old")
    path = directory / "trip.json"
    kept = path.stat()
    data = path.read_bytes().replace(b"old", b"new")
    if how == "renamed":
        other = directory / "other"
        other.write_bytes(data)
        other.rename(path)
    else:
        path.unlink()
        path.write_bytes(data)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    found = path.stat()
    assert (found.st_size, found.st_mtime_ns) == (kept.st_size, kept.st_mtime_ns)
    assert found.st_ino != kept.st_ino  # it is held open, so its number is not free
    assert store.get_chat_history("trip") == [{"role": "user", "content": "new"}]


def test_an_edit_in_place_is_seen_by_its_size_or_time(kind: Kind, directory: Path) -> None:
    """Whoever edits a file where it stands changes its size or its time, and is read."""
    store = kind(directory)
    store.add_user_message("trip", "old")
    path = directory / "trip.json"
    kept, data = path.stat(), path.read_bytes()
    path.write_bytes(data.replace(b"old", b"longer"))
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert store.get_chat_history("trip") == [{"role": "user", "content": "longer"}]
    path.write_bytes(data.replace(b"old", b"finest"))
    os.utime(path, ns=(1, 1))
    assert path.stat().st_ino == kept.st_ino
    assert store.get_chat_history("trip") == [{"role": "user", "content": "finest"}]


def test_a_file_that_comes_between_is_read_and_not_kept(kind: Kind, directory: Path) -> None:
    """A program that takes no lock may replace the file while it is read: what was read is not kept for the other."""
    kind(directory).add_user_message("trip", "old")
    path = directory / "trip.json"
    new = path.read_bytes().replace(b"old", b"new")

    class Replacing(WatchedDisk):
        def before(self, verb: str, path: str) -> None:
            """Replace the file when it is held open and has not been read."""
            super().before(verb, path)
            if verb == "read":
                os.unlink(path)
                Path(path).write_bytes(new)

    store = kind(directory, disk=Replacing())
    assert store.get_chat_history("trip") == [{"role": "user", "content": "new"}]
    assert held_open(directory) == []


def test_a_change_of_an_unknown_outcome_keeps_nothing(
    kind: Kind, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the directory could not be flushed neither the old file nor the new one is held open."""
    store = kind(directory)
    store.add_user_message("trip", "a")

    def fails(_self: Disk, _directory: str) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "sync_directory", fails)
        with pytest.raises(OutcomeUnknown):
            store.add_user_message("trip", "b")
    assert held_open(directory) == []
    assert len(store.get_chat_history("trip")) == 2


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize("verb", ["delete_session", "add_user_message"])
def test_a_file_that_is_gone_is_let_go(kind: Kind, directory: Path, verb: str, cold: bool) -> None:
    """What was replaced or deleted is not held open once the call has ended; so its space is free."""
    store = kind(directory)
    store.add_user_message("trip", "a")
    if cold:  # so that the call itself reads what it replaces
        store.invalidate_cache()
    getattr(store, verb)("trip", *["b"] if verb == "add_user_message" else [])
    assert held_open(directory) == (["trip.json"] if verb == "add_user_message" else [])


def test_no_more_is_kept_than_may_be(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most `MAX_PINS` files are held open, by all stores of a process; those go first that were used longest ago."""
    store = DefaultSessionStore(directory, durability="process")
    for number in range(MAX_PINS + 9):
        store.add_user_message(f"s-{number:03}", "a")
        store.get_session("s-000")
    kept = held_open(directory)
    assert len(kept) == MAX_PINS
    assert kept[0] == "s-000.json"
    assert kept[1] == "s-010.json"
    monkeypatch.setattr(pins, "MAX_BYTES", int(3.5 * (directory / "s-001.json").stat().st_size))
    store.get_session("s-001")
    assert len(held_open(directory)) == 3


def test_few_are_kept_where_few_files_may_be_open(directory: Path) -> None:
    """It is a sixteenth of what the process may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    store = DefaultSessionStore(directory, durability="process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (160, hard))
    try:
        for number in range(20):
            store.add_user_message(f"s-{number}", "a")
        assert len(held_open(directory)) == 10
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_they_give_way_when_no_file_can_be_opened(kind: Kind, directory: Path) -> None:
    """A process that has used up its descriptors works with the stores as it would without what they keep."""
    store = kind(directory)
    for session in ("one", "two", "three"):
        store.add_user_message(session, "a")
    taken = [os.open(os.devnull, os.O_RDONLY)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Above every one that is open: the numbers of those that give way have to be within the limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/dev/fd"))) + 8, hard))
    try:
        try:
            while True:
                taken.append(os.dup(taken[0]))
        except OSError:
            pass
        assert store.add_user_message("four", "a")  # its lock and its file: two of the three that are kept
        assert len(held_open(directory)) <= 2
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert store.get_chat_history("four") == [{"role": "user", "content": "a"}]


def test_a_forked_child_keeps_nothing_of_its_parents(directory: Path) -> None:
    """It holds none of the files open, and reads what it is asked for; its parent goes on with what it keeps."""
    assert run_child("fork_with_a_kept_session", directory) == [["child", [], ["a"], 1], ["parent", ["trip.json"]]]


def test_a_store_that_is_gone_keeps_nothing(kind: Kind, directory: Path) -> None:
    """What a store object keeps goes with it."""
    store = kind(directory)
    store.add_user_message("trip", "a")
    other: Any = pickle.loads(pickle.dumps(store))
    assert held_open(directory) == ["trip.json"]
    assert other.get_session("trip") == store.get_session("trip")
    assert held_open(directory) == ["trip.json"] * 2
    del store, other
    assert held_open(directory) == []


def test_invalidate_cache_lets_go(directory: Path) -> None:
    """Of one session, or of all; of this store object's alone."""
    store, other = DefaultSessionStore(directory), DefaultSessionStore(directory)
    for session in ("one", "two"):
        store.add_user_message(session, "a")
    other.get_session("one")
    store.invalidate_cache("one")
    assert held_open(directory) == ["one.json", "two.json"]
    store.invalidate_cache()
    assert held_open(directory) == ["one.json"]


def test_threads_share_what_is_kept(directory: Path) -> None:
    """Threads that read one session while others are let go of meet what was written last, and never an error."""
    store = HierarchicalSessionStore(directory, durability="process")
    store.add_user_message("trip", "a")
    start, failures = threading.Barrier(4), []

    def read() -> None:
        start.wait()
        try:
            for _ in range(200):
                if store.get_chat_history("trip") != [{"role": "user", "content": "a"}]:
                    failures.append("another history")
                store.invalidate_cache("trip")
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=8), JSON), min_size=1, max_size=4),
    st.dictionaries(st.text(min_size=1, max_size=4), JSON, max_size=3),
)
def test_what_is_kept_is_what_the_file_says(
    tmp_path_factory: pytest.TempPathFactory, messages: list[Any], metadata: dict[str, Any]
) -> None:
    """A writer is given what it has written as a reader of its file is: equal, and of the same types throughout."""
    directory = tmp_path_factory.mktemp("kept")
    writer = HierarchicalSessionStore(directory, durability="process")
    for role, content, extra in messages:
        writer.add_message("trip", role, content, metadata={"value": extra})
        writer.create_snapshot("trip", "label")
    writer.update_session_metadata("trip", **{f"x-{key}": value for key, value in metadata.items()})
    reader = HierarchicalSessionStore(directory)
    kept, read = writer.get_session("trip"), reader.get_session("trip")
    assert repr(kept) == repr(read)
    assert kept == read
    # And one that has kept a part of it decodes no more than the rest.
    writer.add_message("trip", "user", "last")
    assert repr(reader.get_session("trip")) == repr(writer.get_session("trip"))


def test_a_disk_that_cannot_hold_open_is_read_each_time(directory: Path) -> None:
    """A disk may refuse: then every read reads, and nothing else changes."""

    class NothingHeld(WatchedDisk):
        def pin(self, _path: str) -> None:
            """Refuse."""

    disk = NothingHeld()
    store = DefaultSessionStore(directory, disk=disk)
    store.add_user_message("trip", "a")
    disk.steps.clear()
    store.get_session("trip")
    store.get_session("trip")
    assert [verb for verb, _ in disk.steps] == ["exists", "lock", "read", "release"] * 2
