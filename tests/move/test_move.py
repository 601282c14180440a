"""A move takes everything, loses nothing, and says what it leaves."""

from __future__ import annotations

import dataclasses
import json
import os
import pty
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import (
    DbSessionAdapter,
    DefaultSessionStore,
    HierarchicalSessionStore,
    LockTimeout,
    SessionData,
    SessionMessage,
    SessionMoved,
    WriteFailed,
    rescue,
    verify,
)
from readfresh.database import SessionRows
from readfresh.disk import system_disk
from readfresh.move import JOURNAL, main, move
from tests.full_grid import FULL_GRID
from tests.store.support import VERBS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def chats(tmp_path: Path) -> Path:
    """A session directory that does not exist yet."""
    return tmp_path / "chats"


def exported(store: HierarchicalSessionStore) -> dict[str, str]:
    """Return all that is in a store, as JSON that tells 1 from 1.0 and True."""
    ids = [each["session_id"] for each in store.list_sessions(limit=None)]
    return {session_id: json.dumps(store.export_session(session_id), sort_keys=True) for session_id in ids}


def a_full_directory(chats: Path) -> HierarchicalSessionStore:
    """Make sessions of every sort."""
    store = HierarchicalSessionStore(chats, durability="process")
    store.add_user_message("trip", "Où ? 🎈", metadata={"n": 1, "x": 1.0, "deep": {"list": [None, True]}})
    calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    store.add_assistant_message("trip", None, tool_calls=calls)
    store.add_message("trip", "tool", [{"type": "text", "text": "42"}], tool_call_id="c1")
    store.create_snapshot("trip", label="before", metadata={"k": None})
    store.fork_session("trip", from_message_index=0)
    store.update_session_metadata("trip", cost=0.02, gone=None)
    store.set_agent_info("trip", agent_name="guide", user_id="ada")
    store.create_session("empty")
    for session_id in ("a/b", "a_b", "é" * 40, "x" * 300, "con"):
        store.add_user_message(session_id, session_id)
    message = SessionMessage("user", "hi", extra={"pinned": True})
    store.update(
        "trip", lambda session: dataclasses.replace(session.with_message(message), extra={"mood": {"calm": [1]}})
    )
    return store


def test_everything_arrives(chats: Path, url: str) -> None:
    """Each session is in the database as it was in its file: unknown fields, snapshots, children, odd ids."""
    before = exported(a_full_directory(chats))
    report = move(chats, url)
    assert (report.moved, report.moved_before, report.left) == (len(before), 0, [])
    assert len(before) == 8
    there = HierarchicalSessionStore(storage=DbSessionAdapter(url))
    assert exported(there) == before
    assert there.get_children("trip")
    assert there.get_snapshots("trip")[0].messages
    again = move(chats, url)
    assert (again.moved, again.moved_before, again.left) == (0, len(before), [])


def test_the_file_keeps_what_was_moved(chats: Path, url: str) -> None:
    """A moved session's file differs from what it was by the mark alone, and can be imported from."""
    store = a_full_directory(chats)
    before = json.loads((chats / "trip.json").read_text())
    move(chats, url)
    left = json.loads((chats / "trip.json").read_text())
    assert left.pop("readfresh_moved_to") == DbSessionAdapter(url).place
    assert left == before
    copy = store.import_session(json.loads((chats / "trip.json").read_text()), new_session_id="copy")
    assert len(store.get_session(copy).messages) == 4


@pytest.mark.parametrize("kind", [DefaultSessionStore, HierarchicalSessionStore])
def test_a_moved_session_is_refused(kind: Any, chats: Path, url: str) -> None:
    """Every verb on a moved session raises `SessionMoved`, which names the place; the file stays as it is."""
    full = HierarchicalSessionStore(chats, durability="process")
    full.add_user_message("trip", "one")
    full.create_snapshot("trip")
    move(chats, url)
    store = kind(chats)
    raw = (chats / "trip.json").read_bytes()
    tried = 0
    for verb in VERBS:
        if verb.per_session and (not verb.hierarchical or kind is HierarchicalSessionStore):
            tried += 1
            with pytest.raises(SessionMoved, match="it has been moved to ") as caught:
                verb.call(store, "trip")
            assert caught.value.written == "nothing", verb.name
    assert tried >= 10
    for call in (store.session_exists, store.delete_session, lambda each: rescue(store, each)):
        with pytest.raises(SessionMoved):
            call("trip")
    assert [each["status"] for each in store.list_sessions()] == ["moved"]
    assert [finding.kind for finding in verify(store)] == ["moved"]
    assert (chats / "trip.json").read_bytes() == raw


