"""Cleared first, fixed: a history is replaced in one change."""

from collections.abc import Callable
from contextlib import suppress

from readfresh import DefaultSessionStore

store = DefaultSessionStore("chats")


def nothing() -> None:
    """Do nothing in between."""


def replace(texts: list[str], between: Callable[[], None] = nothing) -> None:
    """Replace the history; `between` is what others do before the end."""
    history = [{"role": "user", "content": text} for text in texts]
    between()
    store.set_chat_history("trip", history)


def test_afterwards() -> None:
    """Replace the history, and read it when all is done."""
    store.set_chat_history("trip", [{"role": "user", "content": "Old."}])
    replace(["Where to?", "Porto it is."])
    assert len(store.get_chat_history("trip")) == 2


def test_a_death_in_between() -> None:
    """Replace the history, and die on the way."""
    store.set_chat_history("trip", [{"role": "user", "content": "Old."}])

    def die() -> None:
        raise SystemExit

    with suppress(SystemExit):
        replace(["Where to?", "Porto it is."], die)
    left = len(store.get_chat_history("trip"))
    assert left in (1, 2), f"{left} messages are left, of the old or the new"


for test in (test_afterwards, test_a_death_in_between):
    try:
        test()
        print(f"{test.__name__}: passes")
    except AssertionError as error:
        print(f"{test.__name__}: fails, {error}")
