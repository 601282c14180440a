"""The system calls below the seam, which fail, are short, or are interrupted.

`SystemCalls` stands in front of the functions of `os` and `fcntl` that `Disk` and filelock call, and looks at those
that concern a folder. What is not to fail is done, but for a flush: no test of these cuts the power.
"""

from __future__ import annotations

import contextlib
import fcntl
import inspect
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

from tests.proofs.faults.scene import Endless

PATIENCE_CALLS = 5_000

PATH_FIRST = ("open", "replace", "unlink", "lstat", "stat", "listdir", "mkdir")
DESCRIPTOR_FIRST = ("read", "write", "fsync", "close", "fstat", "fchmod")
# What is patched, and where.
FUNCTIONS: tuple[tuple[ModuleType, str], ...] = (
    *((os, name) for name in (*PATH_FIRST, *DESCRIPTOR_FIRST, "dup2")),
    (fcntl, "flock"),
)

# Where functions are interrupted on entry: in the stores, and in what they call in Python.
ENTERED = ("readfresh", "json", "pathlib.py")

Do = Callable[..., Any]


class Fault:
    """What happens to the calls: nothing, unless a subclass says so.

    Attributes:
        failed: the numbers of the calls that it has changed.
    """

    def __init__(self) -> None:
        self.failed: list[int] = []

    def meet(self, number: int, name: str, do: Do, arguments: tuple[Any, ...]) -> Any:  # noqa: ARG002
        """Answer the call; `do`, given its arguments, makes it."""
        return do(*arguments)


class Refused(Fault):
    """Call number `at` is refused, and every later one too where it lasts.

    A descriptor that cannot be closed is closed all the same, as close(2) does on Linux.
    """

    def __init__(self, at: int, error: int, *, lasts: bool = False) -> None:
        super().__init__()
        self.at = at
        self.error = error
        self.lasts = lasts

    def meet(self, number: int, name: str, do: Do, arguments: tuple[Any, ...]) -> Any:
        """Refuse it when it is time."""
        if number != self.at and not (self.lasts and number > self.at):
            return do(*arguments)
        if len(self.failed) > PATIENCE_CALLS:
            raise Endless
        self.failed.append(number)
        if name == "close":
            do(*arguments)
        raise OSError(self.error, os.strerror(self.error))


class Interrupted(Fault):
    """An exception is raised in the place of call number `at`, or when it has been made and nobody has its answer.

    It is never raised after an open(2) whose answer is lost: nobody could close that descriptor.
    """

    def __init__(self, at: int, kind: type[BaseException], *, made: bool) -> None:
        super().__init__()
        self.at = at
        self.kind = kind
        self.made = made

    def meet(self, number: int, name: str, do: Do, arguments: tuple[Any, ...]) -> Any:
        """Raise when it is time."""
        if number != self.at:
            return do(*arguments)
        if (self.made and name != "open") or name == "close":
            do(*arguments)  # one that is refused anyway is not interrupted
        self.failed.append(number)
        raise self.kind


