"""A worker that is killed between prompt and answer, and what the next one
finds.
"""

import asyncio
import os
import signal
from multiprocessing import get_context

from readfresh import DefaultSessionStore, LocalManagedAgent, turns_of


def dies(_messages: list[dict[str, str]]) -> str:
    """Kill the process instead of answering: nothing runs after it."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def work() -> None:
    """Ask in another process."""
    agent = LocalManagedAgent(dies, DefaultSessionStore("chats"), "trip")
    asyncio.run(agent.execute("Where to?"))


def answers(messages: list[dict[str, str]]) -> str:
    """Say what the model is given."""
    return " | ".join(message["content"] for message in messages)


if __name__ == "__main__":
    worker = get_context("spawn").Process(target=work)
    worker.start()
    worker.join()
    print("exit status:", worker.exitcode)

    store = DefaultSessionStore("chats")
    agent = LocalManagedAgent(answers, store, "trip")
    asyncio.run(agent.execute("Are you there?"))
    for turn in turns_of(store.get_session("trip")):
        print(f"{turn.status}: {turn.prompt} -> {turn.answer!r}")
