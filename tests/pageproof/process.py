"""Run scripts and consoles as a reader does: as real processes in an empty folder."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from .failure import BlockFailed, inside
from .scan import Block

SECONDS = 60
_KEPT = ("VIRTUAL_ENV", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_START")
_PROMPT = "$ "
_DONE = "\x1e"


def environment(base: Path) -> dict[str, str]:
    """Return the environment of a reader with an empty home, for whom warnings are errors."""
    binaries, home = base / "bin", base / "home"
    binaries.mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    for name in ("python", "python3"):
        # A script, not a link: a link would lose the virtual environment.
        (binaries / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        (binaries / name).chmod(0o755)
    path = os.pathsep.join([str(binaries), sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    modules = [str(Path(entry).resolve()) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {
        **({"PYTHONPATH": os.pathsep.join(modules)} if modules else {}),
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "PATH": path,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "80",
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
        # What pip says beside its work depends on the day and the user.
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }


def run_script(block: Block, folder: Path, env: Mapping[str, str]) -> str:
    """Run the program to a silent success and return what it printed."""
    title = write_file(block, folder)
    code, out, err = _run(block, ["python", title], folder, env, subprocess.PIPE)
    if code or err:
        line = re.findall(rf'File ".*{re.escape(title)}", line (\d+)', err)
        at = block.first_line + int(line[-1]) - 1 if line else None
        raise BlockFailed(block, f"{title} ended with {code}, and wrote to stderr:\n{err}", at)
    return out


def write_file(block: Block, folder: Path) -> str:
    """Put the program where a reader would, and return its name."""
    title = block.attributes["title"]
    if re.search(r"^\s*# ?> ", block.text, re.M):
        raise BlockFailed(block, '`#>` in a file: nothing compares it. Use a text {title="Output"} block')
    file = inside(folder, title, block)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(block.text)
    return title


def run_console(block: Block, folder: Path, env: Mapping[str, str]) -> str:
    """Run the commands in one shell and return the block as a terminal would show it.

    The shell stops at a command that fails; the commands below it go on in a new one, in the same folder.
    A failure that the page does not announce with ``[exit N]`` fails the block.
    """
    commands = _commands(block)
    shown: list[str] = []
    start = 0
    while start < len(commands):
        script = "exec 2>&1\n" + "".join(f"{command}\nprintf '\\036'\n" for _, command, _ in commands[start:])
        code, out, _ = _run(block, ["bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script], folder, env)
        outputs = out.split(_DONE)
        if not code and len(outputs) <= len(commands) - start:
            raise BlockFailed(block, "a command left the shell: what stands below it never ran")
        ran = commands[start : start + len(outputs) - (0 if code else 1)]
        for index, ((line, command, announced), output) in enumerate(zip(ran, outputs, strict=False)):
            ended = f"[exit {code}]\n" if code and index == len(outputs) - 1 else ""
            if ended and not announced:
                raise BlockFailed(block, f"ended with {code}: {command}\n{output}", line)
            output += "\n" if output and not output.endswith("\n") else ""
            shown.append(f"{_PROMPT}{command}\n{output}{ended}")
        start += len(ran)
    return "".join(shown)


def _commands(block: Block) -> list[tuple[int, str, bool]]:
    """Return each command with its line on the page, and whether the page says that it fails."""
    commands: list[tuple[int, str, bool]] = []
    lines = block.text.splitlines()
    at = 0
    while at < len(lines):
        line, number = lines[at], block.first_line + at
        if line.startswith(_PROMPT):
            while lines[at].endswith("\\") and at + 1 < len(lines):
                at += 1
                line += "\n" + lines[at]
            commands.append((number, line.removeprefix(_PROMPT), False))
        elif not commands:
            raise BlockFailed(block, "a console begins with `$ `", number)
        elif re.fullmatch(r"\[exit [1-9]\d*\]", line):
            commands[-1] = (*commands[-1][:2], True)
        at += 1
    if not commands:
        raise BlockFailed(block, "a console without a command")
    return commands


def _run(
    block: Block, command: list[str], folder: Path, env: Mapping[str, str], stderr: int = subprocess.STDOUT
) -> tuple[int, str, str]:
    # POSIX looks the program up in the new environment's PATH; a session of its own can be ended with its children.
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True,
        encoding="utf-8", errors="backslashreplace", start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise BlockFailed(block, f"still running after {SECONDS} seconds") from None
    return process.returncode, out, err or ""
