"""Sessions that this process has read or written, each kept with its file held open.

A version of a session is a file of its own: every change renames a new file into the session's place.
No two files have one inode number at the same time, and a file that is held open exists, whatever becomes of its name.
So as long as the file in a session's place has the inode number of the one that is held open, it is that file, and what
was read from it is what a read would find now: one look proves it.
Without the open descriptor it would prove nothing: ext4 gives the number of a file that is gone to the next one, and
two files that were made within one tick of the clock have the same times.

1. What is kept had been finished when it was kept: it was read under the session's lock, or written and flushed.
2. Size and time of modification are compared too: they betray a program that edits a file in its place,
   unless it keeps both (see the page "Limits").
3. At most `MAX_PINS` files are held open, and no more than a sixteenth of what the process may open, and `MAX_BYTES`
   of them kept; what was used longest ago goes first, and all of them go when a store can open no more files.
4. A forked child closes what it has inherited, and keeps nothing of its parent's; a file that another thread was only
   opening at that moment stays open in the child until it ends or becomes another program.
5. The files are opened by `disk`: here they are counted and closed.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from contextlib import suppress
from typing import Any, BinaryIO

with suppress(ImportError):  # on Windows, where nothing is pinned
    import resource

MAX_PINS = 64
MAX_BYTES = 64 * 1024 * 1024

Version = tuple[int, int, int, int]
"""What tells a file that is held open from every other: device, inode number, size, time of modification."""


class Pin:
    """A file that is held open, and the session that was read from it.

    Args:
        file: the open file; where an interrupt leaves nobody to close it, it closes itself.
        version: of the file.
    """

    __slots__ = ("__weakref__", "_file", "session", "size", "version")

    def __init__(self, file: BinaryIO, version: Version) -> None:
        self.session: Any = None
        """What is kept; None once the file is no longer held open, and before it is kept."""
        self._file = file
        self.version = version
        self.size = version[2]

    def keep(self, session: object) -> None:
        """Keep the session for as long as there is room."""
        global _bytes
        given_up = []
        with _guard:
            self.session = session
            _kept[self] = None
            _bytes += self.size
            most = _most_pins()
            for pin in list(_kept):
                if len(_kept) <= most and _bytes <= MAX_BYTES:
                    break
                pin._forget()
                given_up.append(pin)
        for pin in given_up:
            pin.close()

    def used(self) -> None:
        """Note that it has been used now."""
        with _guard:
            if self in _kept:
                _kept.move_to_end(self)

    def close(self) -> None:
        """Let go of the file and of the session."""
        with _guard:
            self._forget()
        with suppress(OSError):  # whatever close(2) answers: it is closed, and nothing was written
            self._file.close()

    def _forget(self) -> None:
        global _bytes
        self.session = None  # first: whoever sees a session after a look knows that the file was open during it
        if self in _kept:
            del _kept[self]
            _bytes -= self.size


class Pins:
    """The pins of one store: by session id, each for as long as it is kept.

    A copy, and what comes out of a pickle, begins with none.
    """

    def __init__(self) -> None:
        self._pins: weakref.WeakValueDictionary[str, Pin] = weakref.WeakValueDictionary()
        self._dropped: dict[str, list[Pin]] = {}
        weakref.finalize(self, _close_each, self._pins).atexit = False

    def __reduce__(self) -> tuple[type[Pins], tuple[()]]:
        return Pins, ()

    def get(self, session_id: str) -> Pin | None:
        """Return the pin of a session, or None."""
        return self._pins.get(session_id)

    def keep(self, session_id: str, pin: Pin, session: object) -> None:
        """Keep `session` with its `pin`, in the place of what was kept of it, which is dropped."""
        self.drop(session_id)
        self._pins[session_id] = pin
        pin.keep(session)

    def drop(self, session_id: str) -> None:
        """Keep nothing of the session any more, and leave its file open until `close_dropped`.

        The system deletes a file that has been replaced when nobody holds it open, which takes a while: nobody has to
        wait for that once the session's lock has been let go.
        """
        if (pin := self._pins.pop(session_id, None)) is not None:
            self._dropped.setdefault(session_id, []).append(pin)

    def close_dropped(self, session_id: str) -> None:
        """Let go of what was dropped of the session."""
        for pin in self._dropped.pop(session_id, ()):
            pin.close()

    def forget(self, session_id: str | None = None) -> None:
        """Let go of the session, or of all."""
        if session_id is None:
            _close_each(self._pins)
        elif (pin := self._pins.get(session_id)) is not None:
            pin.close()


def _close_each(pins: weakref.WeakValueDictionary[str, Pin]) -> None:
    for pin in list(pins.values()):
        pin.close()


def _most_pins() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_PINS if files == resource.RLIM_INFINITY else min(MAX_PINS, files // 16)


def close_all() -> bool:
    """Let go of all that is kept, in every store; return whether there was anything."""
    with _guard:
        pins = list(_kept)
    for pin in pins:
        pin.close()
    return bool(pins)


_kept: OrderedDict[Pin, None] = OrderedDict()  # what was used last stands last
_bytes = 0
_guard = threading.RLock()  # a store may be collected, and what it keeps be closed, in the middle of anything


def _forget_the_parents() -> None:
    global _guard
    _guard = threading.RLock()  # a thread that held it does not exist in the child
    close_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents)
