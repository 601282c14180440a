"""Checks of what one call does to what is there: ids, fields, None, damage."""

from __future__ import annotations

from pathlib import Path

from readfresh.conformance.arena import Arena, Broken, Run
from readfresh.conformance.crew import Outcome, WorkerFailed
from readfresh.conformance.history import History
from readfresh.conformance.operations import State

__all__ = ["ids_are_apart"]

# Ids that stores have folded onto one name, each group in one store.
_GROUPS: tuple[tuple[str, ...], ...] = (
    ("a/b", "a_b", "a-b", "a b", "a:b", "a\\b", "a%2Fb", "a.b", "ab"),
    ("trip", "Trip", "trip ", "trip.", "trip.json", ".trip", "tríp", "tri\u0301p"),
    ("x" * 300, "x" * 299 + "y", "x" * 200),
)
_OUTWARDS = ("../escape", "../../escape", "..", ".", "sub/escape", "../neighbour/escape")


def ids_are_apart(run: Run) -> str:
    """Sessions whose ids differ in one letter each keep their own; ids that look like paths lead nowhere else."""
    taken = refused = 0
    for group in _GROUPS:
        got = _one_group(run.arena(), group)
        taken += got
        refused += len(group) - got
    arena = run.arena()
    (arena.sandbox / "neighbour").mkdir()
    for session in (*_OUTWARDS, str(arena.sandbox / "escape")):
        got = _outwards(arena, session)
        taken += got
        refused += 1 - got
    _foreign_file(arena)
    return f"{taken} ids that are easily taken for each other or for a path" + (
        f"; {refused} more were refused with an error" if refused else ""
    )


def _one_group(arena: Arena, group: tuple[str, ...]) -> int:
    history = History("Worker A has one store object")
    held: dict[str, str] = {}
    for number, session in enumerate(group):
        ended = arena.call(arena.a, "add_message", session, "user", f"m{number}")
        if ended.done:
            held[session] = f"m{number}"
        elif ended.kind == "hung":
            raise WorkerFailed(f"add_message to the session {session!r}: {ended}")
    for session, own in held.items():
        found = arena.look(arena.a, session)
        arena.run.schedules += 1
        if found != State((own,)):
            others = [text for text in getattr(found, "messages", ()) if text != own]
            other = next((each for each, text in held.items() if text in others), None)
            for each in (session, other) if other else (session,):
                history.calls("A", f"add_message({_shown(each)}, {held[each]})")
                history.answers("A", True)
            history.calls("A", f"get_chat_history({_shown(session)})")
            history.answers("A", found)
            raise Broken(
                f"{_shown(session)} and {_shown(other)} share their messages"
                if other
                else f"{_shown(session)} has lost its message",
                history,
            )
    for session in list(held)[:1]:
        ended = arena.call(arena.a, "delete_session", session)
        for other, own in list(held.items())[1:]:
            if arena.look(arena.a, other) != State((own,)):
                history.calls("A", f"add_message({_shown(other)}, {own})")
                history.answers("A", True)
                history.calls("A", f"delete_session({_shown(session)})")
                history.answers("A", ended)
                history.calls("A", f"get_chat_history({_shown(other)})")
                history.answers("A", arena.look(arena.a, other))
                raise Broken(f"deleting {_shown(session)} has taken {_shown(other)} too", history)
    return len(held)


def _outwards(arena: Arena, session: str) -> int:
    history = History("Worker A has one store object")
    before = _outside(arena)
    shown = "an absolute path" if session.startswith("/") else repr(session)
    ended = arena.call(arena.a, "add_message", session, "user", "m1")
    history.calls("A", f"add_message({shown}, m1)")
    history.answers("A", ended)
    arena.run.schedules += 1
    if appeared := sorted(_outside(arena) - before):
        where = appeared[0].relative_to(arena.sandbox)
        history.does("S", f"writes {where} beside its directory")
        raise Broken(f"the id {shown} reaches outside the directory", history)
    if ended.done:
        found = arena.look(arena.a, session)
        history.calls("A", f"get_chat_history({shown})")
        history.answers("A", found)
        if found != State(("m1",)):
            raise Broken(f"the session {shown} has lost its message", history)
    return int(ended.done)


def _foreign_file(arena: Arena) -> None:
    """A session's file that lies beside the directory is no session of the store."""
    session = arena.session()
    arena.must(arena.a, "add_message", session, "user", "m1")
    for file in files_that_hold(arena, "m1", session):
        outside = arena.sandbox / f"outside{file.suffix}"
        outside.write_bytes(file.read_bytes().replace(session.encode(), b"../outside"))
        history = History("Worker A has one store object")
        history.does("S", "has a session's file beside its directory")
        found = arena.look(arena.a, "../outside")
        history.calls("A", "get_chat_history('../outside')")
        history.answers("A", found)
        if isinstance(found, State) and found.messages:
            raise Broken("an id has read a file outside the directory", history)
        ended = arena.call(arena.a, "delete_session", "../outside")
        history.calls("A", "delete_session('../outside')")
        history.answers("A", ended)
        if not outside.exists():
            raise Broken("an id has deleted a file outside the directory", history)
        return


def files_that_hold(arena: Arena, text: str, session: str) -> list[Path]:
    """Return the files below the place that hold a session, the likeliest first: those that name it."""
    files = [path for path in sorted(arena.place.rglob("*")) if path.is_file()]
    holding = [path for path in files if text.encode() in path.read_bytes()]
    return sorted(holding, key=lambda path: (session not in path.name, session.encode() not in path.read_bytes()))


def _outside(arena: Arena) -> set[Path]:
    found = {path for path in arena.sandbox.rglob("*") if arena.place not in (path, *path.parents)}
    return found | {path for path in arena.run.folder.glob("*") if path.name.startswith("escape")}


def _shown(session: str | None) -> str:
    text = repr(session)
    return text if len(text) < 24 else f"{text[:8]}…{text[-8:]} ({len(str(session))} letters)"


Found = State | Outcome
