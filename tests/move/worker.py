"""A worker: adds messages to the sessions in turn until its input ends, and prints each that has been acknowledged."""

import itertools
import select
import sys

from tests.move.both import Both


def main(directory: str, url: str, name: str, *sessions: str) -> None:
    """Add messages."""
    store = Both(directory, url)
    for number in itertools.count():
        session_id = sessions[number % len(sessions)]
        content = f"{name} {number}"
        store.add_user_message(session_id, content)
        print(session_id, content, sep="\t", flush=True)
        if select.select([sys.stdin], [], [], 0)[0]:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
