"""Locks: misuse fails at once, waits are bounded, the dead block nobody, and nothing odd at a path hangs a call."""

import copy
import errno
import fcntl
import inspect
import multiprocessing
import os
import pickle
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import readfresh
from readfresh import (
    DefaultSessionStore,
    LockTimeout,
    OutcomeUnknown,
    ReadFailed,
    SessionDamaged,
    SessionStoreError,
    StoreMisused,
    WriteFailed,
    errors,
)
from readfresh.disk import Disk, HeldLock
from tests.store import children
from tests.store.support import (
    PATIENCE_SECONDS,
    Child,
    Kind,
    Store,
    Verb,
    WatchedDisk,
    contents,
    descriptors,
    each_verb,
    files_of,
    filled,
    held,
    run_child,
)

# A store that waits gives up after this; a call that took less than the half of it has waited for nothing.
LONG_WAIT_SECONDS = 60

# A store inside `change`


@pytest.mark.parametrize(("kind", "verb"), each_verb())
def test_a_store_inside_change_is_refused_at_once(kind: Kind, verb: Verb, directory: Path) -> None:
    """No verb of any store may be called inside `change`; it raises before it waits, and nothing is written."""
    if verb.name == "invalidate_cache":
        return  # it reads and waits for nothing
    store = filled(kind, directory, lock_timeout=LONG_WAIT_SECONDS)
    elsewhere = kind(directory / "elsewhere", lock_timeout=LONG_WAIT_SECONDS)
    DefaultSessionStore(directory).add_user_message("other", "a")
    before = contents(directory)
    for inner, session_id in ((store, "trip"), (store, "other"), (elsewhere, "trip")):
        started = time.monotonic()

        def change(session: Any, inner: Store = inner, session_id: str = session_id) -> Any:
            if verb.name == "auto_title":  # would go on in a thread of its own, which waits
                inner.get_session(session_id)
            verb.call(inner, session_id)
            return session.with_metadata({"k": 1})

        with pytest.raises(StoreMisused, match="inside `change`"):
            store.update("trip", change)
        assert time.monotonic() - started < LONG_WAIT_SECONDS / 2
        assert contents(directory) == before
    assert store.add_user_message("trip", "the lock is free")


def test_misuse_that_change_swallows_does_no_harm(store: Store) -> None:
    """A `change` that catches the error goes on, and its own result is kept."""

    def change(session: Any) -> Any:
        with pytest.raises(StoreMisused):
            store.add_user_message("trip", "lost")
        with pytest.raises(StoreMisused):
            store.list_sessions()
        return session.with_metadata({"k": 1})

    assert store.update("trip", change) is True
    assert store.get_session("trip").metadata == {"k": 1}
    assert store.get_chat_history("trip") == []


# Waiting


def elapsed(action: Callable[[], Any]) -> tuple[float, BaseException | None]:
    """Return how long an action took, and what it raised; one that goes on for ever is left to itself."""
    raised: list[Exception] = []

    def act() -> None:
        try:
            action()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=act, daemon=True)
    started = time.monotonic()
    thread.start()
    thread.join(PATIENCE_SECONDS)
    return time.monotonic() - started, raised[0] if raised else None


@pytest.mark.parametrize("timeout", [0.0, 0.15])
def test_waiting_for_a_thread_is_bounded(kind: Kind, directory: Path, timeout: float) -> None:
    """A read or write waits for another thread at most its timeout, says so, and has changed nothing."""
    holder, waiter = kind(directory), kind(directory, lock_timeout=timeout)
    holder.add_user_message("trip", "a")
    actions: list[Callable[[], Any]] = [
        lambda: waiter.get_session("trip"),
        lambda: waiter.add_user_message("trip", "b"),
        lambda: waiter.delete_session("trip"),
    ]
    with held(holder, "trip"):
        before = contents(directory)
        for action in actions:
            seconds, error = elapsed(action)
            assert isinstance(error, LockTimeout)
            assert (error.session_id, error.path, error.written) == ("trip", str(directory / "trip.json"), "nothing")
            assert timeout <= seconds < LONG_WAIT_SECONDS / 2
        assert waiter.session_exists("trip")
        assert waiter.list_sessions()[0]["message_count"] == 1
        assert waiter.add_user_message("other", "is free")
        (directory / "other.json").unlink()
    assert contents(directory) == before
    assert waiter.add_user_message("trip", "b")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGCONT])
