"""Disks that fail: at every step of every verb the old state stands, or the error says that nobody knows."""

import errno
import itertools
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from readfresh import (
    DefaultSessionStore,
    HierarchicalSessionStore,
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SessionStoreError,
    WriteFailed,
    verify,
)
from readfresh.disk import Disk
from tests.store.support import (
    FAULTS,
    LONG,
    Child,
    FaultyDisk,
    Kind,
    Store,
    Verb,
    WatchedDisk,
    contents,
    descriptors,
    each_verb,
    filled,
    held,
    run_child,
)

# These are tried with every errno in the normal run; the others take turns.
WHOLE = ("add_message", "delete_session", "get_chat_history", "fork_session", "list_sessions")


class Scene:
    """A directory with a session, that can be put back as it was."""

    def __init__(self, kind: Kind, directory: Path, verb: Verb) -> None:
        self.kind = kind
        self.directory = directory
        self.target = "new" if verb.name == "import_session" else "trip"
        filled(kind, directory, durability="process")
        self.before = contents(directory)

    def store(self, disk: Disk | None = None) -> Store:
        """Make a store on the disk; without one, a store that works and does not flush."""
        ids = itertools.count()
        return self.kind(
            self.directory,
            durability="power" if disk else "process",
            disk=disk,
            new_id=lambda: f"fresh-{next(ids)}",
            lock_timeout=1,
        )

    def reset(self) -> None:
        """Put the directory back."""
        for name in contents(self.directory).keys() - self.before.keys():
            (self.directory / name).unlink()
        for name, raw in self.before.items():
            assert isinstance(raw, bytes)
            path = self.directory / name
            if not path.exists() or path.read_bytes() != raw:
                path.write_bytes(raw)


def steps_of(scene: Scene, verb: Verb) -> list[tuple[str, str]]:
    """Return the steps that the verb makes on a disk that works."""
    disk = FaultyDisk(-1, 0)
    verb.call(scene.store(disk), scene.target)
    scene.reset()
    return disk.steps


@pytest.mark.parametrize(("kind", "verb"), each_verb())
def test_a_fault_at_any_step_is_an_error_by_name(kind: Kind, verb: Verb, directory: Path) -> None:
    """For each step and errno: an own error, the old state byte for byte, no descriptor, no litter, no lock left."""
    scene = Scene(kind, directory, verb)
    steps = steps_of(scene, verb)
    open_before = descriptors()
    for at, (step, _) in enumerate(steps):
        for number in FAULTS if LONG or verb.name in WHOLE else (FAULTS[at % len(FAULTS)],):
            where = f"{verb.name}: {step} (step {at} of {len(steps)}) fails with {errno.errorcode[number]}"
            disk = FaultyDisk(at, number)
            store = scene.store(disk)
            error = None
            try:
                verb.call(store, scene.target)
            except SessionStoreError as raised:
                error = raised
            assert disk.failed == [step], where
            after = contents(directory)
            assert descriptors() == open_before, where
            assert not [name for name in after if name.endswith(".tmp")], where
            judge(verb, disk, error, number, changed=after != scene.before, where=where)
            # Whatever happened, the next one works: nothing is locked or left in the way.
            if error is not None and error.written == "nothing":
                verb.call(scene.store(), scene.target)
            else:
                scene.store().add_user_message("next", "works")
            scene.reset()


def judge(
    verb: Verb, disk: FaultyDisk, error: SessionStoreError | None, number: int, *, changed: bool, where: str
) -> None:
    """Check that the outcome is the one that is promised."""
    (step,) = disk.failed
    done = {name for name, _ in disk.steps[: disk.at]} & {"replace", "unlink"}
    if not verb.writes:
        assert not changed, where
        of_a_child = verb.name in ("get_children", "get_session_tree") and "trip" not in disk.steps[disk.at][1]
        if verb.per_session and error is None and not of_a_child:  # such a child is shown as unreadable
            assert (step, number) == ("lock", errno.EACCES), where  # read without a lock
        if error is not None:
            assert type(error) is ReadFailed, where
            assert isinstance(error.__cause__, OSError), where
        return
    if error is None:
        # A read before the write went without a lock, or a directory above may not be opened, so it is nobody's of us.
        assert (step, number) in (("sync_directory", errno.EACCES), ("lock", errno.EACCES)), where
        assert changed, where
    elif type(error) is OutcomeUnknown:
        assert step in ("sync_directory", "release"), where
        assert done or step == "release", where
        assert error.written == "unknown", where
    else:
        assert type(error) in (WriteFailed, ReadFailed), where
        assert error.written == "nothing", where
        assert not changed, where
        assert isinstance(error.__cause__, OSError), where
        assert error.__cause__.errno == number, where