def test_a_moved_child_is_still_listed(chats: Path, url: str) -> None:
    """A parent whose child has moved before it lists the child all the same."""
    store = HierarchicalSessionStore(chats, durability="process")
    store.create_session("trip")
    child = store.fork_session("trip")
    raw = (chats / "trip.json").read_bytes()
    (chats / "trip.json").unlink()
    move(chats, url)
    (chats / "trip.json").write_bytes(raw)
    assert store.get_children("trip") == [child]


# Killed


Line = dict[str, Any]
"""What there was when a move had been killed at one step, somebody had done something, and it had run to its end."""


def at_each_step(tmp_path: Path, url: str, what: str, *faults: str) -> list[Line]:
    """Kill a move at each step, do something, move to the end; return what there was each time."""
    command = [sys.executable, "-m", "tests.move.each_step", str(tmp_path / "steps"), url, what, *faults]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["killed"] for line in lines] == [True] * (len(lines) - 1) + [False]
    return lines


def an_append_is_there_once(lines: list[Line]) -> None:
    """Whenever the move dies, a worker's next append and all before it are in the database after the next run."""
    for line in lines:
        assert (line["left"], line["again"]) == ([], 0), line
        assert (line["here"], line["there"]) == ("moved", ["one", "two", "since then"]), line


def a_deletion_is_not_undone_in_silence(lines: list[Line]) -> None:
    """A session that a worker deletes after the kill is gone, or its copy is named until somebody deletes that."""
    for line in lines:
        assert line["here"] in ("none", "moved"), line
        assert line["there"] == "none" or line["left"], line
        assert not line["left"] or ("deleted here" in line["left"][0] and line["again"] == 1), line
    assert {line["there"] == "none" for line in lines} == {True, False}


def another_session_of_the_id_is_kept(lines: list[Line]) -> None:
    """A session that is deleted and begun anew is moved, or named beside the copy of the old one; never merged."""
    for line in lines:
        if line["left"]:
            assert (line["here"], line["there"]) == (["since then"], ["one", "two"]), line
        else:
            assert (line["here"], line["there"]) == ("moved", ["since then"]), line
    assert {bool(line["left"]) for line in lines} == {True, False}


def nothing_of_others_is_overwritten(lines: list[Line]) -> None:
    """A session that was changed in the database before anybody was sent there is left on both sides, and named."""
    for line in lines:
        assert "there" in line["there"], line
        if line["left"]:
            assert line["here"] == ["one", "two", "since then"], line
            assert "another session of this id" in line["left"][0], line
        else:
            assert "since then" in line["there"], line
    assert {bool(line["left"]) for line in lines} == {True, False}


PROMISES = {
    "a_worker_adds": an_append_is_there_once,
    "a_worker_deletes": a_deletion_is_not_undone_in_silence,
    "a_worker_makes_it_anew": another_session_of_the_id_is_kept,
    "two_workers_disagree": nothing_of_others_is_overwritten,
}


@pytest.mark.parametrize("url", ["sqlite", "postgresql"] if FULL_GRID else ["sqlite"], indirect=True)
@pytest.mark.parametrize("what", PROMISES)
def test_killed_at_each_step(what: str, tmp_path: Path, url: str) -> None:
    """The move is killed before each verb of the disk, each statement and each commit, and keeps its promises."""
    lines = at_each_step(tmp_path, url, what)
    assert len(lines) > 30, "there are more steps than that"
    assert all(line["litter"] == [] for line in lines)
    PROMISES[what](lines)


BROKEN = [
    ("no_journal", "a_worker_adds"),
    ("no_journal", "a_worker_deletes"),
    ("overwriting", "a_worker_makes_it_anew"),
    ("overwriting", "two_workers_disagree"),
    ("copy_not_refreshed", "a_worker_adds"),
    ("marked_first", "a_worker_adds"),
]
"""Faults of a move, and the promise that each breaks: the first four break each promise once."""
QUICK = BROKEN[1:3]
"""What the normal run has of them."""


