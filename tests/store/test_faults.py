"""Disks that fail: what the error says, what a writer leaves, and which steps a change is.

`tests.proofs.faults` lets every step of every verb fail.
"""

import errno
import itertools
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from readfresh import (
    DefaultSessionStore,
    HierarchicalSessionStore,
    LockTimeout,
    OutcomeUnknown,
    SessionStoreError,
    WriteFailed,
    verify,
)
from readfresh.disk import Disk
from tests.store.support import (
    FAULTS,
    FaultyDisk,
    Kind,
    Verb,
    WatchedDisk,
    contents,
    descriptors,
    each_verb,
    filled,
    held,
    run_child,
)


def test_first_write_fails_by_name(kind: Kind, tmp_path: Path) -> None:
    """The first write of all, which makes the directory, can fail at each step too, and leaves no session."""
    disk = FaultyDisk(-1, 0)
    kind(tmp_path / "works", disk=disk).add_user_message("trip", "a")
    verbs = [verb for verb, _ in disk.steps]
    assert verbs[0] == "make_directory"
    for at, number in itertools.product(range(len(verbs)), FAULTS):
        directory = tmp_path / f"at-{at}-{number}"
        faulty = FaultyDisk(at, number)
        error = None
        try:
            kind(directory, disk=faulty).add_user_message("trip", "a")
        except SessionStoreError as raised:
            error = raised
        assert len(faulty.failed) == 1
        if error is None:
            assert verbs[at] in ("pin", "version") or (verbs[at], number) == ("sync_directory", errno.EACCES)
        else:
            assert type(error) in (WriteFailed, OutcomeUnknown)
            assert (contents(directory) == {}) == (error.written == "nothing")
        assert kind(directory).add_user_message("trip", "b")


