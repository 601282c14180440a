"""Real processes at once, and a history that is judged afterwards.

1. Every message that was acknowledged is there once.
2. Each writer's messages stand in its order.
3. What a writer has added it reads, and no read goes backwards.
4. At the end there is one session, whole, and no litter.
"""

import signal
from pathlib import Path

from readfresh import DefaultSessionStore, HierarchicalSessionStore
from tests.store.support import Child, contents, scaled


def test_four_processes_append_to_one_session(directory: Path) -> None:
    """Two processes of each store at once: properties 1 to 4."""
    count = scaled(40, 2000)
    kinds = (DefaultSessionStore, HierarchicalSessionStore) * 2
    children = [
        Child("append", kind.__name__, directory, "trip", f"w{number}", count) for number, kind in enumerate(kinds)
    ]
    try:
        for child in children:
            child.says("ready")
        for child in children:
            child.tell()
        for child in children:
            assert child.end() == ""  # property 3: a child says what it has seen go wrong
    finally:
        for child in children:
            child.__exit__()
    history = HierarchicalSessionStore(directory).get_chat_history("trip")
    assert len(history) == len(children) * count
    for number in range(len(children)):
        mine = [message["content"] for message in history if message["role"] == f"w{number}"]
        assert mine == [str(each) for each in range(count)]
    assert contents(directory).keys() == {"trip.json"}


def test_killed_processes_lose_nothing_that_was_acknowledged(directory: Path) -> None:
    """Writers that are killed at any moment leave a prefix of their messages, in order; the others go on."""
    rounds = scaled(4, 200)
    for each in range(rounds):
        with (
            Child("append", "DefaultSessionStore", directory, f"s{each}", "victim", 10_000, "aloud") as victim,
            Child("append", "HierarchicalSessionStore", directory, f"s{each}", "other", 15) as other,
        ):
            for child in (victim, other):
                child.says("ready")
            for child in (victim, other):
                child.tell()
            for number in range(5):
                victim.says(str(number))
            victim.kill(signal.SIGKILL)
            assert victim.process.stdout is not None
            acknowledged = 5 + len(victim.process.stdout.read().splitlines())
            assert other.end() == ""
            store = DefaultSessionStore(directory, lock_timeout=60)
            history = store.get_chat_history(f"s{each}")
            assert [message["role"] for message in history].count("victim") in (acknowledged, acknowledged + 1)
            for name in ("victim", "other"):
                mine = [message["content"] for message in history if message["role"] == name]
                assert mine == [str(number) for number in range(len(mine))]
            assert [message["role"] for message in history].count("other") == 15
        store.add_user_message(f"s{each}", "last")
    assert contents(directory).keys() == {f"s{each}.json" for each in range(rounds)}