@pytest.mark.parametrize(("kind", "verb"), each_verb(writes=True))
def test_a_fault_that_stays_leaves_the_old_state(kind: Kind, verb: Verb, directory: Path) -> None:
    """From each step on nothing works any more: sessions that stood are as they were, or the error says unknown."""
    scene = Scene(kind, directory, verb)
    steps = steps_of(scene, verb)
    open_before = descriptors()
    for at, number in itertools.product(range(len(steps)), FAULTS):
        if not LONG and (verb.name not in WHOLE or at > 12) and FAULTS[at % len(FAULTS)] != number:
            continue
        where = f"{verb.name}: from {steps[at][0]} (step {at}) on"
        error = None
        try:
            verb.call(scene.store(FaultyDisk(at, number, stays=True)), scene.target)
        except SessionStoreError as raised:
            error = raised
        assert descriptors() == open_before, where
        after = contents(directory)
        if error is None:
            assert number == errno.EACCES, where
        elif error.written == "nothing":
            assert {name: raw for name, raw in after.items() if not name.endswith(".tmp")} == scene.before, where
        healthy = scene.store()
        healthy.add_user_message("next", "works")
        if not (verb.name == "delete_session" and not healthy.session_exists("trip")):
            healthy.add_user_message("trip", "works")
        litter = [name for name in contents(directory) if name.endswith(".tmp")]
        # Only a session that nobody writes to any more can keep its litter.
        assert all(name.startswith(("fresh-", "new")) for name in litter), where
        scene.reset()


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
            assert (verbs[at], number) == ("sync_directory", errno.EACCES)
        else:
            assert type(error) in (WriteFailed, OutcomeUnknown)
            assert (contents(directory) == {}) == (error.written == "nothing")
        assert kind(directory).add_user_message("trip", "b")


