"""End a worker's connection in the middle of its change, as a crash does."""

import os

import psycopg
import sqlalchemy as sa
from readfresh import DbSessionAdapter, SessionData, SessionMessage

URL = os.environ["DATABASE_URL"]
END_ALL_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid != pg_backend_pid()"
)
calls: list[int] = []


def end_every_connection() -> None:
    """Do what an administrator can do, and a restart does."""
    plain = sa.make_url(URL).set(drivername="postgresql")
    address = plain.render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as administrator:
        administrator.execute(END_ALL_OTHERS)


def change(session: SessionData) -> SessionData:
    """Lose the connection the first time."""
    calls.append(len(session.messages))
    if len(calls) == 1:
        end_every_connection()
    return session.with_message(SessionMessage("user", "And when?"))


if __name__ == "__main__":
    store = DbSessionAdapter(URL)
    store.create_schema()
    store.add_user_message("trip", "Where to?")

    store.update("trip", change)
    print("change was called", len(calls), "times")
    history = store.get_chat_history("trip")
    print([each["content"] for each in history])

    end_every_connection()
    print(len(store.get_chat_history("trip")), "messages on a new connection")
