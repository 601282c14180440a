"""Runs everything there is over files, and audits it: ``python -m tests.proofs.seam.child <folder> [<stray>]``.

It prints what was heard as JSON. A stray is a store of `STRAYS` that goes past the seam.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

from readfresh import (
    BotSessionManager,
    DbSessionAdapter,
    DefaultSessionStore,
    HierarchicalSessionStore,
    LocalManagedAgent,
    LockTimeout,
    SessionStoreError,
    get_default_session_store,
    get_hierarchical_session_store,
    rescue,
    verify,
)
from readfresh.disk import Disk, system_disk
from readfresh.files import SessionFiles
from readfresh.move import move
from tests.proofs.seam.audit import Audit, install
from tests.store.support import Kind, filled, verbs_of

Work = Callable[[Path], object]


def everything() -> Iterator[tuple[str, Work]]:
    """Yield all that is run, by name: every verb of both stores, and what sits on them; each in a folder of its own."""
    for kind in (DefaultSessionStore, HierarchicalSessionStore):
        for verb in verbs_of(cast("Kind", kind)):

            def run(folder: Path, kind: Any = kind, verb: Any = verb) -> None:
                store = filled(kind, folder / "a" / "b")  # directories that have to be made
                with suppress(SessionStoreError):  # of a verb that is refused where the session exists, or does not
                    verb.call(store, "trip")
                with suppress(SessionStoreError):
                    verb.call(store, "nobody")

            yield f"{kind.__name__}.{verb.name}", run
    yield from (
        ("rescue", _rescue),
        ("verify", _verify),
        ("BotSessionManager", _bot),
        ("LocalManagedAgent", _agent),
        ("move", _move),
        ("a SQLite file that is replaced", _replaced),
        ("a lock that is waited for", _wait),
        ("get_default_session_store", lambda _: get_default_session_store().add_user_message("trip", "x")),
        ("get_hierarchical_session_store", lambda _: get_hierarchical_session_store().create_session("tree")),
    )


def _rescue(folder: Path) -> None:
    store = filled(DefaultSessionStore, folder)
    (folder / "trip.json").write_bytes((folder / "trip.json").read_bytes()[:-20])
    rescue(store, "trip", "rescued")
    store.delete_session("trip")


def _verify(folder: Path) -> None:
    store = filled(HierarchicalSessionStore, folder)
    (folder / "damaged.json").write_text("{", encoding="utf-8")
    (folder / "litter.json.tmp").write_text("{", encoding="utf-8")
    verify(store)


async def _answer(messages: list[dict[str, Any]]) -> AsyncIterator[str]:
    yield str(len(messages))
    yield " messages"


def _bot(folder: Path) -> None:
    async def speak() -> None:
        bot = BotSessionManager(DefaultSessionStore(folder), platform="chat")
        await bot.chat(_answer, "ann", "Where to?")
        await bot.chat(_answer, "ann", "And then?")
        await bot.reset("ann")

    asyncio.run(speak())


def _agent(folder: Path) -> None:
    async def speak() -> None:
        agent = LocalManagedAgent(_answer, DefaultSessionStore(folder), "trip")
        await agent.execute("Where to?")
        async for _piece in agent.stream("And then?"):
            break
        await agent.save_state(compute_instance_id="one", compute_provider="here")
        again = LocalManagedAgent(_answer, DefaultSessionStore(folder), "trip")
        again.resume_session("trip")
        await again.usage()
        await again.shutdown(lambda _instance: None)

    asyncio.run(speak())


def _move(folder: Path) -> None:
    filled(HierarchicalSessionStore, folder / "sessions")
    url = f"sqlite:///{folder / 'chats.db'}"
    DbSessionAdapter(url).create_schema()
    move(folder / "sessions", url)


def _replaced(folder: Path) -> None:
    path, other = folder / "chats.db", folder / "other.db"
    stores = [DbSessionAdapter(f"sqlite:///{each}") for each in (path, other)]
    for store in stores:
        store.create_schema()
        store.add_user_message("trip", "Where to?")
    stores[1].close()
    other.replace(path)
    stores[0].add_user_message("trip", "And when?")


def _wait(folder: Path) -> None:
    """Give up waiting for a lock that another holds; then take over what still waits for it."""
    store = filled(DefaultSessionStore, folder)
    with (folder / "trip.json.lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with suppress(LockTimeout):
            DefaultSessionStore(folder, lock_timeout=0.01).add_user_message("trip", "x")
    store.add_user_message("trip", "x")


def _past(verb: str, touch: Callable[[str], object]) -> None:
    real = getattr(SessionFiles, verb)

    def strays(self: SessionFiles[Any], session_id: str, *arguments: Any, **named: Any) -> Any:
        touch(self.path(session_id))
        return real(self, session_id, *arguments, **named)

    setattr(SessionFiles, verb, strays)


def _beside(path: str) -> str:
    return os.path.join(os.path.dirname(path), "beside")


STRAYS: dict[str, Callable[[], None]] = {
    "opens": lambda: _past("read", lambda path: Path(_beside(path)).write_bytes(b"x")),
    "looks": lambda: _past("exists", os.path.exists),
    "lists": lambda: _past("delete", lambda path: os.listdir(os.path.dirname(path))),
    "stamps-under-the-lock": lambda: _past("_replace", lambda path: os.utime(os.path.dirname(path))),
    "uses-the-seam-unseen": lambda: _past("read", partial(Disk.exists, system_disk())),
}
"""Stores that touch files by themselves, each in one place."""


def main(folder: Path, stray: str = "") -> None:
    """Run everything, and print what was heard."""
    os.environ["READFRESH_SESSION_DIR"] = str(folder / "default")
    if stray:
        STRAYS[stray]()
    audit = Audit(folder)
    install(audit)
    run, refused = [], []
    for name, work in everything():
        place = folder / name
        place.mkdir()
        run.append(name)
        try:
            work(place)
        except SessionStoreError as error:
            refused.append(f"{name} raises {type(error).__name__}")
    said = {
        "run": run,
        "refused": refused,
        "operations": sum(audit.verbs.values()),
        "contacts": dict(audit.contacts),
        "verbs of the seam": sorted(audit.verbs),
        "waits": audit.waits,
        "unheard": sorted(audit.unheard),
        "past": audit.past[:20],
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
