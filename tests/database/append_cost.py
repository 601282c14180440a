"""How long it takes to add a message, by the length of the session.

`python -m tests.database.append_cost [URL]` prints the median for each length; without a URL it measures SQLite
in a temporary folder. The tables are made where there are none, and the sessions deleted afterwards.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

from readfresh import DbSessionAdapter, SessionMessage


def measured(url: str, lengths: Sequence[int] = (10, 1_000, 10_000), appends: int = 200) -> list[tuple[int, float]]:
    """Return the median of so many appends, in seconds, for each length."""
    adapter = DbSessionAdapter(url)
    adapter.create_schema()
    table = []
    for length in lengths:
        session_id = f"append-cost-{length}"
        messages = tuple(SessionMessage("user", f"message {number}", float(number)) for number in range(length))
        adapter.update(session_id, lambda session, added=messages: dataclasses.replace(session, messages=added))  # type: ignore[misc]
        taken = []
        for _ in range(appends):
            started = time.perf_counter()
            adapter.add_message(session_id, "user", "one more")
            taken.append(time.perf_counter() - started)
        adapter.delete_session(session_id)
        table.append((length, statistics.median(taken)))
    return table


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/chats.db"
        for length, seconds in measured(url):
            print(f"{length:>6} messages: {seconds * 1000:.2f} ms")


if __name__ == "__main__":
    main()
