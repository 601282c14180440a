"""What of a recording is drawn, and what is left out."""

from __future__ import annotations

from readfresh.conformance.sequence import Arrow, Note
from tests.recordings.events import Event
from tests.recordings.projections import COMMIT, PROJECTIONS, RENAME, Projection, calls, files, locks, statements, steps
from tests.recordings.projections import whole as whole_calls

NAMES = {"A": "worker A", "F": "trip.json", "B": "worker B"}

# A change as the seam sees it, all of it.
CHANGE = [
    Event("A", "call", "update"),
    Event("A", "make_directory", "chats"),
    Event("A", "sync_directory", "above"),
    Event("A", "lock", "trip.json"),
    Event("A", "read", "trip.json", "1 message"),
    Event("A", "change"),
    Event("A", "exists", "trip.json.tmp"),
    Event("A", "create", "trip.json.tmp"),
    Event("A", "write", "trip.json.tmp"),
    Event("A", "fsync", "trip.json.tmp"),
    Event("A", "close", "trip.json.tmp"),
    Event("A", "still_stands", "trip.json"),
    Event("A", "replace", "trip.json", "2 messages"),
    Event("A", "sync_directory", "chats"),
    Event("A", "unlock", "trip.json"),
    Event("A", "return", "update"),
]
LOCK, READ = Arrow("A", "F", "lock"), Arrow("F", "A", "read, 1 message", answer=True)
REPLACE, UNLOCK = Arrow("A", "F", "replace, 2 messages"), Arrow("A", "F", "unlock")
INSTANT = Note("F", RENAME)


def drawn(projection: Projection, events: list[Event], names: dict[str, str] = NAMES) -> list[Arrow | Note]:
    """Return what a projection makes of the events."""
    return list(projection(events, names))


def test_each_is_documented_and_has_its_name() -> None:
    """The names are those of the functions, and each says in a sentence what it shows."""
    assert list(PROJECTIONS) == ["locks", "files", "steps", "calls", "whole", "statements"]
    assert all((projection.__doc__ or "").split("\n")[0].endswith(".") for projection in PROJECTIONS.values())


def test_locks_show_the_lock_and_what_is_under_it() -> None:
    """Nothing of the temporary file, of directories, of looks and of the call; the rename is marked."""
    assert drawn(locks, CHANGE) == [LOCK, READ, REPLACE, INSTANT, UNLOCK]


def test_files_show_the_same_without_the_lock() -> None:
    """What is read and what is put in its place."""
    assert drawn(files, CHANGE) == [READ, REPLACE, INSTANT]


def test_steps_show_the_temporary_file_in_one_message() -> None:
    """Steps that follow each other on it are joined; the session directory is drawn to the session's file."""
    joined = Arrow("A", "F", "create, write, fsync, close trip.json.tmp")
    flush = Arrow("A", "F", "sync_directory")
    assert drawn(steps, CHANGE) == [LOCK, READ, Arrow("A", "A", "change"), joined, REPLACE, INSTANT, flush, UNLOCK]


def test_what_another_worker_does_parts_what_is_joined() -> None:
    """A message holds nothing that stands on two sides of somebody else's."""
    other = Event("B", "read", "trip.json", "1 message")
    at = next(number for number, event in enumerate(CHANGE) if event.what == "fsync")
    said = [step.text for step in drawn(steps, [*CHANGE[:at], other, *CHANGE[at:]])]
    assert said[3:6] == ["create, write trip.json.tmp", "read, 1 message", "fsync, close trip.json.tmp"]


def test_a_participant_of_its_own_gets_its_steps() -> None:
    """The temporary file takes the session's place itself, and the directory is flushed by its name."""
    names = {"A": "worker A", "T": "trip.json.tmp", "F": "trip.json", "D": "chats"}
    found = drawn(steps, CHANGE, names)
    assert Arrow("A", "T", "create, write, fsync, close") in found
    assert Arrow("T", "F", "replace, 2 messages") in found
    assert Arrow("A", "D", "sync_directory") in found


def test_the_instant_is_marked_once_for_each_file() -> None:
    """A second rename of the same file needs no second note; another file has its own."""
    again = [*CHANGE, *CHANGE, Event("A", "replace", "day.json", "0 messages")]
    found = drawn(locks, again, {**NAMES, "C": "day.json"})
    assert [step for step in found if isinstance(step, Note)] == [INSTANT, Note("C", RENAME)]


def test_files_of_nobody_are_left_out() -> None:
    """A file that is no participant is in no message."""
    assert drawn(locks, [Event("A", "lock", "food.json"), Event("A", "read", "food.json")]) == []


