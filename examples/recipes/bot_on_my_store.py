"""A bot says what a store of five methods does not keep of a turn."""

import asyncio
import logging
import os
import sys
from typing import Any

from my_store_fixed import MyStore
from readfresh import BotSessionManager

logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")


def echo(messages: list[dict[str, Any]]) -> str:
    """Answer without a model."""
    return f"You said: {messages[-1]['content']}"


store = MyStore(os.environ["REDIS_URL"])
bot = BotSessionManager(store, platform="telegram")
print(asyncio.run(bot.chat(echo, "ada", "Where shall we go?")))
print(store.get_chat_history(bot.session_id("ada")))
store.delete_session(bot.session_id("ada"))
