"""Two workers answer Ada at once: what the file, the reader and the next
model get.
"""

import asyncio

from readfresh import BotSessionManager, DefaultSessionStore, turns_of


async def main() -> None:
    """Begin turn A, take turn B from begin to end, and end turn A."""
    worker_a = BotSessionManager(DefaultSessionStore("chats"), "web")
    worker_b = BotSessionManager(DefaultSessionStore("chats"), "web")
    asked, go = asyncio.Event(), asyncio.Event()

    async def slow(_messages: list[dict[str, str]]) -> str:
        asked.set()
        await go.wait()
        return "answer A"

    def quick(messages: list[dict[str, str]]) -> str:
        print("model B:", [message["content"] for message in messages])
        return "answer B"

    def later(messages: list[dict[str, str]]) -> str:
        print("model C:", [message["content"] for message in messages])
        return "answer C"

    turn_a = asyncio.create_task(worker_a.chat(slow, "ada", "prompt A"))
    await asked.wait()
    await worker_b.chat(quick, "ada", "prompt B")
    go.set()
    await turn_a

    session = DefaultSessionStore("chats").get_session("bot_web_ada")
    print("file:", [message.content for message in session.messages])
    for turn in turns_of(session):
        print(f"turn: {turn.prompt} - {turn.answer} ({turn.status})")
    await worker_a.chat(later, "ada", "prompt C")


asyncio.run(main())
