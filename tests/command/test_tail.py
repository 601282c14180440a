"""`tail -f` prints each new message once, whatever is done to the session, and ends with Ctrl+C."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from readfresh import HierarchicalSessionStore
from tests.command.support import Line

QUICK = ("-f", "--interval", "0.01")


def test_the_newest_are_printed(line: Line, store: HierarchicalSessionStore) -> None:
    """Without -n ten, with it so many; with --json each is a line that is the message in the file."""
    for number in range(12):
        store.add_user_message("hotels", f"m{number}")
    shown = line.good("tail", "hotels").splitlines()
    assert [each.split("user: ")[1] for each in shown] == [f"m{number}" for number in range(2, 12)]
    assert line.good("tail", "hotels", "-n", "1").endswith("user: m11\n")
    assert line.good("tail", "hotels", "-n", "0") == ""
    assert len(line.good("tail", "hotels", "-n", "99").splitlines()) == 12
    lines = line.good("tail", "hotels", "-n", "2", "--json").splitlines()
    assert [json.loads(each) for each in lines] == store.export_session("hotels")["messages"][10:]


def test_each_new_message_is_printed_once(line: Line, store: HierarchicalSessionStore) -> None:
    """It goes on through adding, clearing, replacing, reverting, deleting and making anew; Ctrl+C ends it with 0."""
    with line.process("tail", "trip", "-n", "1", "--json", *QUICK) as process:
        assert process.stdout
        assert process.stderr

        def new() -> object:
            assert process.stdout
            return json.loads(process.stdout.readline())["content"]

        assert new() == [{"type": "text", "text": "at 8"}, {"type": "image", "url": "x"}]
        snapshot = store.create_snapshot("trip")
        store.add_user_message("trip", "one")
        assert new() == "one"
        store.add_user_message("trip", "one")  # the same words are another message
        assert new() == "one"
        store.revert_to_snapshot("trip", snapshot)
        assert process.stderr.readline() == "readfresh: 2 messages taken out\n"
        messages = store.export_session("trip")["messages"]
        store.set_chat_history("trip", [messages[0], {"role": "user", "content": "between"}, messages[2]])
        assert new() == "between"
        assert process.stderr.readline() == "readfresh: 1 message taken out\n"
        store.clear_session("trip")
        assert process.stderr.readline() == "readfresh: 3 messages taken out\n"
        store.add_user_message("trip", "two")
        assert new() == "two"
        store.delete_session("trip")
        assert process.stderr.readline() == "readfresh: 1 message taken out\n"
        store.add_user_message("trip", "three")
        assert new() == "three"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert (process.returncode, out, err) == (0, "", "")


def test_a_session_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    """Neither it nor its directory has to be there, and neither is created by waiting."""
    line = Line(tmp_path / "chats")
    with line.process("tail", "trip", *QUICK) as process:
        assert process.stderr
        assert process.stdout
        assert process.stderr.readline() == "readfresh: waiting for the session 'trip'\n"
        assert list(tmp_path.iterdir()) == []
        HierarchicalSessionStore(tmp_path / "chats").add_user_message("trip", "first")
        assert process.stdout.readline().endswith("  user: first\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_damage_ends_it_in_the_words_of_the_store(line: Line, more: tuple[str, ...]) -> None:
    """A session that can no longer be read ends it with 1."""
    with line.process("tail", "trip", "-n", "1", *QUICK, *more) as process:
        assert process.stdout
        process.stdout.readline()
        (line.directory / "trip.json").write_text("{")
        _, err = process.communicate()
        assert process.returncode == 1
        assert err.startswith("readfresh: Session 'trip'")
        assert "See what can be read with" in err
