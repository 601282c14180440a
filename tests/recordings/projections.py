"""From what was recorded to what is drawn: six named projections, each a choice of what a reader needs.

What all of them do:

1. A read is an answer of the file, a replace is a message to it, and each says what it has read or written.
   So is a look that finds the file that the worker holds open: what it has kept of it is what a read would find.
2. A step on a lock file, a temporary file or a directory is drawn to the session's file, unless it has a participant
   of its own.
3. Below the first rename of a session's file a note says that it is the instant of the change.
4. An error is a note over the worker that gets it; so are an answer that the scenario tells, and what happens to it.
5. What only looks or cleans up is in none: `exists`, `names`, `make_directory`, `close` by itself, `sync_directory`
   above the sessions, and looks at a lock that is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from readfresh.conformance.sequence import Arrow, Note
from tests.recordings.events import Event

Drawn = Iterator[Arrow | Note]
Projection = Callable[[Sequence[Event], Mapping[str, str]], Drawn]

RENAME = "the rename is the instant of the change"
COMMIT = "the commit is the instant of the change"
SESSION, TEMPORARY = ".json", ".tmp"
DIRECTORY = "chats"

_LOCKS = frozenset({"lock", "look", "read", "write", "replace", "unlink", "unlock"})
_STATEMENTS = frozenset({"BEGIN", "SELECT", "SELECT … FOR UPDATE", "INSERT", "UPDATE", "DELETE", "COMMIT", "ROLLBACK"})
_STEPS = _LOCKS | {"create", "fsync", "close", "sync_directory", "change"}


def locks(events: Sequence[Event], names: Mapping[str, str]) -> Drawn:
    """Who holds the lock, what is read and what is put in its place; nothing of the temporary file."""
    yield from _files(events, names, _LOCKS)


def files(events: Sequence[Event], names: Mapping[str, str]) -> Drawn:
    """What is read and what is put in its place, without the locks.

    A call that touches no file is a message of the worker to itself, with its answer where the scenario tells that.
    """
    yield from _files(events, names, _LOCKS - {"lock", "unlock"}, self_calls=True)


def steps(events: Sequence[Event], names: Mapping[str, str]) -> Drawn:
    """Every step of a save; those on the temporary file that follow each other are one message."""
    yield from _files(events, names, _STEPS)


def calls(events: Sequence[Event], names: Mapping[str, str]) -> Drawn:
    """The calls, each with what it has put into the file, or with the answer that the scenario tells."""
    for number, event in enumerate(events):
        if event.what == "call":
            inside = list(_call(events, number))
            home = next((place for each in inside if (place := _place(each.on, names))), "")
            put = [each.shows for each in inside if each.what == "replace"]
            yield Arrow(event.who, home or event.who, ", ".join([event.on, *put]))
            if inside[-1].what == "return" and inside[-1].shows:
                yield Arrow(home or event.who, event.who, inside[-1].shows, answer=True)
        elif event.what in ("raise", "note"):
            yield Note(event.who, event.shows)


def whole(events: Sequence[Event], names: Mapping[str, str]) -> Drawn:
    """Each call as one message of its steps; then what it has put into the file, or what it has read."""
    for number, event in enumerate(events):
        if event.what == "call":
            inside = [each for each in _call(events, number) if each.what in _LOCKS and not _temporary(each)]
            home = _place(inside[0].on, names)
            yield Arrow(event.who, home, ", ".join(each.what for each in inside))
            last = [each for each in inside if each.what in ("look", "read", "replace")][-1]
            yield Note(home, last.shows) if last.what == "replace" else Arrow(home, event.who, last.shows, answer=True)


def statements(events: Sequence[Event], names: Mapping[str, str]) -> Drawn:
    """What is said to a database, and done with files beside it.

    What a worker says to one of them in a row is one message, as far as a commit, a rename or an unlock;
    of a transaction that nobody comes between, its begin and its end.
    A file without a participant is a message of the worker to itself, when it is replaced or deleted.
    The instant is the rename where a session's file takes part, else the commit.
    The look at the version of the tables is left out.
    """
    instant = "replace" if any(name.endswith(SESSION) for name in names.values()) else "COMMIT"
    changed: set[str] = set()
    said: list[str] = []
    shown = [event for event in events if event.what in _LOCKS | _STATEMENTS | {"note", "raise"}]
    for event, after in zip(shown, [*shown[1:], None], strict=True):
        place = _place(event.on, names)
        if event.what in ("note", "raise"):
            yield Note(event.who, event.shows)
        elif not place:
            if event.what in ("replace", "unlink"):
                yield Arrow(event.who, event.who, f"{event.what} {event.on}")
        elif not _temporary(event):
            said += [event.what] if event.what not in said[-1:] else []
            same = after and (after.who, _place(after.on, names)) == (event.who, place)
            if not same or event.what in ("COMMIT", "replace", "unlock"):
                transaction = (said[0], said[-1]) == ("BEGIN", "COMMIT")
                yield Arrow(event.who, place, "BEGIN … COMMIT" if transaction else ", ".join(said))
                said = []
            if event.what == instant and place not in changed:
                changed.add(place)
                yield Note(place, COMMIT if instant == "COMMIT" else RENAME)


PROJECTIONS: Mapping[str, Projection] = {
    projection.__name__: projection for projection in (locks, files, steps, calls, whole, statements)
}


def _files(
    events: Sequence[Event], names: Mapping[str, str], shown: frozenset[str], *, self_calls: bool = False
) -> Drawn:
    renamed: set[str] = set()
    read: dict[str, str] = {}  # what each worker has read last: an answer that says the same is not said again
    number = 0
    while number < len(events):
        event = events[number]
        number += 1
        place = _place(event.on, names)
        if event.what in ("note", "raise"):
            yield Note(event.who, event.shows)
        elif event.what == "call":
            if self_calls and not any(each.what in shown for each in _call(events, number - 1)):
                answer = _call(events, number - 1)[-1]
                yield Arrow(event.who, event.who, ", ".join(filter(None, [event.on, answer.shows])))
                number = number - 1 + len(_call(events, number - 1))
        elif event.what == "return":
            if event.shows and event.shows != read.get(event.who):
                yield Note(event.who, f"{event.on}: {event.shows}")
        elif event.what == "change":
            if "change" in shown:
                yield Arrow(event.who, event.who, "change")
        elif event.what not in shown or not place:
            continue
        elif _temporary(event):
            if "create" not in shown:
                continue
            row = [event]
            while number < len(events) and events[number].who == event.who and events[number].on == event.on:
                row.append(events[number])
                number += 1
            said = ", ".join(each.what for each in row)
            own = names[place] == event.on
            yield Arrow(event.who, place, said if own else f"{said} {event.on}")
        elif event.what in ("look", "read"):
            read[event.who] = event.shows
            yield Arrow(place, event.who, _said(event), answer=True)
        else:
            source = _temporary_of(event, names) if event.what == "replace" else ""
            yield Arrow(source or event.who, place, _said(event))
            if event.what == "replace" and place not in renamed:
                renamed.add(place)
                yield Note(place, RENAME)


def _call(events: Sequence[Event], begin: int) -> Sequence[Event]:
    """Return what a worker does from a call to its end; what others do meanwhile is not in it."""
    own: list[Event] = []
    depth = 0
    for event in events[begin:]:
        if event.who == events[begin].who and event.what != "note":
            own.append(event)
            depth += {"call": 1, "return": -1, "raise": -1}.get(event.what, 0)
            if depth == 0:
                break
    return own


def _said(event: Event) -> str:
    return ", ".join(filter(None, [event.what, event.shows]))


def _temporary(event: Event) -> bool:
    return event.on.endswith(TEMPORARY)


def _temporary_of(event: Event, names: Mapping[str, str]) -> str:
    """Return the participant that is the temporary file of a session; "" where it has none."""
    return next((who for who, name in names.items() if name == event.on + TEMPORARY), "")


def _place(on: str, names: Mapping[str, str]) -> str:
    """Return the participant that a file or a directory is drawn as; "" for one that is in no diagram."""
    by_name = {name: who for who, name in names.items()}
    session = next((name for name in by_name if name.endswith(SESSION)), "")
    return by_name.get(session if on == DIRECTORY and on not in by_name else on) or by_name.get(
        on.removesuffix(TEMPORARY), ""
    )