def test_waiting_for_a_process_is_bounded(kind: Kind, directory: Path, number: signal.Signals) -> None:
    """A process that holds the lock, stopped or running, costs a waiter its timeout and no more."""
    store = kind(directory, lock_timeout=0.15)
    store.add_user_message("trip", "a")
    with Child("hold", directory, "trip") as child:
        child.says("held")
        child.kill(number)
        before = contents(directory)
        actions: list[Callable[[], Any]] = [
            lambda: kind(directory, lock_timeout=0.15).get_session("trip"),
            lambda: store.add_user_message("trip", "b"),
        ]
        for action in actions:
            seconds, error = elapsed(action)
            assert isinstance(error, LockTimeout)
            assert 0.15 <= seconds < LONG_WAIT_SECONDS / 2
        assert contents(directory) == before
        child.kill(signal.SIGCONT)
        child.tell()
        child.says("True")
    assert store.get_session("trip").metadata == {"held": True}


@pytest.mark.parametrize("stopped", [False, True])
def test_the_death_of_a_holder_frees_the_lock(kind: Kind, directory: Path, stopped: bool) -> None:
    """A holder that is killed, stopped before or not, blocks nobody."""
    store = kind(directory, lock_timeout=LONG_WAIT_SECONDS)
    store.add_user_message("trip", "a")
    with Child("hold", directory, "trip") as child:
        child.says("held")
        if stopped:
            child.kill(signal.SIGSTOP)
        child.kill(signal.SIGKILL)
        seconds, error = elapsed(lambda: store.add_user_message("trip", "b"))
    assert error is None
    assert seconds < LONG_WAIT_SECONDS / 2
    assert [message["content"] for message in store.get_chat_history("trip")] == ["a", "b"]