@pytest.mark.parametrize("number", FAULTS, ids=[errno.errorcode[number] for number in FAULTS])
def test_a_write_is_finished_in_pieces(
    kind: Kind, directory: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may write less than it was given: the rest is written too; if that fails, the old state stands."""
    store = kind(directory)
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:7]))
    store.add_user_message("trip", "x" * 500)
    assert store.get_chat_history("trip") == [{"role": "user", "content": "x" * 500}]
    calls = itertools.count()

    def fails_later(descriptor: int, data: Any) -> int:
        if next(calls) == 5:
            raise OSError(number, os.strerror(number))
        return real(descriptor, bytes(data)[:7])

    before = contents(directory)
    monkeypatch.setattr(os, "write", fails_later)
    with pytest.raises(WriteFailed) as caught:
        store.add_user_message("trip", "y")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == number
    assert contents(directory) == before


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
    scene = Scene(
        HierarchicalSessionStore, directory, next(verb for _, verb in _pairs() if verb.name == "fork_session")
    )
    disk = WatchedDisk()
    scene.store(disk).fork_session("trip")  # type: ignore[attr-defined]
    scene.reset()
    second = [number for number, (verb, _) in enumerate(disk.steps) if verb == "replace"][1]
    with pytest.raises(WriteFailed):
        scene.store(FaultyDisk(second, errno.EIO)).fork_session("trip")  # type: ignore[attr-defined]
    assert contents(directory) == scene.before
    told: list[SessionStoreError] = []
    store = HierarchicalSessionStore(
        directory, disk=FaultyDisk(second, errno.EIO, stays=True), new_id=lambda: "lost", on_error=told.append
    )
    with pytest.raises(OutcomeUnknown, match="does not list it") as caught:
        store.fork_session("trip")
    assert caught.value.session_id == "lost"
    assert told[-1] is caught.value
    assert "lost.json" in contents(directory)


def _pairs() -> list[tuple[Kind, Verb]]:
    return [(param.values[0], param.values[1]) for param in each_verb()]


# A disk that is really full, and descriptors that are really used up


def test_a_full_disk_keeps_the_old_state(kind: Kind, directory: Path) -> None:
    """When the system lets no file grow any more the write fails by name, and what was written before is read."""
    directory.mkdir()
    told, small = run_child("full", directory, kind.__name__)
    assert told == {
        **{"error": "WriteFailed", "errno": errno.EFBIG, "written": "nothing", "kept": True, "open": True},
        **{"count": told["count"], "read": told["count"]},
    }
    assert told["count"] > 10
    assert small == 1


def test_used_up_descriptors_are_an_error_by_name(kind: Kind, directory: Path) -> None:
    """Without a free descriptor reads and writes fail by name; with enough of them they work again."""
    results, kept, names = run_child("exhausted", directory, kind.__name__)
    assert set(map(str, results[::2])) == {"WriteFailed", "True"}
    assert "ReadFailed" in results
    assert results[:2] == ["WriteFailed", "ReadFailed"]
    assert kept == ["before", *["more"] * results[::2].count(True)]
    assert names == ["trip.json", "trip.json.lock"]


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


# Killed writers


@pytest.mark.parametrize("verb", ["read", "create", "write", "fsync", "close", "replace", "sync_directory"])
def test_a_killed_writer_leaves_the_old_or_the_new_state(kind: Kind, directory: Path, verb: str) -> None:
    """Killed before any step, a writer leaves a whole session, no lock, and litter that the next writer removes."""
    store = kind(directory)
    store.add_user_message("trip", "a")
    store.add_user_message("other", "warm")
    with Child("die_before", verb, directory, "trip") as child:
        child.says("there")
        if verb == "sync_directory" and len(store.list_sessions()) == 2:
            # The names of the directories above are flushed first, by the first write of a process.
            while b"never" not in (directory / "trip.json").read_bytes():
                child.tell()
                child.says("there")
        child.kill(signal.SIGKILL)
        child.process.wait()
    litter = directory / "trip.json.tmp"
    assert litter.exists() == (verb in ("write", "fsync", "close", "replace"))
    messages = [message["content"] for message in store.get_chat_history("trip")]
    assert messages == (["a", "never" * 1000] if verb == "sync_directory" else ["a"])
    assert [one["status"] for one in store.list_sessions()] == ["ok", "ok"]
    store.add_user_message("trip", "b")
    assert not litter.exists()
    assert [message["content"] for message in store.get_chat_history("trip")] == [*messages, "b"]


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


WRITE = ["lock", "read", "exists", "create", "write", "fsync", "close", "still_stands", "replace", "sync_directory"]


def test_a_change_is_these_steps_in_this_order(kind: Kind, directory: Path) -> None:
    """The steps of a write, a read and a delete, with the flushes that make them outlive a loss of power."""
    kind(directory).add_user_message("trip", "a")
    disk = WatchedDisk()
    store = kind(directory, disk=disk)
    store.add_user_message("trip", "b")
    disk.steps.clear()
    store.add_user_message("trip", "c")
    assert disk.steps[0][0] == "make_directory"
    assert [verb for verb, _ in disk.steps[1:]] == [*WRITE, "release"]
    assert dict(disk.steps)["fsync"] == "trip.json.tmp"
    assert dict(disk.steps)["sync_directory"] == directory.name
    disk.steps.clear()
    store.get_session("trip")
    assert [verb for verb, _ in disk.steps] == ["exists", "lock", "read", "release"]
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
    assert {step for step, _ in disk.steps} <= {"exists", "lock", "release", "read", "names"}
    assert contents(directory, locks=True) == before
    assert isinstance(DefaultSessionStore(directory), DefaultSessionStore)
