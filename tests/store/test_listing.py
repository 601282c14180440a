"""What the list of sessions keeps: a file is read again unless its stamp proves that nothing has happened to it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore
from readfresh.disk import Disk, Stamp
from tests.store.support import Kind

HOUR_NS = 3600 * 10**9


class ShiftedDisk(Disk):
    """The system's, whose files have changed so much later; it notes which it reads."""

    def __init__(self, shift_ns: int) -> None:
        self.shift_ns = shift_ns
        self.read_files: list[str] = []

    def stamp(self, path: str) -> Stamp | None:
        """Shift the time of change."""
        stamp = super().stamp(path)
        return stamp and (stamp[0] + self.shift_ns, *stamp[1:])

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Note it."""
        self.read_files.append(os.path.basename(path))
        return super().read(path, max_bytes)

    def reads(self) -> list[str]:
        """Return what was read since the last time, in order of name."""
        read, self.read_files = sorted(self.read_files), []
        return read


@pytest.fixture
def old() -> ShiftedDisk:
    """Give a disk whose files have changed an hour ago."""
    return ShiftedDisk(-HOUR_NS)


def counts(store: DefaultSessionStore) -> dict[str, int]:
    """Return how many messages the list says that each session has."""
    return {each["session_id"]: each["message_count"] for each in store.list_sessions()}


def test_what_has_not_changed_is_not_read_again(kind: Kind, directory: Path, old: ShiftedDisk) -> None:
    """A file is read once; what is shown is the same as ever."""
    store = kind(directory, disk=old)
    for name in ("a", "b"):
        store.add_user_message(name, "x")
    old.reads()
    first = store.list_sessions()
    assert old.reads() == ["a.json", "b.json"]
    assert store.list_sessions() == first == kind(directory).list_sessions()
    assert old.reads() == []


def changes(directory: Path) -> Iterator[tuple[str, Any]]:
    """Yield what may happen to the file of the session `a`, and how many messages there are then."""
    path = directory / "a.json"
    other = DefaultSessionStore(directory)

    def in_place() -> None:
        before = path.stat()
        path.write_bytes(path.read_bytes().replace(b'"x"', b'"y"'))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def moved_over() -> None:
        alike = directory / "alike"
        alike.write_bytes(path.read_bytes())
        os.utime(alike, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        alike.replace(path)

    yield "appended to by another store", lambda: other.add_user_message("a", "y")
    yield "edited in its place, with size and times kept", in_place
    yield "replaced by one that is alike", moved_over
    yield "deleted and made anew", lambda: (other.delete_session("a"), other.add_user_message("a", "x"))


@pytest.mark.parametrize("number", range(4))
def test_what_has_changed_is_read_again(directory: Path, old: ShiftedDisk, number: int) -> None:
    """Whatever has become of a file, it is that file alone that is read, and what it holds is shown."""
    store = DefaultSessionStore(directory, disk=old)
    for name in ("a", "b"):
        store.add_user_message(name, "x")
    counts(store)
    old.reads()
    what, change = list(changes(directory))[number]
    change()
    assert counts(store) == counts(DefaultSessionStore(directory)), what
    assert old.reads() == ["a.json"], what


@pytest.mark.parametrize("shift_ns", [0, HOUR_NS], ids=["young", "from the future"])
def test_a_young_file_is_read_each_time(directory: Path, shift_ns: int) -> None:
    """A file that was looked at in the same step of the clock may change once more with the stamp that it has."""
    disk = ShiftedDisk(shift_ns)
    store = DefaultSessionStore(directory, disk=disk)
    store.add_user_message("a", "x")
    disk.reads()
    for _ in range(3):
        counts(store)
    if shift_ns:
        assert disk.reads() == ["a.json"] * 3
    else:  # on a machine that took two seconds for it, it was old enough the last time
        assert disk.reads()[:1] == ["a.json"]


def test_what_is_gone_is_forgotten(directory: Path, old: ShiftedDisk) -> None:
    """Neither the list nor the store's memory keeps a session that was deleted."""
    store = DefaultSessionStore(directory, disk=old)
    store.add_user_message("a", "x")
    assert counts(store) == {"a": 1}
    (directory / "a.json").unlink()
    assert counts(store) == {}
    assert store._storage._known == {}  # type: ignore[attr-defined]


def test_what_cannot_be_read_is_told_each_time(directory: Path, old: ShiftedDisk) -> None:
    """An error is not kept: `on_error` hears of it with every list."""
    errors: list[Exception] = []
    store = DefaultSessionStore(directory, disk=old, on_error=errors.append)
    store.add_user_message("a", "x")
    (directory / "a.json").write_text("{")
    for _ in range(2):
        assert [each["status"] for each in store.list_sessions()] == ["damaged"]
    assert len(errors) == 2


def test_a_list_keeps_no_messages(directory: Path, old: ShiftedDisk) -> None:
    """What is kept of a session is what the list shows of it, and not what was said."""
    store = DefaultSessionStore(directory, disk=old)
    store.add_user_message("a", "x" * 1000)
    counts(store)
    ((_, entry),) = store._storage._known.values()  # type: ignore[attr-defined]
    assert (entry.message_count, entry.session.messages, entry.whole) == (1, (), False)
