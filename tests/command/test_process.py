"""The command line as a process: how it starts, what it does without its extra, and whom it writes to."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

import readfresh
from readfresh import HierarchicalSessionStore
from readfresh.command import readfresh as commands
from tests.command.support import Line

PRINTS = (("list",), ("show", "trip"), ("tail", "trip"), ("tree", "trip"), ("verify",), ("export", "trip"))


def test_the_script_and_the_module_are_one(line: Line) -> None:
    """``readfresh`` and ``python -m readfresh`` do the same, and warn of nothing."""
    script = Path(sys.executable).parent / "readfresh"
    arguments = ["list", "-d", str(line.directory)]
    as_script = subprocess.run([str(script), *arguments], text=True, capture_output=True)
    command = [sys.executable, "-W", "error", "-m", "readfresh", *arguments]
    as_module = subprocess.run(command, text=True, capture_output=True)
    assert (as_script.returncode, as_script.stdout, as_script.stderr) == (0, line.good("list"), "")
    assert (as_module.returncode, as_module.stdout, as_module.stderr) == (0, line.good("list"), "")
    version = subprocess.run([str(script), "--version"], text=True, capture_output=True)
    assert version.stdout == f"readfresh, version {readfresh.__version__}\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    """It ends with 2 and one line, no traceback."""
    code = f"import sys; sys.modules[{missing!r}] = None; from readfresh.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "pip install 'readfresh[console]'" in done.stderr


@pytest.mark.parametrize("words", PRINTS, ids=" ".join)
def test_a_reader_that_has_gone_is_no_traceback(line: Line, words: tuple[str, ...]) -> None:
    """When whoever reads the output has closed it, as `head` does, the command ends with 1 and without a word."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        with line.process(*words, stdout=writes) as process:
            _, err = process.communicate()
    finally:
        os.close(writes)
    assert (process.returncode, err) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("words", PRINTS, ids=" ".join)
def test_a_full_disk_is_said(line: Line, words: tuple[str, ...]) -> None:
    """Output that cannot be written is no success."""
    with open("/dev/full", "w") as full, line.process(*words, stdout=full) as process:
        _, err = process.communicate()
    assert (process.returncode, err.count("\n")) == (1, 1)
    assert "No space left on device" in err


def test_a_letter_that_the_encoding_lacks_is_written_out(line: Line, store: HierarchicalSessionStore) -> None:
    """Where the output is in Latin-1, every command works, and shows what that has as it is."""
    store.add_user_message("trip", "Où ? 日本")
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    for words in PRINTS:
        with line.process(*words, env=environment, encoding="latin-1") as process:
            out, err = process.communicate()
        assert (process.returncode, err) == (1 if words == ("verify",) else 0, ""), words
        assert words[0] not in ("show", "tail") or r"Où ? \u65e5\u672c" in out


def test_a_terminal_gets_a_table_that_fits(line: Line, store: HierarchicalSessionStore) -> None:
    """On a terminal no line is wider than it, and no id is cut; in a pipe nothing is wrapped."""
    long = "x" * 100
    store.add_user_message(long, "hi")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "60"}
    shown = b""
    with line.process("list", stdout=theirs, text=False, env=environment) as process:
        os.close(theirs)
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # how Linux says that the other side is closed
            pass
        assert process.wait() == 0
    os.close(ours)
    assert b"\x1b[" in shown
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown.decode()).splitlines()
    assert max(map(len, lines)) <= 60
    assert "".join(each.split(" ")[0] for each in lines[1:]).startswith(long)
    assert any(each.startswith(f"{long}  ") for each in line.good("list").splitlines())


def test_each_command_has_help() -> None:
    """Help is there for each command, in 80 columns, and names the commands in the order of a visit."""
    whole = subprocess.run([sys.executable, "-m", "readfresh", "--help"], text=True, capture_output=True).stdout
    named = re.findall(r"^  (\w+)  ", whole.split("Commands:")[1], re.MULTILINE)
    assert named == ["list", "show", "tail", "tree", "verify", "rescue", "export", "import", "fork"]
    assert named == list(commands.commands)
    assert "..." not in whole.split("Commands:")[1], "a sentence that is too long for the list"