def test_a_failed_flush_is_not_tried_again(kind: Kind, directory: Path) -> None:
    """After an fsync that failed the temporary file is thrown away: the kernel may have dropped its pages."""
    kind(directory).add_user_message("trip", "a")
    disk = WatchedDisk()
    kind(directory, disk=disk).add_user_message("trip", "b")
    at = [verb for verb, _ in disk.steps].index("fsync")
    faulty = FaultyDisk(at, errno.EIO)
    with pytest.raises(WriteFailed):
        kind(directory, disk=faulty).add_user_message("trip", "c")
    rest = [verb for verb, _ in faulty.steps[at:]]
    assert rest.count("fsync") == 1
    assert "replace" not in rest
    assert rest[-2:] == ["unlink", "release"]


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failed_write_leaves_nothing_open(
    kind: Kind, directory: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a file or a directory cannot be written or flushed its descriptor is closed all the same."""
    store = kind(directory)
    store.add_user_message("trip", "a")
    before = descriptors()

    def of_a(kind_of_file: Callable[[int], bool]) -> Callable[..., int]:
        def refused(descriptor: int, *data: bytes) -> int:
            if kind_of_file(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return len(data[0]) if data else 0

        return refused

    for kind_of_file in (stat.S_ISREG, stat.S_ISDIR) if call == "fsync" else (stat.S_ISREG,):
        monkeypatch.setattr(os, call, of_a(kind_of_file))
        with pytest.raises(WriteFailed if kind_of_file is stat.S_ISREG else OutcomeUnknown):
            store.add_user_message("trip", "b")
        assert descriptors() == before


def test_unknown_is_said_exactly_after_the_point_of_no_return(kind: Kind, directory: Path) -> None:
    """`OutcomeUnknown` comes when the directory cannot be flushed or the lock not let go: the new state stands."""
    kind(directory).add_user_message("trip", "0")
    disk = FaultyDisk(-1, 0)
    kind(directory, disk=disk).add_user_message("trip", "1")
    verbs = [verb for verb, _ in disk.steps]
    replaced = verbs.index("replace")
    for at in range(len(verbs)):
        before = len(kind(directory).get_chat_history("trip"))
        faulty = FaultyDisk(at, errno.EIO)
        if verbs[at] in ("pin", "version"):  # whoever cannot hold a file open goes on without
            assert kind(directory, disk=faulty).add_user_message("trip", "more")
            continue
        with pytest.raises(SessionStoreError) as caught:
            kind(directory, disk=faulty).add_user_message("trip", "more")
        after = len(kind(directory).get_chat_history("trip"))
        assert (type(caught.value) is OutcomeUnknown) == (at > replaced) == (after > before), verbs[at]
        assert ("Read the session before you retry" in str(caught.value)) == (at > replaced)


def test_an_error_of_the_lock_does_not_hide_the_one_before_it(kind: Kind, directory: Path) -> None:
    """When `change` raises and the lock cannot be let go either, the caller sees what `change` raised."""
    kind(directory).add_user_message("trip", "0")
    disk = WatchedDisk()
    with pytest.raises(ZeroDivisionError):
        kind(directory, disk=disk).update("trip", lambda _: 1 / 0)
    faulty = FaultyDisk([verb for verb, _ in disk.steps].index("release"), errno.EIO)
    with pytest.raises(ZeroDivisionError):
        kind(directory, disk=faulty).update("trip", lambda _: 1 / 0)


def test_a_child_that_cannot_be_entered_is_taken_back(directory: Path) -> None:
    """When the parent cannot be written the child is deleted again; when that fails too, the error says unknown."""
    filled(HierarchicalSessionStore, directory)
    before = contents(directory)
    disk = WatchedDisk()
    copy = shutil.copytree(directory, directory.with_name("copy"))
    HierarchicalSessionStore(copy, disk=disk).fork_session("trip")
    second = [number for number, (verb, _) in enumerate(disk.steps) if verb == "replace"][1]
    with pytest.raises(WriteFailed):
        HierarchicalSessionStore(directory, disk=FaultyDisk(second, errno.EIO)).fork_session("trip")
    assert contents(directory) == before
    told: list[SessionStoreError] = []
    store = HierarchicalSessionStore(
        directory, disk=FaultyDisk(second, errno.EIO, stays=True), new_id=lambda: "lost", on_error=told.append
    )
    with pytest.raises(OutcomeUnknown, match="does not list it") as caught:
        store.fork_session("trip")
    assert caught.value.session_id == "lost"
    assert told[-1] is caught.value
    assert "lost.json" in contents(directory)


def test_a_directory_that_cannot_be_written(kind: Kind, tmp_path: Path) -> None:
    """It is read without a lock; writes fail by name; a file that this user may not read is an error by name."""
    directory = tmp_path / "sessions"
    store = kind(directory)
    store.add_user_message("trip", "a")
    store.add_user_message("secret", "b")
    for path in [*tmp_path.parents, tmp_path]:
        if not path.stat().st_mode & stat.S_IXOTH and path.stat().st_uid == os.getuid():
            path.chmod(path.stat().st_mode | stat.S_IXOTH)
    directory.chmod(0o555)
    (directory / "trip.json").chmod(0o444)
    (directory / "secret.json").chmod(0)
    try:
        history, session_id, statuses, results, same = run_child("unprivileged", directory, kind.__name__)
    finally:
        directory.chmod(0o700)
    assert (history, session_id) == (["a"], "trip")
    assert sorted(statuses) == ["ok", "unreadable"]
    assert results == [*["WriteFailed"] * 4, "ReadFailed", []]
    assert same is True


# What killed writers leave


def test_deleting_a_session_deletes_what_a_killed_writer_left_of_it(kind: Kind, directory: Path) -> None:
    """The temporary file of a killed writer holds the session's messages, so it goes with the session."""
    store = kind(directory)
    store.add_user_message("trip", "secret")
    (directory / "trip.json.tmp").write_bytes((directory / "trip.json").read_bytes())
    assert store.delete_session("trip")
    assert contents(directory) == {}


def test_litter_of_a_session_that_was_never_written_is_found_and_deleted(kind: Kind, directory: Path) -> None:
    """A creator that is killed before its first rename leaves the messages of a session that does not exist.

    Nobody else may ever write to that id, so `verify` names it, and `delete_session` deletes what is left of it,
    under its lock: a creator that is alive keeps what it is writing.
    """
    store = kind(directory, lock_timeout=0)
    store.add_user_message("trip", "Where to?")
    for name in ("child", "a%2Fb"):
        (directory / f"{name}.json.tmp").write_text("secret")
    (directory / "trip.json.tmp").write_text("the next write to trip removes it")
    assert [(one.session_id, one.kind) for one in verify(store)] == [("a/b", "litter"), ("child", "litter")]
    assert "delete_session" in verify(store)[0].what
    with held(kind(directory), "child"), pytest.raises(LockTimeout):
        store.delete_session("child")
    assert (directory / "child.json.tmp").exists()
    for session_id in ("child", "a/b"):
        assert not store.delete_session(session_id)
    assert verify(store) == ()
    assert contents(directory).keys() == {"trip.json", "trip.json.tmp"}


# Modes and flushes


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o027, 0o077])
def test_new_files_are_private(kind: Kind, tmp_path: Path, mask: int) -> None:
    """Directories are 0700 and files 0600, locks too, whatever the umask; at no moment are they open to others."""
    directory = tmp_path / "a" / "b" / "sessions"
    modes: set[tuple[str, int]] = set()

    class Looking(WatchedDisk):
        def after(self, verb: str, path: str) -> None:
            """Look at every mode after each step."""
            for name in directory.iterdir() if directory.exists() else ():
                modes.add((name.suffix, name.stat().st_mode & 0o777))
            super().after(verb, path)

    old = os.umask(mask)
    try:
        kind(directory, disk=Looking()).add_user_message("trip", "secret")
    finally:
        os.umask(old)
    assert modes == {(".json", 0o600), (".tmp", 0o600), (".lock", 0o600)}
    for path in (tmp_path / "a", tmp_path / "a" / "b", directory):
        assert path.stat().st_mode & 0o777 == 0o700


