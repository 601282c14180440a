"""Every change that has returned is in every later state of the session until
another change takes it out, however many threads, processes and store objects
write at once.
"""

from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

from readfresh import DefaultSessionStore

WORKERS = 4
MESSAGES = 25


def work(name: str, together: Barrier) -> None:
    """Add messages to the one session that all workers share."""
    store = DefaultSessionStore("sessions", lock_timeout=60)
    together.wait()
    for number in range(MESSAGES):
        store.add_message("trip", "user", f"{name} {number}")


if __name__ == "__main__":
    spawn = get_context("spawn")
    together = spawn.Barrier(WORKERS)
    names = [f"worker-{index}" for index in range(WORKERS)]
    processes = [
        spawn.Process(target=work, args=(name, together)) for name in names
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    said = [
        message["content"]
        for message in DefaultSessionStore("sessions").get_chat_history("trip")
    ]
    print(f"{len(said)} messages, {len(set(said))} different ones")
    for name in names:
        mine = [content for content in said if content.startswith(name)]
        in_order = mine == [f"{name} {number}" for number in range(MESSAGES)]
        print(f"{name}: {len(mine)} messages, in order: {in_order}")