@pytest.mark.parametrize("verb", ["add_user_message", "get_chat_history"])
def test_a_lock_that_the_system_does_not_unlock_is_let_go(
    kind: Kind, directory: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When flock(2) refuses to unlock, the error says so, and whoever has it in hand can call the store again.

    filelock keeps the descriptor of such a lock for as long as somebody keeps the error.
    """
    store = kind(directory, lock_timeout=0)
    store.add_user_message("trip", "a")
    store.invalidate_cache()
    before = descriptors()
    real = fcntl.flock

    def locks_only(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN and "trip" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", locks_only)
    with pytest.raises(SessionStoreError, match="its lock cannot be released") as caught:
        getattr(store, verb)("trip", *["b"] if verb == "add_user_message" else [])
    assert type(caught.value) is (OutcomeUnknown if verb == "add_user_message" else ReadFailed)
    assert descriptors() == before
    monkeypatch.undo()
    assert kind(directory, lock_timeout=0).add_user_message("trip", "c")


def test_a_waiting_writer_goes_on_when_the_holder_lets_go(kind: Kind, directory: Path) -> None:
    """A writer that waits in another thread writes on top of what the holder wrote."""
    refused = threading.Event()

    class Asking(Disk):
        @contextmanager
        def lock(self, path: str, timeout_seconds: float) -> Iterator[HeldLock]:
            """Be refused the lock once, which shows that somebody holds it; then wait for it."""
            with pytest.raises(TimeoutError), super().lock(path, 0):
                pass
            refused.set()
            with super().lock(path, timeout_seconds) as lock:
                yield lock

    store = kind(directory)
    waiting = kind(directory, lock_timeout=LONG_WAIT_SECONDS, disk=Asking())
    write = threading.Thread(target=waiting.update_session_metadata, args=("trip",), kwargs={"second": 2}, daemon=True)
    with held(store, "trip", first=1):
        write.start()
        assert refused.wait(PATIENCE_SECONDS)
        assert write.is_alive()
    write.join(PATIENCE_SECONDS)
    assert store.get_session("trip").metadata == {"first": 1, "second": 2}


def test_directories_reached_by_two_paths_share_their_locks(kind: Kind, directory: Path) -> None:
    """A session that is reached through a link to its directory is the same session, with the same lock."""
    directory.mkdir()
    link = directory.with_name("link")
    link.symlink_to(directory)
    store, other = kind(directory), kind(link, lock_timeout=0.1)
    with held(store, "trip", first=1), pytest.raises(LockTimeout):
        other.add_user_message("trip", "b")
    other.add_user_message("trip", "b")
    assert store.get_session("trip").metadata == {"first": 1}


# Fork


def test_a_fork_while_another_thread_holds_the_lock(directory: Path) -> None:
    """The child waits for the parent's thread as for any process, works on other sessions, and hangs on nothing."""
    assert run_child("fork_while_another_thread_holds", directory) == [["LockTimeout", True], True, ["late"]]


def test_a_fork_inside_change(directory: Path) -> None:
    """The child cannot write and cannot call a store; the parent holds its lock all the while, and writes."""
    DefaultSessionStore(directory).add_user_message("trip", "a")
    assert run_child("fork_inside_change", directory) == [
        "StoreMisused",
        ["child", "StoreMisused"],
        "LockTimeout",
        ["parent", True, {"parent": 1}, True],
    ]


def test_a_child_that_outlives_the_holder_does_not_keep_the_lock(directory: Path) -> None:
    """A child that was forked inside `change` has no part in the lock: it is free when the holder is killed."""
    with Child("orphan", directory) as child:
        child.says("orphan")
        child.kill(signal.SIGKILL)
        child.process.wait()
        store = DefaultSessionStore(directory, lock_timeout=LONG_WAIT_SECONDS)
        seconds, error = elapsed(lambda: store.add_user_message("trip", "a"))
        assert error is None
        assert seconds < LONG_WAIT_SECONDS / 2


# The lock file


@pytest.mark.parametrize("verb", ["add_message", "delete_session"])
@pytest.mark.parametrize("again", [False, True])
def test_a_lock_file_deleted_under_its_holder_is_noticed(kind: Kind, directory: Path, verb: str, again: bool) -> None:
    """Whoever deletes lock files lets two workers in: the first one notices before it writes."""
    lock = directory / "trip.json.lock"

    class Deleting(WatchedDisk):
        def before(self, verb: str, path: str) -> None:
            """Delete the lock at the last moment, and let somebody else take a new one."""
            if verb == "still_stands":
                lock.unlink()
                if again:
                    lock.touch()
            super().before(verb, path)

    kind(directory).add_user_message("trip", "a")
    before = contents(directory)
    store = kind(directory, disk=Deleting())
    with pytest.raises(WriteFailed, match="lock file was deleted"):
        store.add_user_message("trip", "b") if verb == "add_message" else store.delete_session("trip")
    assert contents(directory) == before
    assert kind(directory).add_user_message("trip", "b")


def put(path: Path, what: str) -> None:
    """Put something that is no file at the path."""
    if what == "link":
        (path.parent.parent / "victim").write_text("mine")
        path.symlink_to(path.parent.parent / "victim")
    elif what == "dangling link":
        path.symlink_to(path.parent.parent / "nothing")
    elif what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        here = os.getcwd()
        os.chdir(path.parent)  # the path of a socket is short
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(path.name)
        finally:
            os.chdir(here)


@pytest.mark.parametrize("what", ["link", "dangling link", "directory", "socket", "pipe"])
def test_what_is_no_lock_file_is_named_or_serves(kind: Kind, directory: Path, what: str) -> None:
    """A link, directory or socket where the lock belongs is an error by name; a pipe can be locked, and is."""
    store = kind(directory, lock_timeout=1)
    store.add_user_message("trip", "a")
    lock = directory / "trip.json.lock"
    lock.unlink()
    put(lock, what)
    before = contents(directory, locks=True)
    if what == "pipe":
        assert store.add_user_message("trip", "b")
        assert len(store.get_chat_history("trip")) == 2
        return
    with pytest.raises(ReadFailed, match="lock cannot be taken"):
        kind(directory).get_session("trip")
    with pytest.raises(WriteFailed, match="lock cannot be taken"):
        store.add_user_message("trip", "b")
    with pytest.raises(WriteFailed, match="lock cannot be taken"):
        store.delete_session("trip")
    assert contents(directory, locks=True) == before
    assert not (directory.parent / "nothing").exists()
    if what == "link":
        assert (directory.parent / "victim").read_text() == "mine"


@pytest.mark.parametrize("what", ["link", "dangling link", "directory", "socket", "pipe"])
def test_what_stands_where_the_temporary_file_goes(kind: Kind, directory: Path, what: str) -> None:
    """A link, pipe or socket in the temporary file's place is litter; a directory is an error by name."""
    store = kind(directory)
    store.add_user_message("trip", "a")
    temporary = directory / "trip.json.tmp"
    put(temporary, what)
    if what == "directory":
        before = contents(directory)
        with pytest.raises(WriteFailed):
            store.add_user_message("trip", "b")
        assert contents(directory) == before
        return
    assert store.add_user_message("trip", "b")
    assert not temporary.exists()
    assert not temporary.is_symlink()
    if what == "link":
        assert (directory.parent / "victim").read_text() == "mine"


# Directories


def test_a_directory_that_vanishes(kind: Kind, directory: Path) -> None:
    """A directory that is deleted takes its sessions along; the next write makes it again."""
    store = kind(directory)
    store.add_user_message("trip", "a")
    shutil.rmtree(directory)
    assert store.get_chat_history("trip") == []
    assert store.list_sessions() == []
    assert store.clear_session("trip") is False
    assert not directory.exists()
    assert store.add_user_message("trip", "b")
    assert len(store.get_chat_history("trip")) == 1


STEPS = ("lock", "read", "exists", "create", "write", "fsync", "still_stands", "replace", "sync_directory")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("verb", ["read", "write"])
def test_a_directory_that_vanishes_in_the_middle(kind: Kind, directory: Path, step: str, verb: str) -> None:
    """Wherever the directory vanishes, the call ends in an error by name or goes on; what stands then is private."""

    class Vanishing(WatchedDisk):
        def before(self, verb: str, path: str) -> None:
            """Delete the whole directory before the step."""
            if verb == step:
                shutil.rmtree(directory, ignore_errors=True)
            super().before(verb, path)

    kind(directory).add_user_message("trip", "a")
    store = kind(directory, disk=Vanishing(), lock_timeout=0.5)
    with suppress(SessionStoreError):
        store.get_session("trip") if verb == "read" else store.add_user_message("trip", "b")
    if directory.exists():
        assert directory.stat().st_mode & 0o777 == 0o700
    assert kind(directory).add_user_message("trip", "c")


def test_a_file_where_the_directory_belongs(kind: Kind, tmp_path: Path) -> None:
    """A session directory that is a file is an error by name on every verb, never an empty session."""
    (tmp_path / "file").write_text("mine")
    store = kind(tmp_path / "file")
    reads: list[Callable[[], Any]] = [lambda: store.get_session("trip"), lambda: store.session_exists("trip")]
    for read in (*reads, store.list_sessions):
        with pytest.raises(ReadFailed):
            read()
    writes: list[Callable[[], Any]] = [lambda: store.add_user_message("trip", "a"), lambda: store.clear_session("trip")]
    for write in writes:
        with pytest.raises(WriteFailed):
            write()
    assert (tmp_path / "file").read_text() == "mine"


# Other processes


def test_a_store_can_be_sent_to_another_process(store: Store) -> None:
    """A store pickles with its settings, so that a worker process gets one of the same kind."""
    sent = pickle.loads(pickle.dumps(store))
    assert type(sent) is type(store)
    assert sent.session_dir == store.session_dir
    assert sent.add_user_message("trip", "a")
    assert copy.deepcopy(store).get_chat_history("trip") == store.get_chat_history("trip")


def test_workers_of_a_pool_share_a_session(store: Store) -> None:
    """Worker processes that are given the store each add their message; an error of theirs comes back whole."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(children.send, [store] * 6, ["trip"] * 6, map(str, range(6)))) == [True] * 6
        Path(store.session_dir, "bad.json").touch()
        with pytest.raises(SessionDamaged, match="it is empty") as caught:
            pool.submit(children.failing, store, "bad").result()
    assert caught.value.path == str(Path(store.session_dir, "bad.json"))
    assert sorted(message["content"] for message in store.get_chat_history("trip")) == list("012345")


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_survive_pickle_and_copies(name: str) -> None:
    """Every error carries all it knows to another process, and says it in its text."""
    kind = getattr(readfresh, name)
    error = kind("it broke", session_id="trip", path="/x/trip.json", next_step="Mend it.")
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert vars(twin) == vars(error)
        assert str(twin) == str(error)
    assert "trip" in str(error)
    assert "/x/trip.json" in str(error)
    assert "it broke" in str(error)
    assert str(error).endswith("Mend it.")
    assert ("unknown" in str(error)) == (error.written == "unknown")
    assert str(kind("it broke")).startswith("The session store: it broke. ")


def test_the_order_of_the_errors_is_the_order_in_which_they_occur() -> None:
    """The module lists the errors as the pages do, each a `SessionStoreError`."""
    members = (kind for _, kind in inspect.getmembers(errors, inspect.isclass))
    kinds = [kind for kind in members if issubclass(kind, SessionStoreError)]
    kinds.sort(key=lambda kind: inspect.getsourcelines(kind)[1])
    assert [kind.__name__ for kind in kinds] == [
        *("SessionStoreError", "StoreMisused", "SchemaMismatch", "LockTimeout", "SessionDamaged", "SessionTooNew"),
        *(
            "SessionMoved",
            "SessionMismatch",
            "SessionNotFound",
            "SessionExists",
            "ReadFailed",
            "WriteFailed",
            "OutcomeUnknown",
        ),
    ]
    assert [kind.__name__ for kind in kinds if kind.written == "unknown"] == ["OutcomeUnknown"]


# Many threads


def test_many_threads_on_one_store_object(kind: Kind, directory: Path) -> None:
    """One store object serves many threads: every message is kept, each thread's in order, and no lock is left over."""
    store = kind(directory, durability="process", lock_timeout=60)
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(10):
                store.add_message("trip", name, str(number))
                mine = [one for one in store.get_chat_history("trip") if one["role"] == name]
                assert [one["content"] for one in mine] == [str(each) for each in range(number + 1)]
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.get_chat_history("trip")) == 120
    assert isinstance(files_of(store).disk, Disk)