def test_modes_of_others_stay_as_they_are(kind: Kind, directory: Path) -> None:
    """A directory that stands already keeps its mode, and so does a lock file that somebody else made."""
    directory.mkdir(mode=0o750)
    directory.chmod(0o750)
    lock = directory / "trip.json.lock"
    lock.write_text("not ours")
    lock.chmod(0o640)
    kind(directory).add_user_message("trip", "a")
    assert directory.stat().st_mode & 0o777 == 0o750
    assert (lock.stat().st_mode & 0o777, lock.read_text()) == (0o640, "not ours")


REPLACE = ["exists", "create", "write", "fsync", "close", "still_stands", "pin", "replace", "sync_directory"]


def test_a_change_is_these_steps_in_this_order(kind: Kind, directory: Path) -> None:
    """The steps of a write, a read and a delete, with the flushes that make them outlive a loss of power."""
    kind(directory).add_user_message("trip", "a")
    disk = WatchedDisk()
    store = kind(directory, disk=disk)
    store.add_user_message("trip", "b")
    disk.steps.clear()
    store.add_user_message("trip", "c")
    assert disk.steps[0][0] == "make_directory"
    assert [verb for verb, _ in disk.steps[1:]] == ["lock", "version", *REPLACE, "release"]
    assert dict(disk.steps)["fsync"] == "trip.json.tmp"
    assert dict(disk.steps)["sync_directory"] == directory.name
    disk.steps.clear()
    store.get_session("trip")
    assert [verb for verb, _ in disk.steps] == ["version"]
    disk.steps.clear()
    store.invalidate_cache()
    store.get_session("trip")
    assert [verb for verb, _ in disk.steps] == ["exists", "lock", "pin", "read", "version", "release"]
    disk.steps.clear()
    store.invalidate_cache()
    store.add_user_message("trip", "d")
    assert [verb for verb, _ in disk.steps[1:]] == ["lock", "pin", "read", "version", *REPLACE, "release"]
    disk.steps.clear()
    store.delete_session("trip")
    steps = ["exists", "lock", "read", "still_stands", "exists", "unlink", "sync_directory", "release"]
    assert [verb for verb, _ in disk.steps] == steps


def test_durability_of_the_process_flushes_nothing(kind: Kind, directory: Path) -> None:
    """`durability="process"` makes the same steps and leaves out every flush, the first write's too."""
    disk = WatchedDisk()
    store = kind(directory, durability="process", disk=disk)
    store.add_user_message("trip", "a")
    store.add_user_message("trip", "b")
    store.delete_session("trip")
    verbs = [verb for verb, _ in disk.steps]
    assert "fsync" not in verbs
    assert "sync_directory" not in verbs
    assert verbs.count("replace") == 2


def test_a_new_directory_is_flushed_into_its_parents(kind: Kind, tmp_path: Path) -> None:
    """The first write flushes the parent of each directory that it made, before anything is written into it."""
    flushed: list[str] = []

    class Flushes(Disk):
        def sync_directory(self, directory: str) -> None:
            """Remember which."""
            flushed.append(directory)
            super().sync_directory(directory)

    kind(tmp_path / "a" / "sessions", disk=Flushes()).add_user_message("trip", "x")
    assert set(flushed[:-1]) >= {str(tmp_path), str(tmp_path / "a")}
    assert flushed[-1] == str(tmp_path / "a" / "sessions")


@pytest.mark.parametrize(("kind", "verb"), each_verb(writes=False))
def test_a_read_writes_nothing(kind: Kind, verb: Verb, directory: Path) -> None:
    """A read takes locks and reads; it creates, flushes, renames and deletes nothing, and leaves the bytes alone."""
    filled(kind, directory)
    before = contents(directory, locks=True)
    disk = WatchedDisk()
    verb.call(kind(directory, disk=disk), "trip")
    assert {step for step, _ in disk.steps} <= {"exists", "lock", "release", "pin", "read", "version", "stamp", "names"}
    assert contents(directory, locks=True) == before
    assert isinstance(DefaultSessionStore(directory), DefaultSessionStore)
