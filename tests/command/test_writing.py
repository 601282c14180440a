"""What writes makes one new session, says so, and writes over nothing."""

from __future__ import annotations

import json
import os
import pty
import resource
import stat
from pathlib import Path

import pytest

from readfresh import HierarchicalSessionStore
from tests.command.support import Line, everything, files


def added(folder: Path, before: dict[str, bytes]) -> list[str]:
    """Return the session files that are new; all others are as they were."""
    now = files(folder)
    assert {name: now.get(name) for name in before} == before
    return sorted(now.keys() - before.keys())


# rescue


def test_a_rescue_shows_what_it_would_copy(line: Line) -> None:
    """Without --yes, where nobody can be asked, nothing is written; what is left out is said."""
    before = everything(line.directory)
    status, out, err = line("rescue", "broken")
    assert (status, out) == (0, "0  -  user: left\n")
    assert err.splitlines()[0].startswith("readfresh: The file is not a session: it is not JSON")
    assert err.splitlines()[-1] == (
        "readfresh: nothing was written; --yes copies this into the session 'broken-rescued'"
    )
    assert everything(line.directory) == before


def test_a_rescue_copies_when_it_is_told_to(line: Line, store: HierarchicalSessionStore) -> None:
    """With --yes it copies, says so, and leaves the damaged file byte for byte as it was."""
    before = files(line.directory)
    status, _, err = line("rescue", "broken", "--yes")
    assert (status, err.splitlines()[-1]) == (0, "readfresh: copied 1 message into the session 'broken-rescued'")
    assert added(line.directory, before) == ["broken-rescued.json"]
    assert store.get_chat_history("broken-rescued") == [{"role": "user", "content": "left"}]
    assert line("rescue", "broken", "--yes", "--to", "again")[0] == 0
    assert added(line.directory, before) == ["again.json", "broken-rescued.json"]


@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_a_rescue_writes_over_nothing(line: Line, yes: tuple[str, ...]) -> None:
    """An id that is taken is refused, before anybody is asked."""
    before = files(line.directory)
    for target in ("trip", "broken"):
        status, _, err = line("rescue", "broken", "--to", target, *yes)
        assert status == 1
        assert err.splitlines()[-1] == (
            f"readfresh: Session '{target}': it exists already. Nothing was written. Name another one with --to."
        )
    assert added(line.directory, before) == []


@pytest.mark.parametrize(("session_id", "said"), [("nobody", "it does not exist"), ("newer", "Upgrade readfresh.")])
def test_a_rescue_of_what_is_not_damaged_is_refused(line: Line, session_id: str, said: str) -> None:
    """It is refused in the words of the store."""
    before = files(line.directory)
    status, out, err = line("rescue", session_id, "--yes")
    assert (status, out) == (1, "")
    assert said in err
    assert added(line.directory, before) == []


@pytest.mark.parametrize(("answer", "new"), [("y", ["broken-rescued.json"]), ("n", []), ("", [])])
def test_a_rescue_asks_on_a_terminal(line: Line, answer: str, new: list[str]) -> None:
    """On a terminal it asks, copies after a yes, and writes nothing after a no or nothing."""
    before = files(line.directory)
    ours, theirs = pty.openpty()
    try:
        with line.process("rescue", "broken", stdin=theirs, stdout=theirs, stderr=theirs, text=False) as process:
            shown = b""
            while b"[y/N]" not in shown:
                shown += os.read(ours, 1024)
            assert b"Copy this into the session 'broken-rescued'?" in shown
            os.write(ours, answer.encode() + b"\n")
            assert process.wait() == 0
    finally:
        os.close(ours)
        os.close(theirs)
    assert added(line.directory, before) == new


# export and import


def test_what_is_exported_is_imported(line: Line, store: HierarchicalSessionStore, tmp_path: Path) -> None:
    """An export holds everything, to stdout and to a file alike, and an import makes a session of it."""
    store.add_user_message("trip", "Où ? 🎈")
    exported = store.export_session("trip")
    assert json.loads(line.good("export", "trip")) == exported
    assert line.good("export", "trip", "-") == line.good("export", "trip")
    file = tmp_path / "trip.backup"
    assert line("export", "trip", str(file)) == (0, "", f"readfresh: exported 4 messages of 'trip' to {str(file)!r}\n")
    assert json.loads(file.read_bytes()) == exported
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = files(line.directory)
    assert line("import", str(file), "--id", "copy") == (0, "copy\n", f"readfresh: imported {str(file)!r} as\n")
    assert added(line.directory, before) == ["copy.json"]
    assert store.get_chat_history("copy") == store.get_chat_history("trip")
    assert len(store.get_snapshots("copy")) == 1
    assert store.get_children("copy") == []
    status, out, _ = line.given(file.read_bytes(), "import", "-")
    assert status == 0
    assert added(line.directory, before) == sorted(["copy.json", f"{out.strip()}.json"])
    assert store.get_chat_history(out.strip()) == store.get_chat_history("trip")


