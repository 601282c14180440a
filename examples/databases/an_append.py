"""Show what is said to PostgreSQL when a message is added."""

import os
import re
from typing import Any

import sqlalchemy as sa
from readfresh import DbSessionAdapter

said: list[str] = []


@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def statement(_connection: Any, _cursor: Any, text: str, *_: Any) -> None:
    """Note a statement."""
    said.append(" ".join(text.split()))


@sa.event.listens_for(sa.Engine, "begin")
def begin(_connection: Any) -> None:
    """Note the beginning of a transaction, which the driver sends."""
    said.append("BEGIN")


@sa.event.listens_for(sa.Engine, "commit")
def commit(_connection: Any) -> None:
    """Note its end."""
    said.append("COMMIT")


def short(text: str) -> str:
    """Leave out the columns and the values."""
    for begin, end in (("SELECT ", " FROM "), (" SET ", " WHERE ")):
        if begin in text and end in text:
            head, rest = text.split(begin, 1)
            text = f"{head}{begin}…{end}{rest.rsplit(end, 1)[1]}"
    if " (" in text:
        text = text.split(" (", 1)[0] + " …"
    return re.sub(r"readfresh_sessions\.(\w+) = .*?s::\w+", r"\1 = …", text)


if __name__ == "__main__":
    store = DbSessionAdapter(os.environ["DATABASE_URL"])
    store.create_schema()
    store.add_user_message("trip", "Where to?")

    said.clear()
    store.add_assistant_message("trip", "Porto it is.")
    for number, text in enumerate(said, 1):
        print(f"{number}. {short(text)}")
