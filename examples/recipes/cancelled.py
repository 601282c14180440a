"""Cancel a task whose write is under way."""

import asyncio
import threading

from readfresh import DefaultSessionStore, SessionData, SessionMessage

store = DefaultSessionStore("chats")
begun, go_on = threading.Event(), threading.Event()


def add(session: SessionData) -> SessionData:
    """Add a message, when the task has been cancelled."""
    begun.set()
    go_on.wait()
    return session.with_message(SessionMessage("user", "Where to?"))


async def main() -> None:
    """Begin a write, cancel its task, and let the write go on."""
    write = asyncio.create_task(asyncio.to_thread(store.update, "trip", add))
    await asyncio.to_thread(begun.wait)
    write.cancel()
    try:
        await write
    except asyncio.CancelledError:
        print("cancelled")
    finally:
        go_on.set()


asyncio.run(main())  # which waits for its threads
print(len(store.get_chat_history("trip")), "message")