def test_an_export_writes_over_nothing(line: Line, tmp_path: Path) -> None:
    """A file that exists is refused and stays; a folder, and one that is not there, are refused too."""
    file = tmp_path / "mine"
    file.write_text("mine")
    status, out, err = line("export", "trip", str(file))
    assert (status, out) == (1, "")
    assert err == f"readfresh: {str(file)!r} exists already. Nothing was written. Choose another name.\n"
    assert file.read_text() == "mine"
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert line("export", "trip", str(link))[0] == 1
    assert not (tmp_path / "elsewhere").exists()
    assert line("export", "trip", str(tmp_path))[0] == 2
    status, _, err = line("export", "trip", str(tmp_path / "no" / "folder"))
    assert (status, "No such file or directory" in err) == (1, True)
    status, out, err = line("export", "nobody", str(tmp_path / "nobody"))
    assert (status, out) == (1, "")
    assert "it does not exist" in err
    assert not (tmp_path / "nobody").exists()


def test_half_an_export_is_no_file(line: Line, store: HierarchicalSessionStore, tmp_path: Path) -> None:
    """When the disk takes no more, the export is refused in words, and no half of it is left."""
    store.add_user_message("hotels", "x" * 100_000)
    file = tmp_path / "hotels"

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    with line.process("export", "hotels", str(file), preexec_fn=bound) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert "File too large" in err
    assert err.count("\n") == 1
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\xff\xfe\x00", "it is not UTF-8 at byte 0"),
        (b"[1]", "it holds a JSON list where"),
        (b"{}", "data is no session: it has no list of messages"),
        (b'{"messages": [1]}', "messages[0]: a message must be a dict, not int"),
        (b'{"messages": [], "title": 5}', "title must be"),
        (b'{"messages": [], "schema_version": 99}', "Upgrade readfresh."),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"messages": [], "messages": []}', "twice"),
    ],
)
def test_what_is_no_session_is_not_imported(line: Line, content: bytes, said: str) -> None:
    """The content of a file that is no session is refused with 1, and nothing is written."""
    before = files(line.directory)
    status, out, err = line.given(content, "import", "-", "--id", "copy")
    assert (status, out) == (1, "")
    assert said in err
    assert "Nothing was written." in err
    assert added(line.directory, before) == []


def test_an_import_writes_over_nothing(line: Line) -> None:
    """An id that is taken is refused, also by a damaged session."""
    before = files(line.directory)
    for taken in ("trip", "broken"):
        status, out, err = line("import", str(line.directory / "a_b.json"), "--id", taken)
        assert (status, out) == (1, "")
        assert f"Session '{taken}'" in err
    assert added(line.directory, before) == []
    line("import", str(line.directory / "a_b.json"), "--id", "a/b")
    assert added(line.directory, before) == ["a%2Fb.json"]


# fork


def test_a_fork_begins_as_its_session(line: Line, store: HierarchicalSessionStore) -> None:
    """It has the messages of the session, or those up to an index; only the parent's list of children changes."""
    before = files(line.directory)
    before.pop("trip.json")
    history = store.get_chat_history("trip")
    status, out, err = line("fork", "trip")
    assert (status, err) == (0, "readfresh: forked 'trip' as\n")
    whole = out.strip()
    assert store.get_chat_history(whole) == history
    assert store.get_session(whole).title == "Fork of Porto"
    part = line("fork", "trip", "--at", "0", "--title", "Cheaper")[1].strip()
    assert store.get_chat_history(part) == history[:1]
    assert store.get_session(part).title == "Cheaper"
    assert store.get_children("trip") == ["hotels", whole, part]
    assert store.get_chat_history("trip") == history
    assert added(line.directory, before) == sorted([f"{whole}.json", f"{part}.json", "trip.json"])


@pytest.mark.parametrize("session_id", ["nobody", "broken"])
def test_a_fork_of_what_cannot_be_read_is_refused(line: Line, session_id: str) -> None:
    """It is refused in the words of the store, and nothing is written."""
    before = files(line.directory)
    status, out, err = line("fork", session_id)
    assert (status, out) == (1, "")
    assert f"Session '{session_id}'" in err
    assert added(line.directory, before) == []
