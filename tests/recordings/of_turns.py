"""Turns of two workers that answer one user at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from readfresh import BotSessionManager, DefaultSessionStore
from tests.recordings.of_files import A, B
from tests.recordings.projections import calls
from tests.recordings.scenarios import scenario
from tests.recordings.seam import WatchedStore
from tests.recordings.stage import PATIENCE_SECONDS, Stage


def newest(data: bytes | None) -> str:
    """Say what the newest message is."""
    said: str = json.loads(data)["messages"][-1]["content"] if data else "no file"
    return said


def told(session: Any) -> str:
    """Say what the messages of a session are."""
    return ", ".join(message.content for message in session.messages)


@scenario(calls, newest, A=A, S="bot_web_ada.json", B=B)
def a_turn_is_kept(stage: Stage) -> None:
    """Worker B answers from begin to end while the model of worker A is thinking."""
    asyncio.run(asyncio.wait_for(_turns(stage), PATIENCE_SECONDS))
    stage.note("S", told(DefaultSessionStore(stage.chats).get_session("bot_web_ada")))


async def _turns(stage: Stage) -> None:
    asked, go = asyncio.Event(), asyncio.Event()
    worker_a, worker_b = (
        BotSessionManager(WatchedStore(stage.worker(who), get_session=told), "web") for who in ("A", "B")
    )

    async def slow(_messages: Any) -> str:
        asked.set()
        await go.wait()
        return "answer A"

    turn = asyncio.create_task(worker_a.chat(slow, "ada", "prompt A"))
    await asked.wait()
    await worker_b.chat(lambda _messages: "answer B", "ada", "prompt B")
    go.set()
    await turn
