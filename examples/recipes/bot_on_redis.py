"""A bot on the complete store, stopped in the middle of an answer."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

from readfresh import BotSessionManager

from redis_store import RedisStore

store = RedisStore(os.environ["REDIS_URL"])
bot = BotSessionManager(store, platform="telegram")
print(bot)


async def breaks(_messages: list[dict[str, Any]]) -> AsyncIterator[str]:
    """Answer, and fail half-way."""
    yield "Porto, by "
    raise ConnectionError("the model is gone")


try:
    asyncio.run(bot.chat(breaks, "ada", "Where shall we go?"))
except ConnectionError as error:
    print(error)

for message in store.get_session(bot.session_id("ada")).messages:
    end = message.metadata.get("end")
    print(f"{message.role}: {message.content!r} ({end})")
store.delete_session(bot.session_id("ada"))
store.close()
