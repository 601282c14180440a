"""What a recording is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something that a worker has done, or that has happened.

    Args:
        who: the worker, as the diagram calls it: ``A``; for a ``note``, whom it stands over.
        what: a verb of the seam (``lock``, ``read``, ``replace`` …) or ``unlock``; a statement (``BEGIN`` …);
            ``call``, ``return`` or ``raise``; or ``note``.
        on: the file, directory or database that it is about; of a call, the method.
        shows: a fact that was read off while it ran, for a reader: ``2 messages``.
    """

    who: str
    what: str
    on: str = ""
    shows: str = ""
