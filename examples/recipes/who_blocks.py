"""Change a session that another thread holds, beside the loop and in it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

from readfresh import DefaultSessionStore, LockTimeout, SessionData

store = DefaultSessionStore("chats", lock_timeout=0.5)
store.add_user_message("trip", "Where to?")
held, let_go = threading.Event(), threading.Event()


def hold(session: SessionData) -> SessionData:
    """Keep the session's lock until it is let go."""
    held.set()
    let_go.wait()
    return session


def add() -> str:
    """Add a message, and wait as long as the store does."""
    try:
        store.add_assistant_message("trip", "Porto it is.")
    except LockTimeout as error:
        return error.cause
    return "added"


async def add_in_a_thread() -> str:
    """Add in another thread than the loop's."""
    return await asyncio.to_thread(add)


async def add_in_the_loop() -> str:
    """Add in the thread of the loop, which does nothing else meanwhile."""
    return add()


async def beside(way: Callable[[], Awaitable[str]]) -> list[str]:
    """Add in this way beside another request, and return what ended when."""
    ended = []

    async def first() -> None:
        ended.append(await way())

    async def second() -> None:
        ended.append("another request was answered")

    await asyncio.gather(first(), second())
    return ended


holder = threading.Thread(target=store.update, args=("trip", hold))
holder.start()
held.wait()
try:
    for way in (add_in_a_thread, add_in_the_loop):
        print(f"{way.__name__}:")
        for number, what in enumerate(asyncio.run(beside(way)), 1):
            print(f"  {number}. {what}")
finally:
    let_go.set()
    holder.join()
