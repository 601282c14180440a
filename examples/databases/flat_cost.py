"""Count what one more message costs, in sessions of 10 to 10,000 messages."""

import os
from collections import Counter
from typing import Any

import sqlalchemy as sa
from readfresh import DbSessionAdapter

counts: Counter[str] = Counter()


@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def count(_connection: Any, cursor: Any, text: str, *_: Any) -> None:
    """Count a statement, and the rows that it has read or written."""
    counts["statements"] += 1
    kind = "rows read" if text.startswith("SELECT") else "rows written"
    counts[kind] += cursor.rowcount


if __name__ == "__main__":
    store = DbSessionAdapter(os.environ["DATABASE_URL"])
    store.create_schema()
    message = {"role": "user", "content": "Where to?"}
    columns = ("statements", "rows read", "rows written")
    print("messages", *columns, sep="  ")
    for length in (10, 1_000, 10_000):
        store.set_chat_history("trip", [message] * length)
        counts.clear()
        store.add_user_message("trip", "And when?")
        cells = [f"{counts[name]:{len(name)}}" for name in columns]
        print(f"{length:8}", *cells, sep="  ")
