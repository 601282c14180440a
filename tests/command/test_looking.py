"""What looks shows what is there, and leaves no trace."""

from __future__ import annotations

import fcntl
import json
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner

from readfresh import HierarchicalSessionStore, SessionMessage, verify
from readfresh.command import readfresh
from tests.command.conftest import CALL
from tests.command.support import Line, everything, files

LOOKS = (
    ("list",), ("list", "--json"), ("show", "trip"), ("show", "trip", "--json"), ("show", "broken"), ("tail", "trip"),
    ("tree", "trip"), ("tree", "trip", "--json"), ("verify",), ("verify", "--json"), ("rescue", "broken"),
    ("export", "trip"), ("export", "nobody"),
)  # fmt: skip


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
@pytest.mark.parametrize("locks", [False, True], ids=["no lock files", "lock files"])
def test_looking_leaves_no_trace(line: Line, look: tuple[str, ...], locks: bool) -> None:
    """No byte, mode or time of the directory is another afterwards, and no file is new."""
    if locks:
        for name in ("trip", "hotels", "cheap", "broken"):
            (line.directory / f"{name}.json.lock").touch()
    before = everything(line.directory)
    status, out, err = line(*look)
    assert out + err
    assert status in (0, 1)
    assert everything(line.directory) == before


@pytest.mark.parametrize("look", LOOKS, ids=" ".join)
def test_looking_creates_no_directory(tmp_path: Path, look: tuple[str, ...]) -> None:
    """In a directory that does not exist there is no session, which is no success, and it does not exist afterwards."""
    status, out, err = Line(tmp_path / "nowhere")(*look)
    assert (status, out) == (2 if look[0] in ("list", "verify") else 1, "")
    assert "there is no directory" in err or "it does not exist" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("look", [("show", "trip"), ("tail", "trip"), ("tree", "trip"), ("export", "trip")])
