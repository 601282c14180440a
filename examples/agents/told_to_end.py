"""A worker gets SIGTERM in the middle of an answer, and cancels its turn."""

import asyncio
import signal
from collections.abc import AsyncIterator

from readfresh import DefaultSessionStore, LocalManagedAgent, turns_of


async def interrupted(_messages: object) -> AsyncIterator[str]:
    """Give one piece, get the signal, and wait for ever."""
    yield "one "
    signal.raise_signal(signal.SIGTERM)  # as `kill` and service managers do
    await asyncio.Event().wait()


async def main(agent: LocalManagedAgent) -> None:
    """Answer, until the process is told to end."""
    turn = asyncio.create_task(agent.execute("Count!"))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, turn.cancel)
    try:
        await turn
    except asyncio.CancelledError:
        print("told to end")


store = DefaultSessionStore("chats")
asyncio.run(main(LocalManagedAgent(interrupted, store, "trip")))
[turn] = turns_of(store.get_session("trip"))
print(f"{turn.status}: {turn.prompt} -> {turn.answer!r}")
