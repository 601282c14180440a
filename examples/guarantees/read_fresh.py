"""A read that starts after a write has returned sees that write, in any
thread, process or store object.
"""

from multiprocessing import get_context
from threading import Thread

from readfresh import DefaultSessionStore


def write(content: str) -> None:
    """Write through a store object of its own."""
    DefaultSessionStore("sessions").add_message("trip", "user", content)


if __name__ == "__main__":
    reader = DefaultSessionStore("sessions")
    reader.add_message("trip", "user", "written by the reader")
    print(len(reader.get_chat_history("trip")), "message")

    thread = Thread(target=write, args=("written by a thread",))
    thread.start()
    thread.join()
    print(len(reader.get_chat_history("trip")), "messages")

    process = get_context("spawn").Process(
        target=write, args=("written by a process",)
    )
    process.start()
    process.join()
    for message in reader.get_chat_history("trip"):
        print("-", message["content"])
