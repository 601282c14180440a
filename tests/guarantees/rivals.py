"""Somebody else who calls a store while a test is in the middle of something."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import LockTimeout
from tests.guarantees.conftest import StoreType
from tests.guarantees.worker import Raised, Worker

Call = Callable[..., Any]

KINDS = ("another thread", "another process")


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what the function returns, or raise what it raises, in a thread that is waited for."""
    returned: list[Any] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(function())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    if thread.is_alive():
        pytest.fail("the thread still waits after 10 s")
    if raised:
        raise raised[0]
    return returned[0]


def rival(kind: str, worker: Worker, store_type: StoreType, folder: Path, **options: Any) -> Call:
    """Return a function that calls a method of a store object of its own, elsewhere, and returns its answer.

    It gives up at once where the session's lock is held, and then returns `LockTimeout`, the class.
    """
    options = {"lock_timeout": 0.0, **options}
    store = store_type(folder, **options)

    def in_another_thread(verb: str, *args: Any) -> Any:
        try:
            return in_thread(lambda: getattr(store, verb)(*args))
        except LockTimeout:
            return LockTimeout

    def in_another_process(verb: str, *args: Any) -> Any:
        try:
            return worker.call(store_type, folder, verb, *args, **options)
        except Raised as error:
            if error.name != "LockTimeout":
                raise
            return LockTimeout

    return in_another_thread if kind == "another thread" else in_another_process
