"""Ask for a session that another thread holds, beside the loop and in it."""

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


def ask() -> str:
    """Ask for the session, and wait as long as the store does."""
    try:
        store.get_session("trip")
    except LockTimeout as error:
        return error.cause
    return "read"


async def ask_in_a_thread() -> str:
    """Ask in another thread than the loop's."""
    return await asyncio.to_thread(ask)


async def ask_in_the_loop() -> str:
    """Ask in the thread of the loop, which does nothing else meanwhile."""
    return ask()


async def beside(way: Callable[[], Awaitable[str]]) -> list[str]:
    """Ask in this way beside another request, and return what ended when."""
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
    for way in (ask_in_a_thread, ask_in_the_loop):
        print(f"{way.__name__}:")
        for number, what in enumerate(asyncio.run(beside(way)), 1):
            print(f"  {number}. {what}")
finally:
    let_go.set()
    holder.join()