@pytest.mark.parametrize(("fault", "what"), BROKEN if FULL_GRID else QUICK)
def test_a_broken_move_is_seen(fault: str, what: str, tmp_path: Path) -> None:
    """Each promise is seen broken by a move that has the fault."""
    url = f"sqlite:///{tmp_path}/chats.db"
    DbSessionAdapter(url).create_schema()
    lines = at_each_step(tmp_path, url, what, fault)
    with pytest.raises(AssertionError):
        PROMISES[what](lines)


def test_the_session_is_held_while_it_is_copied(chats: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that writes while its session is copied waits. Kills: a move without the lock of the file."""
    DefaultSessionStore(chats, durability="process").add_user_message("trip", "one")
    hasty = DefaultSessionStore(chats, lock_timeout=0.05)
    update = SessionRows.update
    tried = []

    def updated(self: Any, session_id: str, change: Any, **options: Any) -> bool:
        tried.append(session_id)
        with pytest.raises(LockTimeout):
            hasty.add_user_message(session_id, "two")
        return update(self, session_id, change, **options)

    monkeypatch.setattr(SessionRows, "update", updated)
    assert move(chats, url).moved == 1
    assert tried == ["trip"]


@pytest.mark.parametrize("url", ["sqlite", "postgresql"] if FULL_GRID else ["postgresql"], indirect=True)
def test_workers_go_on_while_it_is_killed_again_and_again(chats: Path, url: str) -> None:
    """Three processes add messages while a move is killed and started again: each acknowledged one is there once."""
    sessions = [f"s{number}" for number in range(6)]
    first = DefaultSessionStore(chats, durability="process")
    for session_id in sessions:
        first.add_user_message(session_id, "the first")
    python = [sys.executable, "-m"]
    started = [
        subprocess.Popen(
            [*python, "tests.move.worker", str(chats), url, name, *sessions],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in ("ann", "bob", "cem")
    ]
    acknowledged = Counter((session_id, "the first") for session_id in sessions)
    for worker in started:  # all of them are at work
        assert worker.stdout
        acknowledged.update([_said(worker.stdout.readline())])
    kills = 0
    for last in (25, 60, 90, 150, 40, 200):
        status = subprocess.run([*python, "tests.move.killed", str(chats), url, str(last)], cwd=ROOT).returncode
        assert status in (0, -signal.SIGKILL)
        kills += status != 0
    assert kills >= 3
    ended = subprocess.run(
        [*python, "readfresh.move", str(chats), url, "--lock-timeout", "60"], cwd=ROOT, capture_output=True
    )
    assert ended.returncode == 0, ended
    for worker in started:
        assert worker.stdin
        assert worker.stdout
        with worker.stdin, worker.stdout:
            worker.stdin.write("stop\n")
            worker.stdin.flush()
            acknowledged.update(map(_said, worker.stdout))
        assert worker.wait() == 0
    database = DbSessionAdapter(url)
    found = Counter(
        (session_id, message["content"]) for session_id in sessions for message in database.get_chat_history(session_id)
    )
    assert found == acknowledged
    assert len(acknowledged) > len(sessions) + 3
    for name in ("ann", "bob", "cem"):
        for session_id in sessions:
            of_worker = [m["content"] for m in database.get_chat_history(session_id) if m["content"].startswith(name)]
            assert of_worker == sorted(of_worker, key=lambda content: int(content.split()[1]))


def _said(line: str) -> tuple[str, str]:
    session_id, content = line.rstrip("\n").split("\t")
    return session_id, content


# Left


def test_what_cannot_be_read_is_left_and_named(chats: Path, url: str) -> None:
    """Damaged, foreign and too new sessions stay as they are, byte for byte, and the others are moved."""
    store = DefaultSessionStore(chats, durability="process")
    for session_id in ("trip", "damaged", "new", "home"):
        store.add_user_message(session_id, "hi")
    (chats / "damaged.json").write_text('{"session_id"')
    (chats / "new.json").write_text((chats / "new.json").read_text().replace('version": 1', 'version": 9'))
    (chats / "home.json").rename(chats / "foreign.json")
    before = {path.name: path.read_bytes() for path in chats.glob("*.json") if path.name != "trip.json"}
    report = move(chats, url)
    assert report.moved == 1
    assert {left.file: left.why.split(".")[0] for left in report.left} == {
        "damaged.json": "It is not JSON at line 1, column 14 (Expecting ':' delimiter)",
        "new.json": "Its schema_version is 9, and this readfresh knows versions up to 1",
        "foreign.json": "The file 'foreign",
    }
    assert {name: (chats / name).read_bytes() for name in before} == before
    assert [each["session_id"] for each in DbSessionAdapter(url).list_sessions()] == ["trip"]


def test_another_session_in_the_database_is_not_overwritten(chats: Path, url: str) -> None:
    """A session that the database has already, in another state, stays there and here; an equal one counts as moved."""
    store = DefaultSessionStore(chats, durability="process")
    database = DbSessionAdapter(url)
    store.add_user_message("trip", "here")
    database.add_user_message("trip", "there")
    store.add_user_message("equal", "both")
    same = store.get_session("equal")
    database.storage_for(SessionData).update("equal", lambda _: same)
    raw = (chats / "trip.json").read_bytes()
    report = move(chats, url)
    assert [(left.file, "another session of this id" in left.why) for left in report.left] == [("trip.json", True)]
    assert report.moved == 1
    assert (chats / "trip.json").read_bytes() == raw
    assert database.get_chat_history("trip") == [{"role": "user", "content": "there"}]


def test_what_the_database_gives_back_is_compared(chats: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that is not in the database as it was in the file is not marked. Kills: a move without a comparison."""
    store = DefaultSessionStore(chats, durability="process")
    store.add_user_message("trip", "one")
    store.update("trip", lambda session: dataclasses.replace(session, extra={"mood": 1.0}))
    update = SessionRows.update

    def forgetful(self: Any, session_id: str, change: Callable[[Any], Any], **options: Any) -> bool:
        return update(self, session_id, lambda now: dataclasses.replace(change(now), extra={"mood": 1}), **options)

    monkeypatch.setattr(SessionRows, "update", forgetful)
    report = move(chats, url)
    assert [left.why.split(".")[0] for left in report.left] == ["What the database gives back is not what it was given"]
    assert store.get_session("trip").extra == {"mood": 1.0}
    monkeypatch.undo()
    assert move(chats, url).left != [], "that copy is in the way until somebody has looked at it"


def test_a_session_that_is_held_is_left(chats: Path, url: str) -> None:
    """A session whose worker holds the lock for too long is left, and the next run moves it."""
    store = DefaultSessionStore(chats, durability="process")
    store.add_user_message("trip", "one")
    with system_disk().lock(str(chats / "trip.json.lock"), 1):
        report = move(chats, url, lock_timeout=0.05)
    assert [left.why for left in report.left] == [
        "Another thread held the lock for 0.05 s. Retry, or give the store a longer lock_timeout."
    ]
    assert move(chats, url).moved == 1


def test_sessions_that_are_made_meanwhile_are_moved(chats: Path, url: str) -> None:
    """A session that a worker creates while the move runs is found by its next look."""
    store = DefaultSessionStore(chats, durability="process")
    store.add_user_message("first", "one")

    def create(done: int, _total: int) -> None:
        if done < 3:
            store.add_user_message(f"made-{done}", "one")

    report = move(chats, url, progress=create)
    assert (report.moved, report.left) == (3, [])


# One at a time, to one place


def test_one_move_at_a_time(chats: Path, url: str) -> None:
    """A second move of the directory is refused while one runs."""
    DefaultSessionStore(chats, durability="process").add_user_message("trip", "one")

    def second(_done: int, _total: int) -> None:
        with pytest.raises(LockTimeout, match=r"is moving this directory.*Wait until that one has ended"):
            move(chats, url)

    assert move(chats, url, progress=second).moved == 1


def test_an_unfinished_move_elsewhere_is_finished_first(chats: Path, tmp_path: Path, url: str) -> None:
    """While copies in one database are unfinished, the directory is not moved to another."""
    DefaultSessionStore(chats, durability="process").add_user_message("trip", "one")
    (chats / JOURNAL).write_text(json.dumps({"to": "sqlite:///other.db", "copies": {"trip": ["0" * 64]}}))
    with pytest.raises(WriteFailed, match=r"a move to sqlite:///other\.db is unfinished"):
        move(chats, url)
    (chats / JOURNAL).write_text("{")
    with pytest.raises(WriteFailed, match="the journal cannot be read"):
        move(chats, url)
    (chats / JOURNAL).unlink()
    elsewhere = f"sqlite:///{tmp_path}/other.db"
    DbSessionAdapter(elsewhere).create_schema()
    assert move(chats, elsewhere).moved == 1
    assert "moved to sqlite:///" in move(chats, url).left[0].why
    assert not (chats / JOURNAL).exists()


def test_a_relative_file_is_told_from_another_of_its_name(
    chats: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another directory, the same relative URL is another database: what is not in it is not counted as moved."""
    DefaultSessionStore(chats, durability="process").add_user_message("trip", "one")
    (tmp_path / "elsewhere").mkdir()
    for folder in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(folder)
        DbSessionAdapter("sqlite:///chats.db").create_schema()
    elsewhere = move(chats, "sqlite:///chats.db")
    assert (elsewhere.moved, elsewhere.left) == (1, [])
    monkeypatch.chdir(tmp_path)
    here = move(chats, "sqlite:///chats.db")
    assert here.moved_before == 0
    assert f"moved to sqlite:///{tmp_path}/elsewhere/chats.db" in here.left[0].why
    again = move(chats, f"sqlite:///{tmp_path}/elsewhere/chats.db")
    assert (again.moved_before, again.left) == (1, [])


# The command


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run the command."""
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_command_says_what_it_has_done(chats: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0 says that all is in the database; 1 that something was left, which is named."""
    store = DefaultSessionStore(chats, durability="process")
    for number in range(20):
        store.add_user_message(f"s{number}", "one")
    status, out, err = run(capsys, chats, url)
    assert (status, out) == (0, "moved:        20, each read back and equal\nmoved before: 0\nleft:         0\n")
    assert err.splitlines() == [f"{number} of 20 sessions" for number in range(2, 22, 2)]
    (chats / "bad.json").write_text("")
    status, out, _ = run(capsys, chats, url)
    assert status == 1
    assert (
        out.splitlines()[-1]
        == "  bad.json: It is empty. See what can be read with readfresh.rescue(store, session_id)."
    )


def test_the_command_says_why_it_cannot_run(chats: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 says that it did not run to its end, and why."""
    empty = f"sqlite:///{tmp_path}/empty.db"
    DefaultSessionStore(chats, durability="process").add_user_message("trip", "one")
    for arguments, said in (
        ((chats, empty), "create_schema()"),
        ((chats, "mysql://host/name"), "url must begin with sqlite:// or postgresql+psycopg://"),
        ((chats, empty, "--lock-timeout", "-1"), "lock_timeout must be"),
        ((tmp_path / "nowhere", empty), "No such file or directory"),
    ):
        status, out, err = run(capsys, *arguments)
        assert (status, out) == (2, "")
        assert said in err
    assert not (tmp_path / "nowhere").exists()


def test_an_interrupted_command_says_so(
    chats: Path, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two sessions leaves both whole, and the next run goes on."""
    store = DefaultSessionStore(chats, durability="process")
    store.add_user_message("trip", "one")
    store.add_user_message("food", "one")

    def interrupt() -> Callable[[int, int], None]:
        def progress(_done: int, _total: int) -> None:
            raise KeyboardInterrupt

        return progress

    with monkeypatch.context() as patched:
        patched.setattr("readfresh.move._as_lines", interrupt)
        status, _, err = run(capsys, chats, url)
    assert (status, "Run it again." in err) == (2, True)
    status, out, _ = run(capsys, chats, url)
    assert (status, out.splitlines()[:2]) == (0, ["moved:        1, each read back and equal", "moved before: 1"])


def test_on_a_terminal_there_is_a_bar(chats: Path, tmp_path: Path) -> None:
    """On a terminal the progress is a bar of rich's; the report stands on stdout all the same."""
    url = f"sqlite:///{tmp_path}/chats.db"
    DbSessionAdapter(url).create_schema()
    DefaultSessionStore(chats, durability="process").add_user_message("trip", "one")
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "readfresh.move", str(chats), url],
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        )
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert done.stdout.startswith("moved:        1,")
    assert "1/1" in shown