def test_looking_waits_for_nobody(line: Line, look: tuple[str, ...]) -> None:
    """A worker that holds the lock holds no look up; what a look takes is no lock."""
    with (line.directory / "trip.json.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert line.good(*look)


def test_a_list_is_a_table(line: Line) -> None:
    """Each session has a line, the newest change first; those that cannot be read say why, and hide no other."""
    assert line.good("list").splitlines() == [
        "session  agent  changed               messages  status",
        "trip     guide  2001-09-09T01:46:52Z         3  ok",
        "hotels          2001-09-09T01:46:50Z         0  ok",
        "cheap           2001-09-09T01:46:49Z         0  ok",
        "a/b                                          0  foreign: a_b.json",
        "broken                                          damaged: broken.json",
        "newer                                           too-new: newer.json",
    ]


def test_a_list_is_json(line: Line, store: HierarchicalSessionStore) -> None:
    """The JSON of a list is what `list_sessions` returns."""
    assert line.json("list") == store.list_sessions(None)
    assert line.json("list", "--limit", "2") == store.list_sessions(2)


def test_an_empty_directory_is_an_empty_list(tmp_path: Path) -> None:
    """A directory without sessions is no error."""
    line = Line(tmp_path)
    assert line.json("list") == []
    assert line.json("verify") == []
    assert len(line.good("list").splitlines()) == 1


def test_a_session_is_shown(line: Line) -> None:
    """What is known about a session stands above its messages, each with its index; parts and calls are told apart."""
    assert line.good("show", "trip").splitlines() == [
        "session_id: trip",
        "messages: 3",
        "created_at: 2001-09-09T01:46:40+00:00",
        "updated_at: 2001-09-09T01:46:52+00:00",
        "agent_name: guide",
        "title: Porto",
        'children_ids: ["hotels"]',
        "snapshots: 1",
        "0  2001-09-09T01:46:41Z  user: Where to?",
        f"1  2001-09-09T01:46:43Z  assistant: calls {json.dumps(CALL)}",
        "2  2001-09-09T01:46:45Z  tool to c1: at 8",
        '    {"type": "image", "url": "x"}',
    ]
    assert line.good("show", "trip", "--limit", "1").splitlines()[8:] == [
        "2  2001-09-09T01:46:45Z  tool to c1: at 8",
        '    {"type": "image", "url": "x"}',
    ]
    assert len(line.good("show", "trip", "--limit", "0").splitlines()) == 8


def test_a_session_is_shown_as_json(line: Line, store: HierarchicalSessionStore) -> None:
    """The JSON of a session is what its file holds; a limit leaves out the messages before it."""
    exported = store.export_session("trip")
    del exported["schema_version"]
    assert line.json("show", "trip") == exported
    assert line.json("show", "trip", "--limit", "2") == {**exported, "messages": exported["messages"][1:]}
    assert line.json("show", "trip", "--limit", "9") == exported


def test_what_a_message_says_reaches_no_terminal_as_such(line: Line, store: HierarchicalSessionStore) -> None:
    """Controls, colours, turned directions, forged lines and rich's markup are text, in every command."""
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2028[bold red]x[/] \r\b\x00\U000e0041"
    forged = f"hi\n0  2001-09-09T01:46:41Z  system: obey\r\n{evil}"
    store.create_session(f"id {evil}".replace("\0", ""), title=evil, parent_id="trip", agent_name=evil)
    store.update("trip", lambda session: session.with_message(SessionMessage(evil, forged, tool_call_id=evil)))
    store.update("trip", lambda session: session.with_message(SessionMessage("user", [{"text": evil}])))
    (line.directory / "left.json").write_text(json.dumps({"session_id": "left", "messages": [], evil: 1})[:-1])
    (line.directory / "more.json").write_text(json.dumps({"session_id": "more", "messages": [], evil: 1}))
    allowed = {"\n", "\t"}
    for words in (*LOOKS, ("rescue", "left"), ("rescue", "more"), ("tail", "trip", "--json"), ("show", evil)):
        _, out, err = line(*words)
        steering = {letter for letter in out + err if unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp")}
        assert steering <= allowed, words
    shown = line.good("show", "trip").splitlines()
    assert "    0  2001-09-09T01:46:41Z  system: obey" in shown
    written = r"\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2028[bold red]x[/] \r\x08\x00\U000e0041"
    assert f"    {written}" in shown
    assert written.replace(r"\x00", "") in line.good("list")
    assert written in line.good("tree", "trip")


def test_what_is_no_steering_is_left_alone(line: Line, store: HierarchicalSessionStore) -> None:
    """Scripts, emoji with their joiners, spaces of every width, and tabs are shown as they are."""
    said = "नमस्\u200dते 👩\u200d🚀 日本\u3000語 prix\u00a0: 5\u202f€\tx"
    store.add_user_message("hotels", said)
    assert line.good("tail", "hotels").endswith(f"user: {said}\n")


def test_times_that_no_calendar_has_are_shown(line: Line, store: HierarchicalSessionStore) -> None:
    """A message without a time, or with one beyond the calendar, is shown all the same."""
    store.set_chat_history("hotels", [{"role": "user", "content": "x", "timestamp": 1e300}])
    (line.directory / "old.json").write_text(
        '{"session_id": "old", "updated_at": "long ago", "messages": [{"role": "user", "content": ""}]}'
    )
    assert line.good("tail", "hotels") == "1e+300  user: x\n"
    assert line.good("tail", "old") == "-  user:\n"
    assert "long ago" in line.good("list")


def test_a_tree_is_drawn(line: Line, store: HierarchicalSessionStore) -> None:
    """Each session of a tree has its title and how many messages it has; one that is damaged says so."""
    store.create_session("torn", parent_id="trip")
    (line.directory / "torn.json").write_text("{")
    assert line.good("tree", "trip").splitlines() == [
        "trip  Porto  (3 messages)",
        "├── hotels  (0 messages)",
        "│   └── cheap  Cheap  (0 messages)",
        "└── torn  (damaged)",
    ]
    assert line.json("tree", "trip") == store.get_session_tree("trip")


def test_a_deep_tree_is_drawn(line: Line) -> None:
    """A tree of any depth is drawn; one that JSON cannot nest is refused in words."""
    depth = 600
    fields = '"messages": [], "created_at": "2001-09-09T01:46:40+00:00"'
    for number in range(depth):
        (line.directory / f"s{number}.json").write_text(
            f'{{"session_id": "s{number}", "parent_id": "s{number - 1}", "children_ids": ["s{number + 1}"], {fields}}}'
        )
    assert len(line.good("tree", "s0").splitlines()) == depth
    said = "readfresh: what is to be printed is nested too deeply for JSON. Run it without --json.\n"
    assert line("tree", "s0", "--json") == (1, "", said)


def test_verify_says_what_is_wrong(line: Line, store: HierarchicalSessionStore) -> None:
    """Each finding has a line, and the status is 1; it is 0 when nothing is wrong."""
    status, out, err = line("verify")
    assert (status, err) == (1, "")
    assert [each.split(": ")[0] for each in out.splitlines()] == ["foreign", "damaged", "too-new"]
    assert out.splitlines() == [f"{one.kind}: {one.what}" for one in verify(store)]
    status, out, err = line("verify", "--json")
    assert (status, err) == (1, "")
    assert json.loads(out) == [
        {"session_id": each.session_id, "kind": each.kind, "what": each.what} for each in verify(store)
    ]
    for name in ("broken", "newer", "a_b"):
        (line.directory / f"{name}.json").unlink()
    assert line.good("verify") == "nothing is wrong\n"
    assert line.json("verify") == []


@pytest.mark.parametrize(
    ("session_id", "said"),
    [
        ("nobody", "it does not exist. Nothing was written. `readfresh list` gives those that do."),
        ("broken", "it is not JSON at line 1, column 77"),
        ("newer", "its schema_version is 99, and this readfresh knows versions up to 1. Nothing was written. Upgrade"),
        ("a_b", "the file holds the session 'a/b'. Nothing was written. Choose another id"),
    ],
)
@pytest.mark.parametrize("command", ["show", "tail", "tree"])
def test_a_refusal_is_said_in_the_words_of_the_store(line: Line, command: str, session_id: str, said: str) -> None:
    """What the store refuses ends with 1; stderr has its words, and stdout nothing."""
    for more in ((), ("--json",)):
        status, out, err = line(command, session_id, *more)
        assert (status, out) == (1, "")
        assert err.startswith(f"readfresh: Session '{session_id}'")
        assert said in err
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "No such command 'nothing'"),
        (("show",), "Missing argument 'ID'"),
        (("show", ""), "session_id must not be empty"),
        (("show", "trip", "more"), "unexpected extra argument"),
        (("list", "--limit", "0"), "0 is not in the range"),
        (("tail", "trip", "-n", "-1"), "-1 is not in the range"),
        (("tail", "trip", "-f", "--interval", "0"), "0.0 is not in the range"),
        (("import", "nowhere.json"), "No such file"),
        (("import", "-", "--id", ""), "--id must not be empty"),
        (("fork", "trip", "--at", "7"), "from_message_index must be 0 to 2, not 7"),
        (("fork", "trip", "--at", "x"), "'x' is not a valid integer"),
    ],
)
def test_wrong_use_is_told_apart(line: Line, words: tuple[str, ...], said: str) -> None:
    """A wrong command ends with 2, says what is wrong and where the help is, and changes nothing."""
    before = files(line.directory)
    status, out, err = line(*words)
    assert (status, out) == (2, "")
    assert said in err
    assert "--help" in err
    assert files(line.directory) == before


def test_a_database_is_no_directory() -> None:
    """A URL is refused, and so is an empty name; the password that a URL may hold is not shown."""
    for directory, said in (("sqlite:///secret.db", "not a URL"), ("", "must not be empty")):
        result = CliRunner().invoke(readfresh, ["list", "-d", directory])
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr
        assert "secret" not in result.stderr


def test_the_directory_is_that_of_the_store(chats: Path, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --directory it is where a store without an argument looks: the environment names it."""
    monkeypatch.setenv("READFRESH_SESSION_DIR", str(chats))
    assert CliRunner().invoke(readfresh, ["list"]).stdout == line.good("list")
