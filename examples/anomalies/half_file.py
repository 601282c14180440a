"""Half file: worker A is killed half-way through a write."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

OLD = '["Where shall we go?"]'
NEW = '["Where shall we go?", "Porto it is."]'


def in_place(text: str) -> Iterator[None]:
    """Write over the file; the system takes the text in two parts."""
    with open("trip.json", "w") as file:
        file.write(text[:29])
        file.flush()
        yield  # half-way
        file.write(text[29:])


def rename(text: str) -> Iterator[None]:
    """Write beside the file, then rename."""
    Path("trip.json.tmp").write_text(text)
    yield  # half-way
    os.replace("trip.json.tmp", "trip.json")


def lock() -> None:
    """Take the lock, which the end of the process frees; raise when somebody
    holds it.
    """
    descriptor = os.open("trip.json.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def play(
    design: str,
    write: Callable[[str], Iterator[None]],
    *,
    locked: bool = False,
) -> None:
    """Kill worker A half-way; then start worker B, which reads."""
    Path("trip.json").write_text(OLD)
    for worker in (worker_a, worker_b):
        process = os.fork()
        if process == 0:
            if locked:
                lock()
            worker(design, write)
        os.waitpid(process, 0)


def worker_a(_design: str, write: Callable[[str], Iterator[None]]) -> None:
    """Write as far as half-way, and die."""
    writing = write(NEW)
    next(writing)
    os.kill(os.getpid(), signal.SIGKILL)


def worker_b(design: str, _write: Callable[[str], Iterator[None]]) -> None:
    """Read what there is."""
    seen = Path("trip.json").read_text()
    half = "no" if seen in (OLD, NEW) else "possible"
    print(f"{design}: {half}. worker B reads {seen}", flush=True)
    os._exit(0)


play("write in place", in_place)
play("… and writers lock", in_place, locked=True)
play("… and readers lock too", in_place, locked=True)
play("rename, no lock", rename)
play("rename and lock", rename, locked=True)
