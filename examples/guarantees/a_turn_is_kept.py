"""A turn of an agent or a bot is kept, executed or streamed, also when the
consumer of the stream stops early, the model fails half-way, or a second
worker answers the same user.
"""

import asyncio
from collections.abc import AsyncIterator

from readfresh import (
    BotSessionManager,
    DefaultSessionStore,
    LocalManagedAgent,
    turns_of,
)

Messages = list[dict[str, str]]

store = DefaultSessionStore("chats")


async def two_workers_answer_one_user() -> None:
    """Let the second worker begin and end while the first one thinks."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(messages: Messages) -> str:
        asked.set()
        await go.wait()
        return f"I was given {len(messages)} message."

    def quick(messages: Messages) -> str:
        return f"I was given {len(messages)} messages."

    first = BotSessionManager(store, platform="web")
    second = BotSessionManager(DefaultSessionStore("chats"), platform="web")
    thinking = asyncio.create_task(first.chat(slow, "ada", "Where to?"))
    await asked.wait()
    await second.chat(quick, "ada", "And when?")
    go.set()
    await thinking


async def counting(messages: Messages) -> AsyncIterator[str]:
    """Answer in four pieces, or fail in the middle."""
    for piece in ("one, ", "two, ", "three, ", "four"):
        if piece == "three, " and messages[-1]["content"] == "Fail!":
            raise ConnectionError("the model hung up")
        yield piece


async def streams_that_end_early() -> None:
    """Leave one stream after a piece, and let the model of another fail."""
    agent = LocalManagedAgent(counting, store, "count")
    stream = agent.stream("Count!")
    async for _piece in stream:
        break
    await stream.aclose()
    try:
        await agent.execute("Fail!")
    except ConnectionError as error:
        print(f"the caller is told: {error}")
    await agent.execute("Again!")


asyncio.run(two_workers_answer_one_user())
asyncio.run(streams_that_end_early())
for session_id in ("bot_web_ada", "count"):
    print(f"{session_id}:")
    for turn in turns_of(store.get_session(session_id)):
        print(f"  {turn.prompt} {turn.answer!r} ({turn.status})")
