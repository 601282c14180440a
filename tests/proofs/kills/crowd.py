"""Victims that are not alone: they wait for another process, or have threads that wait for them."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionStoreError, disk
from tests.proofs.kills.judge import Wrong, judge, left_in, whole
from tests.proofs.kills.scene import NOW, SESSION, Scene
from tests.proofs.kills.victim import (
    PATIENCE_SECONDS,
    RETURNED,
    SIGKILLED,
    KillingDisk,
    Moment,
    die,
    in_victim,
    moments,
)
from tests.proofs.rung import Finding, Ran
from tests.store.support import Kind, Store, Verb, WatchedDisk, verbs_of

KINDS: tuple[Kind, ...] = (DefaultSessionStore, HierarchicalSessionStore)
WAITING = ("get_session", "add_message", "delete_session", "fork_session")
HOLDING = ("add_message", "clear_session", "delete_session", "create_snapshot")


def kill_waiting(folder: Path) -> Ran:
    """Kill processes that wait for a lock which another process holds.

    The holder's change is made all the same, theirs is not, and the next writer does not wait.
    """
    counts: Counter[str] = Counter()
    for kind in KINDS:
        scene = Scene(kind, folder / kind.__name__)
        for call in (verb for verb in verbs_of(kind) if verb.name in WAITING):
            for how, wait in WAITS.items():
                directory = scene.put("there", folder / f"{kind.__name__}-{call.name}-{wait.__name__}")
                counts["kills of a process that waits"] += 1
                try:
                    _kill_waiting(scene, call, directory, wait)
                except (Wrong, SessionStoreError) as wrong:
                    case = f"{kind.__name__}.{call.name}, killed when it {how}"
                    return Ran(counts, Finding(f"waiting-is-bounded: {wrong}", (case,)))
    return Ran(counts)


def _at_the_next_flock(before: int) -> None:
    tried = 0

    def count(event: str, _arguments: object) -> None:
        nonlocal tried
        if event == "fcntl.flock":
            tried += 1
            if tried > before:
                die()

    sys.addaudithook(count)


def _about_to_wait() -> None:
    _at_the_next_flock(1)


def _waiting_in_flock() -> None:
    def watch() -> None:
        waits = re.compile(rf"-> FLOCK +\w+ +\w+ +{os.getpid()} ")
        while not waits.search(Path("/proc/locks").read_text(encoding="ascii")):
            pass
        die()

    threading.Thread(target=watch, daemon=True).start()


def _asking_again() -> None:
    vars(disk)["IS_POSSIBLE"] = False
    _at_the_next_flock(2)


WAITS: Mapping[str, Callable[[], None]] = {
    "was about to wait": _about_to_wait,
    "waited in flock(2)": _waiting_in_flock,
    "had asked twice, where it cannot wait": _asking_again,
}


def _kill_waiting(scene: Scene, call: Verb, directory: Path, dies: Callable[[], None]) -> None:
    waiting = scene.kind(directory, lock_timeout=2 * PATIENCE_SECONDS)

    def wait() -> None:
        dies()
        call.call(waiting, SESSION)

    with _holder(scene.store(directory)):
        if (status := in_victim(wait)) != SIGKILLED:
            raise Wrong(f"{call.name} ended with {status} while another process held the lock")
    session = scene.store(directory).get_session(SESSION)
    if not session.metadata.get("held") or len(session.messages) != 2:
        raise Wrong(f"the holder's change, and no other, is to be there, and there is {session}")
    scene.store(directory).add_user_message(SESSION, "next")
    if len(scene.store(directory).get_chat_history(SESSION)) != 3 or left_in(directory)[1]:
        raise Wrong(f"the next writer finds {left_in(directory)}")


@contextmanager
def _holder(store: Store) -> Iterator[None]:
    """Let another process hold the session's lock, and make its change at the end of the block."""
    said, says = os.pipe()
    hears, tells = os.pipe()

    def change(session: Any) -> Any:
        os.write(says, b"x")
        os.read(hears, 1)
        return session.with_metadata({"held": True})

    holder = os.fork()
    if holder == 0:
        try:
            os.close(tells)  # else the end of the parent would not be the end of what this one hears
            store.update(SESSION, change)
        finally:
            os._exit(0)
    for mine in (says, hears):
        os.close(mine)
    try:
        os.read(said, 1)
        yield
    finally:
        for mine in (tells, said):
            os.close(mine)
        os.waitpid(holder, 0)


class CrowdedDisk(KillingDisk):
    """A disk that lets two other threads of its process go to work when it has the lock for the first time.

    One waits for the same session, the other changes another session and has returned before this one goes on.
    """

    def __init__(self, root: Path, moment: Moment | None, store: Any) -> None:
        super().__init__(root, moment)
        self._store = store
        self._crowded = False

    def after(self, verb: str, path: str) -> None:
        """Let the others come."""
        if verb == "lock" and not self._crowded:
            self._crowded = True
            waits = threading.Event()
            waiter = self._store(_Telling(waits))
            threading.Thread(target=waiter.add_user_message, args=(SESSION, "never"), daemon=True).start()
            other = threading.Thread(target=self._store(None).add_user_message, args=("other", "acknowledged too"))
            other.start()
            other.join(PATIENCE_SECONDS)
            waits.wait(PATIENCE_SECONDS)
        super().after(verb, path)


class _Telling(WatchedDisk):
    """A disk that tells when it is about to take a lock."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    def before(self, verb: str, path: str) -> None:
        """Tell."""
        super().before(verb, path)
        if verb == "lock":
            self._event.set()


def kill_crowded(folder: Path) -> Ran:
    """Kill processes of several threads, of which one holds a lock, and another waits for it."""
    counts: Counter[str] = Counter()
    for kind in KINDS:
        scene = Scene(kind, folder / kind.__name__)
        for call in (verb for verb in verbs_of(kind) if verb.name in HOLDING):
            place = folder / f"{kind.__name__}-{call.name}"
            directory = scene.put("there", place / "whole")
            scene.store(directory).add_user_message("other", "acknowledged too")
            disk = KillingDisk(place / "whole")
            try:
                done = whole(call, scene.store(directory, "power", disk), directory, disk.steps)
                verbs = [verb for verb, _ in done.steps]
                for at, moment in enumerate(moments(done.steps)):
                    if verbs.index("lock") < moment.step < verbs.index("release") and moment.when != RETURNED:
                        counts["kills of a process with threads"] += 1
                        root = place / str(at)
                        _kill_crowded(scene, call, scene.put("there", root), root, moment)
                        judge(scene, done, root / "sessions")
            except Wrong as wrong:
                return Ran(counts, Finding(str(wrong), (f"{kind.__name__}.{call.name}, beside two other threads",)))
    return Ran(counts)


def _kill_crowded(scene: Scene, call: Verb, directory: Path, root: Path, moment: Moment) -> None:
    def store(disk: Any) -> Store:
        return scene.kind(directory, lock_timeout=PATIENCE_SECONDS, disk=disk, now=lambda: NOW)

    def act() -> None:
        disk = CrowdedDisk(root, moment, store)
        call.call(scene.store(directory, "power", disk), SESSION)

    if (status := in_victim(act)) != SIGKILLED:
        raise Wrong(f"the process ended with {status}, and did not come to the moment at which it was to be killed")