def test_a_look_that_proves_what_is_kept_stands_where_a_read_would() -> None:
    """It is an answer of the file, and of a whole call it is the last word."""
    events = [
        Event("A", "call", "get_session"),
        Event("A", "look", "trip.json", "unchanged, 1 message"),
        Event("A", "return", "get_session", "unchanged, 1 message"),
    ]
    answer = Arrow("F", "A", "look, unchanged, 1 message", answer=True)
    assert drawn(locks, events) == drawn(files, events) == drawn(steps, events) == [answer]
    assert drawn(whole_calls, events) == [Arrow("A", "F", "look"), Arrow("F", "A", "unchanged, 1 message", answer=True)]


def test_what_happens_to_a_worker_is_a_note() -> None:
    """An error, an answer that is told, and what a scenario has found; an answer that repeats the read is not."""
    events = [
        Event("B", "call", "get_children"),
        Event("B", "read", "trip.json", "1 child"),
        Event("B", "return", "get_children", "day-1"),
        Event("B", "call", "count"),
        Event("B", "read", "trip.json", "1 child"),
        Event("B", "return", "count", "1 child"),
        Event("B", "raise", "add_message", "LockTimeout, nothing was written"),
        Event("F", "note", "", "the bytes stay"),
    ]
    notes = [step for step in drawn(locks, events) if isinstance(step, Note)]
    assert notes == [
        Note("B", "get_children: day-1"),
        Note("B", "LockTimeout, nothing was written"),
        Note("F", "the bytes stay"),
    ]


def test_a_call_that_touches_no_file_is_a_message_to_oneself() -> None:
    """With its answer, which comes from somewhere else than the file."""
    events = [Event("B", "call", "get_children"), Event("B", "return", "get_children", "0 children")]
    assert drawn(files, events) == [Arrow("B", "B", "get_children, 0 children")]
    assert drawn(locks, events) == [Note("B", "get_children: 0 children")]


def test_calls_show_what_was_put_and_what_was_answered() -> None:
    """A call of another worker in the midst of one does not lend it its words."""
    events = [
        CHANGE[0],
        Event("B", "call", "get_session"),
        Event("B", "read", "trip.json", "1 message"),
        Event("B", "return", "get_session", "1 message"),
        *CHANGE[1:],
    ]
    assert drawn(calls, events) == [
        Arrow("A", "F", "update, 2 messages"),
        Arrow("B", "F", "get_session"),
        Arrow("F", "B", "1 message", answer=True),
    ]


def test_whole_shows_a_call_in_one_message() -> None:
    """Its steps, and then what it has written, or has read."""
    read = [
        CHANGE[0],
        *(Event("A", what, "trip.json", "1 message" if what == "read" else "") for what in ("lock", "read", "unlock")),
        Event("A", "return", "update"),
    ]
    assert drawn(whole_calls, [*CHANGE, *read]) == [
        Arrow("A", "F", "lock, read, replace, unlock"),
        Note("F", "2 messages"),
        Arrow("A", "F", "lock, read, unlock"),
        Arrow("F", "A", "1 message", answer=True),
    ]


def test_statements_are_joined_as_far_as_the_commit() -> None:
    """A row is one message, a whole transaction its two ends, the look at the version nothing; the commit is marked."""
    names = {"A": "worker A", "D": "PostgreSQL", "B": "worker B"}
    said = ("BEGIN", "version", "SELECT … FOR UPDATE", "INSERT", "INSERT", "COMMIT", "SELECT")
    events = [Event("A", what, "PostgreSQL") for what in said]
    assert drawn(statements, events, names) == [
        Arrow("A", "D", "BEGIN … COMMIT"),
        Note("D", COMMIT),
        Arrow("A", "D", "SELECT"),
    ]
    interrupted = [*events[:4], Event("B", "BEGIN", "PostgreSQL"), *events[4:]]
    assert [step.text for step in drawn(statements, interrupted, names)][:3] == [
        "BEGIN, SELECT … FOR UPDATE, INSERT",
        "BEGIN",
        "INSERT, COMMIT",
    ]


def test_statements_beside_files_have_the_rename_for_their_instant() -> None:
    """A file without a participant is said to oneself when it is replaced or deleted, and left out otherwise."""
    names = {"F": "trip.json", "M": "move", "D": "PostgreSQL"}
    events = [
        Event("M", "lock", ".journal"),
        Event("M", "lock", "trip.json"),
        Event("M", "read", "trip.json", "1 message"),
        Event("M", "create", ".journal.tmp"),
        Event("M", "replace", ".journal"),
        Event("M", "COMMIT", "PostgreSQL"),
        Event("M", "create", "trip.json.tmp"),
        Event("M", "replace", "trip.json", "1 message"),
        Event("M", "unlock", "trip.json"),
        Event("M", "raise", "move", "SessionMoved"),
    ]
    assert drawn(statements, events, names) == [
        Arrow("M", "F", "lock, read"),
        Arrow("M", "M", "replace .journal"),
        Arrow("M", "D", "COMMIT"),
        Arrow("M", "F", "replace"),
        INSTANT,
        Arrow("M", "F", "unlock"),
        Note("M", "SessionMoved"),
    ]
