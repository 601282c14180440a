"""What runs in the other process of `TurnWorker`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from readfresh import BotSessionManager, LocalManagedAgent, Usage
from tests.agents.support import make_store


def model(messages: list[dict[str, Any]]) -> Iterator[str | Usage]:
    """Say what it was given, then give the pieces that it is told."""
    _say(given=messages)
    while "piece" in (order := json.loads(sys.stdin.readline())):
        yield order["piece"]
        _say(doing="waiting")
    if order.get("usage"):
        yield Usage(*order["usage"])


async def answer(store: Any, how: str, name: str, prompt: str) -> str:
    """Take one turn."""
    if how == "chat":
        return await BotSessionManager(store, "test").chat(model, name, prompt)
    agent = LocalManagedAgent(model, store, name)
    if how == "execute":
        return await agent.execute(prompt)
    return "".join([piece async for piece in agent.stream(prompt)])


def _say(**said: object) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    shared = make_store(sys.argv[1], Path(sys.argv[2]))
    while line := sys.stdin.readline():
        _say(answer=asyncio.run(answer(shared, **json.loads(line))))
