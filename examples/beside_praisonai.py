"""Two processes with PraisonAI's store and two with readfresh's append to one
session at once.

It needs both: `pip install praisonaiagents readfresh`.
"""

from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

from praisonaiagents.session import DefaultSessionStore as PraisonAIStore
from readfresh import DefaultSessionStore

MESSAGES = 50


def praisonai() -> PraisonAIStore:
    """Return its store, without its limit on messages and with patience."""
    return PraisonAIStore("chats", retention="keep_all", lock_timeout=60)


def readfresh() -> DefaultSessionStore:
    """Return ours."""
    return DefaultSessionStore("chats", lock_timeout=60)


STORES = {"praisonai": praisonai, "readfresh": readfresh}


def work(package: str, name: str, together: Barrier) -> None:
    """Add messages to the one session that all workers share."""
    store = STORES[package]()
    together.wait()
    for number in range(MESSAGES):
        store.add_message("trip", "user", f"{name} {number}")


if __name__ == "__main__":
    spawn = get_context("spawn")
    together = spawn.Barrier(4)
    workers = [
        (package, f"{package}-{index}")
        for package in STORES
        for index in (1, 2)
    ]
    processes = [
        spawn.Process(target=work, args=(package, name, together))
        for package, name in workers
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    for package, make in STORES.items():
        history = make().get_chat_history("trip")
        said = [message["content"] for message in history]
        print(f"{package} reads {len(said)}, {len(set(said))} different ones")
        listed = make().list_sessions()
        print(f"{package} lists {listed[0]['message_count']}")
    for _, name in workers:
        mine = [content for content in said if content.startswith(name)]
        in_order = mine == [f"{name} {number}" for number in range(MESSAGES)]
        print(f"{name}: {len(mine)} messages, in order: {in_order}")
