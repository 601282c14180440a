"""A process that works on session stores, ours or another package's, as its pipe tells it.

    python -m tests.peers.worker readfresh | praisonaiagents.session

Both packages name their stores and verbs alike, so one program drives either.
An order is a line of JSON, and so is the answer: `{"returned": …}` or `{"raised": <class>, "text": …}`.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import logging
import sys
from collections.abc import Callable
from typing import Any


def answer(value: dict[str, Any]) -> None:
    """Print a line."""
    print(json.dumps(value, default=plain), flush=True)


def plain(value: Any) -> Any:
    """Return what JSON can hold of a session, a message or a snapshot."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple | set | frozenset) else str(value)


def append(store: Any, session_id: str, writer: str, begin: int, end: int) -> list[Any]:
    """Append numbered messages one after the other, and return what each append returned."""
    return [store.add_message(session_id, writer, str(number)) for number in range(begin, end)]


def hold(store: Any, session_id: str) -> bool:
    """Hold the session's lock in the middle of a change of its metadata, until there is a line to read."""

    def change(session: Any) -> Any:
        answer({"held": True})
        sys.stdin.readline()
        if hasattr(session, "with_metadata"):
            return session.with_metadata({"held": True})
        session.metadata["held"] = True
        return None

    if hasattr(store, "update"):
        return store.update(session_id, change) is not None
    done: bool = store._modify_session_locked(session_id, change)
    return done


OWN: dict[str, Callable[..., Any]] = {"append": append, "hold": hold}


def main() -> None:
    """Do what is told until the pipe ends; each store is made once, as the orders describe it."""
    package = importlib.import_module(sys.argv[1])
    logging.disable(logging.CRITICAL)
    stores: dict[str, Any] = {}
    answer({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        made = json.dumps([order["kind"], order["directory"], order["options"]])
        try:
            if made not in stores:
                stores[made] = getattr(package, order["kind"])(order["directory"], **order["options"])
            if order["verb"] in OWN:
                returned = OWN[order["verb"]](stores[made], *order["arguments"])
            else:
                returned = getattr(stores[made], order["verb"])(*order["arguments"], **order["named"])
            answer({"returned": returned})
        except Exception as error:
            answer({"raised": type(error).__name__, "text": str(error)})


if __name__ == "__main__":
    main()
