"""Owns one server and its folder: whatever becomes of the test process, neither outlives it.

1. It is started by the test process, in a session of its own, so that Ctrl+C and a closed terminal do not reach it.
2. It takes orders as lines of JSON on its standard input. The end of that input is the death of the test process:
   the server is killed, the folder removed.
3. The server's output is a pipe that all of the server's processes hold: its end is the end of the last of them.
4. On Linux it takes in the children of a server that died before them, and waits for them too.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LOG_LINES_KEPT = 200
PR_SET_CHILD_SUBREAPER = 36  # of Linux' <sys/prctl.h>


class Refused(Exception):
    """An order could not be carried out; the text is for the test process."""


class Keeper:
    """One folder, and at most one server in it at a time."""

    def __init__(self, prefix: str) -> None:
        self.user = unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix=prefix))
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.server: subprocess.Popen[bytes] | None = None
        self.log = b""

    def serve(self) -> None:
        """Carry out orders until the test process is gone."""
        self._say(folder=str(self.folder))
        pending = b""
        while True:
            output = [self.output_of_server] if self.server else []
            ready, _, _ = select.select([0, *output], [], [])
            if output and output[0] in ready and not self._read():
                self._reap()  # it ended by itself
            if 0 in ready:
                read = os.read(0, 65536)
                if not read:
                    return
                *lines, pending = (pending + read).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))

    def close(self) -> None:
        """End the server and remove the folder."""
        try:
            if self.server:
                self.kill()
        finally:
            shutil.rmtree(self.folder)

    def _obey(self, order: dict[str, Any]) -> None:
        try:
            self._say(done=getattr(self, order.pop("verb"))(**order))
        except (Refused, OSError, subprocess.SubprocessError) as error:
            self._say(refused=f"{error}")

    # Orders

    def run(self, command: list[str]) -> None:
        """Run a command to its end."""
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self._identity()
        )
        if done.returncode:
            raise Refused(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')}")

    def start(self, command: list[str], ready: str, seconds: float) -> int:
        """Start the server, wait until its output says that it is ready, and return the process id."""
        if self.server:
            raise Refused("the server runs already")
        self.log = b""
        self.server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **self._identity()
        )
        until = time.monotonic() + seconds
        while not re.search(ready.encode(), self.log):
            left = until - time.monotonic()
            if not select.select([self.output_of_server], [], [], max(0, left))[0]:
                self.kill()
                raise Refused(f"{' '.join(command)} was not ready after {seconds:g} s:\n{self._text()}")
            if not self._read():
                code = self._reap()
                raise Refused(f"{' '.join(command)} ended with {code}:\n{self._text()}")
        return self.server.pid

    def end(self, number: int, seconds: float) -> int:
        """Ask the server to end with a signal, wait until all of its processes have, and return its status."""
        if not self.server:
            raise Refused(f"the server does not run:\n{self._text()}")
        self.server.send_signal(number)
        until = time.monotonic() + seconds
        while select.select([self.output_of_server], [], [], max(0, until - time.monotonic()))[0]:
            if not self._read():
                return self._reap()
        raise Refused(f"signal {number} did not end the server within {seconds:g} s:\n{self._text()}")

    def kill(self) -> int:
        """Kill every process of the server at once, as a crash does, and return when the last is gone."""
        if not self.server:
            raise Refused(f"the server does not run:\n{self._text()}")
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            # Once it has stopped, it makes no more children, and what it has are all that there are.
            self.server.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.server.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        for child in descendants(self.server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self.server.kill()
        while self._read():
            pass
        code = self._reap()
        self._release_shared_memory()
        return code

    def output(self) -> str:
        """Return the last lines that the server has written."""
        return self._text()

    # Helpers

    def _identity(self) -> dict[str, Any]:
        """Return what makes a process run in the folder, as a user who may not do everything."""
        who: dict[str, Any] = {"cwd": self.folder}
        if self.user:
            who |= {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        return who

    @property
    def output_of_server(self) -> int:
        """The pipe that all of the server's processes hold the other end of."""
        assert self.server
        assert self.server.stdout
        return self.server.stdout.fileno()

    def _read(self) -> bool:
        """Take what the server has written; tell whether it can write more."""
        read = os.read(self.output_of_server, 65536)
        self.log = b"".join((self.log + read).splitlines(keepends=True)[-LOG_LINES_KEPT:])
        return bool(read)

    def _reap(self) -> int:
        assert self.server
        assert self.server.stdout
        code = self.server.wait()
        with contextlib.suppress(ChildProcessError):
            while True:  # they have closed the pipe, and are about to end
                os.waitpid(-1, 0)
        self.server.stdout.close()
        self.server = None
        return code

    def _release_shared_memory(self) -> None:
        """Remove the segment that a killed PostgreSQL leaves to its next start, which may never come."""
        noted = self.folder / "data/postmaster.pid"
        lines = noted.read_text().splitlines() if noted.exists() else []
        if len(lines) > 6 and lines[6].split():  # the key, then the id
            subprocess.run(["ipcrm", "-m", lines[6].split()[1]], check=True, capture_output=True)

    def _text(self) -> str:
        return self.log.decode(errors="replace")

    def _say(self, **answer: object) -> None:
        os.write(1, json.dumps(answer).encode() + b"\n")


def unprivileged() -> pwd.struct_passwd | None:
    """Return the user a server runs as; None for the one that runs this. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Refused("there is neither a user postgres nor a user nobody to run the server as")


def descendants(process: int) -> list[int]:
    """Return the ids of the processes that stem from this one."""
    parents = _parents()
    found, waiting = [], [process]
    while waiting:
        parent = waiting.pop()
        children = [pid for pid, its in parents.items() if its == parent]
        found += children
        waiting += children
    return found


def _parents() -> dict[int, int]:
    """Return the parent of each process of the machine."""
    if not Path("/proc/self/stat").exists():
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
        return {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
    # A small Debian has no ps.
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # The name of the program stands in brackets, and may hold brackets and spaces itself.
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return parents


def take_in_orphans() -> None:
    """Become the parent of what stems from this process and has lost its own, where the system knows that."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> None:
    """Keep one server until the test process is gone."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    take_in_orphans()
    keeper = Keeper(sys.argv[1])
    try:
        keeper.serve()
    except BrokenPipeError:  # the test process died before it could hear
        pass
    finally:
        keeper.close()


if __name__ == "__main__":
    main()
