"""Two processes write to one session, and nothing is lost."""

import os
from concurrent.futures import ProcessPoolExecutor

from redis_store import RedisStore

URL = os.environ["REDIS_URL"]


def work(name: str) -> None:
    """Add a hundred messages, with a store of this process's own."""
    store = RedisStore(URL)
    for number in range(100):
        store.add_message("trip", name, str(number))
    store.close()


if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(work, ["ada", "bob"]))
    store = RedisStore(URL)
    history = store.get_chat_history("trip")
    print(len(history), "messages")
    for name in ("ada", "bob"):
        said = [each["content"] for each in history if each["role"] == name]
        print(name, "in order:", said == [str(n) for n in range(100)])
    store.delete_session("trip")
    store.close()
