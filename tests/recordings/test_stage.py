"""The stage itself: who runs when, what is written down, and what becomes of a worker that does not end."""

from __future__ import annotations

import ast
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from readfresh import DefaultSessionStore
from tests.recordings import programs, stage
from tests.recordings.events import Event
from tests.recordings.programs import program
from tests.recordings.scenarios import SCENARIOS, all_scenarios
from tests.recordings.seam import WatchedStore, statement
from tests.recordings.stage import Stage, Stuck, messages

QUESTION = {"role": "user", "content": "Where to?"}
OFFLINE = [name for name, scenario in all_scenarios().items() if "PostgreSQL" not in scenario.names.values()]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """A stage with a session of one message."""
    with Stage(tmp_path) as scene:
        scene.unseen(lambda: DefaultSessionStore(scene.chats).set_chat_history("trip", [QUESTION]))
        yield scene


def said(scene: Stage, *what: str) -> list[tuple[str, str, str]]:
    """Return who has done which of these things, and what it showed."""
    return [(event.who, event.what, event.shows) for event in scene.events if event.what in what]


@pytest.mark.parametrize("name", OFFLINE)
def test_a_recording_is_the_same_in_every_run(name: str, tmp_path: Path) -> None:
    """Two runs of a scenario do exactly the same, step by step."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, two = (
        [event for event in SCENARIOS[name].record(tmp_path / run) if event.what != "sync_directory"]
        for run in ("one", "two")
    )
    assert one == two
    assert one


def test_a_worker_stops_where_it_is_told(scene: Stage) -> None:
    """Before the step, of that file; it goes on to its end when it is told to."""
    worker = scene.worker("A")
    worker.begin("add_user_message", "trip", "And when?", before="replace trip.json")
    assert messages((scene.chats / "trip.json").read_bytes()) == "1 message"
    assert said(scene, "lock", "replace", "unlock") == [("A", "lock", "")]
    worker.go(before="unlock food.json")  # a step that does not come
    assert said(scene, "replace", "unlock", "return") == [
        ("A", "replace", "2 messages"),
        ("A", "unlock", ""),
        ("A", "return", ""),
    ]
    worker.go()  # which has ended, and stays so


def test_a_lock_that_is_taken_is_waited_for(scene: Stage) -> None:
    """The worker hands over, and tries again when it goes on."""
    one, two = scene.worker("A"), scene.worker("B")
    one.begin("add_user_message", "trip", "And when?", before="replace")
    two.begin("add_user_message", "trip", "And how?")
    assert said(scene, "lock") == [("A", "lock", ""), ("B", "lock", "waits")]
    one.go()
    two.go()
    assert said(scene, "replace") == [("A", "replace", "2 messages"), ("B", "replace", "3 messages")]


def test_an_error_of_the_stores_is_written_down(scene: Stage) -> None:
    """With what was written; any other error is the scenario's own, and ends it."""
    (scene.chats / "trip.json").write_bytes(b"{")
    worker = scene.worker("A")
    assert worker.call("get_chat_history", "trip") is None
    assert said(scene, "raise") == [("A", "raise", "SessionDamaged, nothing was written")]
    with pytest.raises(TypeError, match="session_id"):
        worker.call("get_chat_history", 7)


def test_nobody_waits_for_ever(scene: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that does not end fails the scenario, and so does one of a process that says nothing."""
    monkeypatch.setattr(stage, "PATIENCE_SECONDS", 0.05)
    worker, never = scene.worker("A"), threading.Event()
    with pytest.raises(Stuck, match="worker A neither stops nor ends"):
        worker.call("update", "trip", lambda session: session.with_metadata({"waited": never.wait()}))
    never.set()
    life = scene.process("B", lambda _here: signal.pause())
    with pytest.raises(Stuck, match="worker B neither gets there nor ends"):
        life.hear()
    with pytest.raises(Stuck, match="did not happen"):
        stage.until(lambda: False)


def test_a_process_is_stopped_and_killed(scene: Stage) -> None:
    """What it does is in the recording, and how it ended is what the system says of it."""

    def act(here: Callable[[], None]) -> None:
        here()
        os.kill(os.getpid(), signal.SIGSTOP)

    life = scene.process("A", act)
    life.hear()
    life.stopped()
    life.kill()
    life.kill()  # which is dead
    assert said(scene, "note") == [("A", "note", "stopped by SIGSTOP"), ("A", "note", "killed by SIGKILL")]


def test_a_store_is_watched_for_whom_it_is_lent(scene: Stage) -> None:
    """Calls that somebody else makes on a worker's store are the worker's; answers and errors are theirs."""
    lent = WatchedStore(scene.worker("A"), get_chat_history=len_told)
    assert lent.get_chat_history("trip") == [QUESTION]
    with pytest.raises(TypeError):
        lent.get_chat_history(7)
    assert said(scene, "call", "return", "raise") == [
        ("A", "call", ""),
        ("A", "return", "1 told"),
        ("A", "call", ""),
        ("A", "raise", "TypeError"),
    ]


def len_told(history: list[object]) -> str:
    """Say how long a history is."""
    return f"{len(history)} told"


@pytest.mark.parametrize(
    ("data", "shown"),
    [(None, "no file"), (b"{", "no session"), (b'["x"]', "1 message"), (b'{"messages": []}', "0 messages")],
)
def test_what_is_said_of_a_session(data: bytes | None, shown: str) -> None:
    """Its messages are counted; one that cannot be read, or is not there, is told apart."""
    assert messages(data) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SELECT x FROM readfresh_schema", "version"),
        ("SELECT x FROM y WHERE z = 1 FOR UPDATE", "SELECT … FOR UPDATE"),
        ("INSERT INTO y VALUES (1)", "INSERT"),
    ],
)
def test_what_is_said_of_a_statement(text: str, shown: str) -> None:
    """Its verb, and whether it holds what it reads."""
    assert statement(text) == shown


def test_a_program_is_not_played(
    scene: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its definitions are there; what it does and prints when it is started is not done."""
    monkeypatch.chdir(scene.folder)
    design = program(scene, "anomalies/lost_update.py")
    assert callable(design.load)
    assert callable(design.play)
    assert capsys.readouterr().out == ""
    assert [path.name for path in scene.folder.iterdir()] == ["chats"]


def test_another_program_records_another_diagram(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The diagram of a design comes from the program on the page: where that is mended, the diagram changes."""
    name = "anomalies/torn_read.py"
    text = (programs.EXAMPLES / name).read_text("utf-8")
    mended = text.replace(
        "        yield  # half-way\n        file.write(text[29:])", "        file.write(text[29:])\n    yield"
    )
    assert ast.dump(ast.parse(mended)) != ast.dump(ast.parse(text))
    (tmp_path / "examples/anomalies").mkdir(parents=True)
    (tmp_path / "examples" / name).write_text(mended)
    (tmp_path / "run").mkdir()
    (tmp_path / "again").mkdir()
    before = SCENARIOS["torn_read"].draw(tmp_path / "run")
    monkeypatch.setattr(programs, "EXAMPLES", tmp_path / "examples")
    after = SCENARIOS["torn_read"].draw(tmp_path / "again")
    assert "F-->>B: read, half a message" in before
    assert "F-->>B: read, 2 messages" in after


def test_what_is_unseen_is_not_recorded(scene: Stage) -> None:
    """What comes before the diagram is in no recording, also when a watched store does it."""
    worker = scene.worker("A")
    assert scene.unseen(lambda: worker.call("session_exists", "trip")) is True
    assert scene.events == []
    scene.note("F", "1 message")
    assert scene.events == [Event("F", "note", "", "1 message")]
