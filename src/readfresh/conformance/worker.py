"""What runs in the other processes: it opens stores, calls them, stops or dies where it is told to.

The first process imports the factory and does nothing else; every worker is a fork of it.
So the import, which may take seconds, is paid once, and a worker begins with nothing open.

A worker has lanes: threads with a store object each.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from readfresh.conformance.factory import FactoryError, from_name
from readfresh.conformance.points import Points, own_folders, watch_new_threads

__all__ = ["FIVE", "serve_forks"]

FIVE = ("add_message", "get_chat_history", "clear_session", "delete_session", "session_exists")

WAITS_TOLD = 100


def main() -> None:
    """Import the factory that the first line of the control socket names, and fork workers until it closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    order = json.loads(control.recv(1 << 16))
    try:
        factory = from_name(order["factory"])
    except BaseException as error:  # a module may call sys.exit
        said = str(error) if isinstance(error, FactoryError) else f"{order['factory']!r}: {_said(error)}"
        control.sendall(json.dumps({"raised": said}).encode())
        return
    control.sendall(b"{}")
    serve_forks(control, factory)


def serve_forks(control: socket.socket, factory: Any) -> None:
    """Fork a worker for every socket that comes over `control`, until that closes."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: the end of their socket tells it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the kit ends them
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            try:
                _Worker(socket.socket(fileno=descriptors[0]), factory).serve()
            finally:
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


class _Worker:
    """The process: it hands each order to its lane."""

    def __init__(self, to_kit: socket.socket, factory: Any) -> None:
        self._socket = to_kit
        self._sending = threading.Lock()
        self._lanes: dict[int, _Lane] = {}
        self.factory = factory

    def serve(self) -> None:
        watch_new_threads()
        for line in self._socket.makefile("rb"):
            order = json.loads(line)
            number = order["lane"]
            if number not in self._lanes:
                self._lanes[number] = _Lane(self, number)
            lane = self._lanes[number]
            (lane.going if order["do"] == "go" else lane.orders).put(order)

    def say(self, lane: int, **answer: object) -> None:
        data = json.dumps({"lane": lane, **answer}, default=_plain).encode() + b"\n"
        with self._sending:
            self._socket.sendall(data)


class _Lane:
    """A thread with a store object of its own."""

    def __init__(self, worker: _Worker, number: int) -> None:
        self._worker = worker
        self._number = number
        self._store: Any = None
        self._place = "\0"
        self._own: tuple[str, ...] = ()
        self.orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        # What has been stopped waits here: it may be in a thread of the store's.
        self.going: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        sys.setprofile(None)  # this thread is the kit's, and no thread of a store's
        sys.settrace(None)
        while True:
            order = self.orders.get()
            began = time.monotonic()
            try:
                answer = getattr(self, order["do"])(order)
                self._say(returned=answer)
            except BaseException as error:
                took = time.monotonic() - began
                said = _said(error).replace(self._place, "place")
                self._say(raised=said, where=_where(error), seconds=took)
            if order.get("die") == "returned":
                os.kill(os.getpid(), signal.SIGKILL)

    def _say(self, **answer: object) -> None:
        self._worker.say(self._number, **answer)

    def open(self, order: dict[str, Any]) -> dict[str, Any]:
        """Make a store object; return which methods it has."""
        close = getattr(self._worker.factory, "close", None)
        if self._store is not None and close is not None:
            close(self._store)
        os.chdir(order["folder"])
        self._place = order["place"]
        self._store = self._worker.factory(Path(order["place"]))
        self._own = own_folders(self._store, self._worker.factory)
        # A store that wraps another one may have methods that `dir` does not list.
        names = {*dir(self._store), *order.get("methods", ())}
        describe = getattr(self._worker.factory, "describe", None)
        return {
            "thread": [os.getpid(), threading.get_native_id()],
            "unfit": _unfit(self._store),
            "class": type(self._store).__name__,
            "methods": sorted(n for n in names if n[0] != "_" and callable(getattr(self._store, n, None))),
            "extras": [name for name in ("damage", "close", "describe") if hasattr(self._worker.factory, name)],
            "description": describe() if describe else {},
        }

    def call(self, order: dict[str, Any]) -> Any:
        """Call a method of the store, stop or die at the point that the order names."""
        stop, die = order.get("stop"), order.get("die")

        def reached(number: int, where: str) -> Callable[[], object] | None:
            if number == die:
                os.kill(os.getpid(), signal.SIGKILL)
            if number != stop:
                return None
            self._say(stopped=where)
            return self.going.get

        points = Points(
            self._own,
            lines=order.get("lines", False),
            reached=None if order.get("rival") else reached,
            waiting=self.teller() if order.get("rival") else None,
        )
        method = getattr(self._store, order["verb"])
        began = time.monotonic()
        with points if order.get("watched") else nullcontext():
            value = method(*order["args"], **order.get("options", {}))
        return {"value": value, "points": points.found, "seconds": time.monotonic() - began}

    def repeat(self, order: dict[str, Any]) -> int:
        """Add messages one after another, from the moment at which the kit says so; return how many were refused."""
        self.stop("at the barrier")
        refused = 0
        for number in range(order["count"]):
            try:
                done = self._store.add_message(order["session"], "user", f"{order['tag']}{number}")
            except Exception:
                done = False
            refused += done is False
        return refused

    def damage(self, order: dict[str, Any]) -> None:
        """Let the factory damage a session."""
        self._worker.factory.damage(Path(order["place"]), order["session"])

    def run(self, order: dict[str, Any]) -> Any:
        """Call a function of the kit with the store: for what is more than one call of a method."""
        function: Callable[..., Any] = from_name(order["function"])
        return function(self._store, self, *order["args"])

    def teller(self) -> Callable[[str], None]:
        """Return what tells the kit that a call waits for somebody."""
        announced: Counter[str] = Counter()

        def tell(name: str) -> None:
            announced[name] += 1  # whoever polls would tell it for ever
            if announced[name] <= WAITS_TOLD:
                self._say(waiting=name)

        return tell

    def stop(self, where: str) -> None:
        """Stop until the kit says go."""
        self._say(stopped=where)
        self.going.get()


def _unfit(store: Any) -> str:
    """Return what is wrong with the signature of one of the five methods; the empty text where all can be called."""
    for name in FIVE:
        method = getattr(store, name, None)
        arguments = ["session_id", "role", "content"] if name == "add_message" else ["session_id"]
        call = f"{name}({', '.join(arguments)})"
        if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
            return f"whose {name} is asynchronous: the kit calls {call}, and awaits nothing"
        try:
            inspect.signature(method).bind(*arguments) if callable(method) else None
        except TypeError as error:
            return f"whose {name} cannot be called as {call}: {error}"
        except ValueError:  # a method that is not written in Python may have no signature to look at
            continue
    return ""


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value of any store."""
    for name in ("to_dict", "model_dump"):
        if callable(method := getattr(value, name, None)) and not isinstance(value, type):
            return method()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return {str(key): each for key, each in vars(value).items()} if hasattr(value, "__dict__") else repr(value)


def _said(error: BaseException) -> str:
    """Return the error's name and the first line of what it says; of a syntax error, the place too."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error}"
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[0]


def _where(error: BaseException) -> str:
    """Return the file and line where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""


if __name__ == "__main__":
    main()