class Observed(Fault):
    """Nothing is done to the calls; those that the system refuses by itself are noted.

    Attributes:
        numbers: what it refuses them with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def meet(self, number: int, name: str, do: Do, arguments: tuple[Any, ...]) -> Any:  # noqa: ARG002
        """Make the call."""
        try:
            return do(*arguments)
        except (FileExistsError, FileNotFoundError):
            raise
        except OSError as error:
            self.failed.append(number)
            self.numbers.append(error.errno or 0)
            raise


class Entries:
    """An exception is raised on entry to function number `at` of the stores, and of what they call in Python.

    Not in filelock, which answers for itself, not in generators, but for the context managers, and not on entry to
    `Disk.close`: whoever is interrupted there has a descriptor less until the process ends.

    Attributes:
        failed: not empty when it has been raised.
        where: the function.
    """

    def __init__(self, at: int, kind: type[BaseException]) -> None:
        self.failed: list[int] = []
        self.where = ""
        self._at = at
        self._kind = kind
        self._seen = 0

    def during(self, call: Callable[[], Any]) -> Any:
        """Make the call, and raise when it is time."""
        sys.setprofile(self._entered)
        try:
            return call()
        finally:
            sys.setprofile(None)

    def _entered(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or not _is_entered(code.co_filename):
            return
        if code.co_name == "close" and code.co_filename.endswith("disk.py"):
            return
        caller = frame.f_back
        if code.co_flags & inspect.CO_GENERATOR and not (caller and caller.f_code.co_filename == contextlib.__file__):
            return  # it may be entered to be thrown away, where nobody hears what it raises
        if self._seen == self._at:
            sys.setprofile(None)
            self.where = f"{code.co_name} of {Path(code.co_filename).stem}"
            self.failed.append(0)
            self._seen += 1
            raise self._kind
        self._seen += 1


@cache
def _is_entered(file: str) -> bool:
    return not set(ENTERED).isdisjoint(Path(file).parts)


class Short(Fault):
    """Transfer number `at`, a read or a write, moves only a part; then, where an error is given, the next is refused.

    Args:
        name: ``read`` or ``write``.
        at: which of them.
        part: given how many bytes are to be moved, returns how many are.
        error: what the next one is refused with.
    """

    def __init__(self, name: str, at: int, part: Callable[[int], int], error: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.at = at
        self.part = part
        self.error = error
        self._seen = 0

    def meet(self, number: int, name: str, do: Do, arguments: tuple[Any, ...]) -> Any:
        """Move less when it is time."""
        if name != self.name:
            return do(*arguments)
        at, self._seen = self._seen, self._seen + 1
        if at == self.at + 1 and self.error is not None and self.failed:
            self.failed.append(number)
            raise OSError(self.error, os.strerror(self.error))
        if at != self.at:
            return do(*arguments)
        descriptor, asked = arguments
        whole = os.fstat(descriptor).st_size if name == "read" else len(asked)
        part = self.part(whole)
        if not 0 < part < whole:
            return do(*arguments)
        self.failed.append(number)
        return do(descriptor, part if name == "read" else bytes(asked)[:part])


class SystemCalls:
    """Lets a fault meet each call that concerns a folder, while its `with` block runs.

    Attributes:
        steps: the calls: the name, and the name of the file.
    """

    def __init__(self, folder: Path, fault: Fault) -> None:
        self.steps: list[tuple[str, str]] = []
        self._folder = str(folder)
        self._fault = fault
        self._of: dict[int, str] = {}
        self._real: list[tuple[ModuleType, str, Do]] = []

    def __enter__(self) -> SystemCalls:
        for module, name in FUNCTIONS:
            real = getattr(module, name)
            self._real.append((module, name, real))
            setattr(module, name, partial(self._meet, name, real))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for module, name, real in self._real:
            setattr(module, name, real)

    def _meet(self, name: str, real: Do, *arguments: Any, **options: Any) -> Any:
        path = self._path(arguments[1 if name in ("replace", "dup2") else 0])
        if not (path == self._folder or path.startswith(self._folder + os.sep)):
            answer = real(*arguments, **options)
            if name == "open":
                self._of.pop(answer, None)
            return answer
        if name == "dup2":  # it cannot fail, and closes what was open there
            self._of.pop(arguments[1], None)
            return real(*arguments, **options)
        number = len(self.steps)
        self.steps.append((name, os.path.basename(path)))
        return self._fault.meet(number, name, partial(self._do, name, real, path, options), arguments)

    def _do(self, name: str, real: Do, path: str, options: dict[str, Any], *arguments: Any) -> Any:
        if name == "fsync":
            return None
        if name == "close":
            self._of.pop(arguments[0], None)
        answer = real(*arguments, **options)
        if name == "open":
            self._of[answer] = path
        return answer

    def _path(self, named: Any) -> str:
        return self._of.get(named, "") if isinstance(named, int) else os.fsdecode(named)
