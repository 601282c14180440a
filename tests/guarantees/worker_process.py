"""What runs in the other process of `Worker`; it imports little, because it is started often."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import readfresh
from tests.guarantees.disks import WatchedDisk


class Server:
    """What runs in the process: it does what the handle tells, until that closes the pipe."""

    def __init__(self) -> None:
        self._stores: dict[str, Any] = {}
        self._stop = ""
        self._dying = False

    def serve(self) -> None:
        """Take orders."""
        while line := sys.stdin.readline():
            order = json.loads(line)
            store = self._store(order)
            if order["stop"]:
                store.invalidate_cache()  # so that it comes to each step
            self._stop = order["stop"]
            if order.get("die"):
                self._call_and_die(store, order)
            else:
                self._call(store, order)
            self._stop = ""

    def _call(self, store: Any, order: dict[str, Any]) -> None:
        try:
            self._say(returned=getattr(store, order["verb"])(*order["args"]))
        except Exception as error:
            self._say(raised=type(error).__name__, text=str(error))

    def _call_and_die(self, store: Any, order: dict[str, Any]) -> None:
        child = os.fork()
        if child == 0:
            self._dying = True
            status = 1
            try:
                getattr(store, order["verb"])(*order["args"])
                self._watch("returned", "")
                status = 0
            finally:
                os._exit(status)
        self._say(returned=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    def _store(self, order: dict[str, Any]) -> Any:
        which = json.dumps([order["kind"], order["folder"], order["options"]])
        if which not in self._stores:
            kind: Callable[..., Any] = getattr(readfresh, order["kind"])
            self._stores[which] = kind(order["folder"], disk=WatchedDisk(self._watch), **order["options"])
        return self._stores[which]

    def _watch(self, verb: str, _file: str) -> None:
        if verb != self._stop:
            return
        if self._dying:
            os.kill(os.getpid(), signal.SIGKILL)
        self._stop = ""
        self._say(stopped=verb)
        sys.stdin.readline()

    def _say(self, **answer: object) -> None:
        print(json.dumps(answer, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    return value.to_dict()


if __name__ == "__main__":
    Server().serve()
