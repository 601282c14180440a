"""A read or a write waits for a lock at most its timeout, then says so and has
changed nothing; a dead holder blocks nobody.
"""

import threading
from multiprocessing import get_context
from multiprocessing.synchronize import Event

from readfresh import DefaultSessionStore, LockTimeout, SessionData


def hold(holding: Event) -> None:
    """Take the lock of the session, and never let it go."""

    def change(session: SessionData) -> SessionData:
        holding.set()
        threading.Event().wait()
        return session

    DefaultSessionStore("sessions").update("trip", change)


if __name__ == "__main__":
    DefaultSessionStore("sessions").add_message("trip", "user", "Porto")
    spawn = get_context("spawn")
    holding = spawn.Event()
    holder = spawn.Process(target=hold, args=(holding,))
    holder.start()
    holding.wait()

    hasty = DefaultSessionStore("sessions", lock_timeout=0.2)
    for call in (
        lambda: hasty.get_chat_history("trip"),
        lambda: hasty.add_message("trip", "user", "by train"),
    ):
        try:
            call()
        except LockTimeout as error:
            print(f"{type(error).__name__}: {error.cause}")
            print(f"written: {error.written}")
    hasty.add_message("food", "user", "another session is not held up")

    holder.kill()
    holder.join()
    hasty.add_message("trip", "user", "by train")
    print(
        len(hasty.get_chat_history("trip")), "messages when the holder is dead"
    )
