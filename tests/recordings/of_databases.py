"""What is said to PostgreSQL. The address of a database with nothing in it is in the environment."""

from __future__ import annotations

import os
from functools import partial
from types import SimpleNamespace
from typing import Any

from tests.recordings.of_files import QUESTION, A, B, F, asked
from tests.recordings.projections import statements
from tests.recordings.scenarios import scenario
from tests.recordings.seam import listening
from tests.recordings.stage import Stage, counted, until

D = "PostgreSQL"


def database() -> Any:
    """Return an adapter on the database, whose tables are there."""
    from readfresh import DbSessionAdapter

    adapter = DbSessionAdapter(os.environ["DATABASE_URL"])
    adapter.create_schema()
    return adapter


def somebody_waits() -> bool:
    """Return whether a connection to the database waits for a lock, as PostgreSQL tells."""
    import sqlalchemy as sa

    engine = sa.create_engine(os.environ["DATABASE_URL"], poolclass=sa.NullPool)
    with engine.connect() as connection:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(connection.execute(sa.text(waiting)).scalar())


@scenario(statements, A=A, D=D, B=B)
def a_change_step_by_step(stage: Stage) -> None:
    """Worker B wants the row of the session while worker A is between its look at the row and its commit."""
    database().set_chat_history("trip", [QUESTION])
    a, b = stage.worker("A", None), stage.worker("B", None)
    a.store, b.store = database(), database()
    with listening(stage, D):
        a.begin("add_assistant_message", "trip", "Porto it is.", before="INSERT")
        b.begin("add_user_message", "trip", "And when?", before="after SELECT … FOR UPDATE", heard=False)
        until(lambda: b.at_rest or somebody_waits())
        stage.note("B", "does not wait" if b.at_rest else "waits for the row")
        a.go()
        b.hear()
        b.go()
    stage.note("D", counted(len(database().get_chat_history("trip")), "message"))
    for store in (a.store, b.store):
        store.close()


@scenario(statements, A="worker", F=F, M="move", D=D)
def move_to_postgresql(stage: Stage) -> None:
    """The command moves a session, from its lock to its unlock, and then a worker goes where it is sent."""
    from readfresh.move import move
    from tests.recordings.seam import WatchedDisk

    asked(stage)
    database().close()
    a, m = stage.worker("A"), stage.worker("M", None)
    with listening(stage, D):
        m.store = SimpleNamespace(move=partial(move, stage.chats, os.environ["DATABASE_URL"], disk=WatchedDisk(m)))
        stage.unseen(lambda: m.begin("move", before="lock trip.json"))
        m.go(before="names chats")  # which looks for sessions that have been created meanwhile
        stage.unseen(m.go)
        a.call("add_assistant_message", "trip", "Porto it is.")
        a.store = database()
        a.call("add_assistant_message", "trip", "Porto it is.")
    a.store.close()
