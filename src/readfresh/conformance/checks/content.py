"""Checks of what one call does to what is there: ids, fields, None, damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from readfresh.conformance.arena import READ, Arena, Broken, NotApplicable, Run, field_of, setting_of
from readfresh.conformance.capabilities import CanGrowTrees, CanHoldMetadata, CanReplace, CanTakeSnapshots, has, needs
from readfresh.conformance.crew import Lane, WorkerFailed
from readfresh.conformance.history import History
from readfresh.conformance.operations import Operation, State, add, clear, contents, delete, replace_all, set_field

__all__ = ["damage_is_kept", "ids_are_apart", "none_is_a_value", "nothing_else_changes"]

TEXTS = (
    "plain",
    "two\nlines",
    " spaces ",
    'quote " and \\',
    "ünï 漢字 😀",
    "\u2028",
    '{"json": null}',
    "x" * 20000,
    "",
)
UNKNOWN = {"kept": ["ü", 1, None]}
MARK = "marked-message"
NEIGHBOUR = "the-neighbour"
OTHER = "the-other-message"

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
        history.does("S", f"{where} has appeared outside the store's directory")
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
        history.does("S", "a session's file lies beside the store's directory")
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


def _is_sqlite(file: Path) -> bool:
    return file.read_bytes().startswith(b"SQLite format 3") or file.name.endswith(("-wal", "-journal"))


def _outside(arena: Arena) -> set[Path]:
    found = {path for path in arena.sandbox.rglob("*") if arena.place not in (path, *path.parents)}
    return found | {path for path in arena.run.folder.glob("*") if path.name.startswith("escape")}


def _shown(session: str | None) -> str:
    text = repr(session)
    return text if len(text) < 24 else f"{text[:8]}…{text[-8:]} ({len(str(session))} letters)"


def nothing_else_changes(run: Run) -> str:
    """Texts come back as they were given; other sessions, other fields and fields from elsewhere stay."""
    arena = run.arena()
    _texts(arena)
    _neighbours(arena, _changes(run))
    if has(run, CanHoldMetadata):
        _fields_beside(arena, _changes(run))
    return "messages, other sessions" + _unknown_fields(run)


def _changes(run: Run) -> list[Operation]:
    found = [add("a1"), clear()]
    if has(run, CanReplace):
        found.append(replace_all("a1"))
    if has(run, CanHoldMetadata):
        found.append(set_field("merry"))
    return found


def _texts(arena: Arena) -> None:
    """What is given comes back, and is the same after more has been added."""
    session, given = arena.session(), []
    for number, text in enumerate(TEXTS):
        role = ("user", "assistant")[number % 2]
        if arena.call(arena.a, "add_message", session, role, text).done:  # an empty one may be refused
            given.append({"role": role, "content": text})
        arena.run.schedules += 1
        history = History("Worker A has one store object")
        arena.open(arena.judge)
        shown = _roles_and_contents(arena, arena.judge, session)
        # What one store object sees and another one does not is not altered: that is for read-fresh.
        if given not in (shown, _roles_and_contents(arena, arena.a, session)):
            history.calls("A", f"add_message({role}, {text[:20]!r}) after {len(given) - 1} others")
            history.answers("A", True)
            history.calls("A", "get_chat_history()")
            history.answers("A", f"{len(shown)} messages, the last {str(shown[-1:])[:40]}")
            raise Broken(f"expected {len(given)} messages, the last {str(given[-1:])[:40]}", history)


def _roles_and_contents(arena: Arena, lane: Lane, session: str) -> list[dict[str, Any]]:
    found = arena.must(lane, "get_chat_history", session)
    return [{name: one.get(name) for name in ("role", "content")} for one in found if isinstance(one, dict)]


def _neighbours(arena: Arena, operations: list[Operation]) -> None:
    """A change of one session leaves another one, and its file, as they are; a read changes no file."""
    for operation in (*operations, delete(), READ):
        session, other = arena.session(), arena.session()
        history = History("Worker A has one store object")
        arena.begin(session, (add(OTHER),), history)
        history.calls("A", f"add_message({NEIGHBOUR}) to another session")
        history.answers("A", arena.apply(arena.a, other, add(NEIGHBOUR)))
        files = {path: path.read_bytes() for path in files_that_hold(arena, NEIGHBOUR, other)[:1]}
        apart = {path for path in files if not (OTHER.encode() in files[path] or _is_sqlite(path))}
        history.calls("A", str(operation))
        history.answers("A", arena.apply(arena.a, session, operation))
        found = arena.look(arena.a, other)
        history.calls("A", "get_chat_history() of the other session")
        history.answers("A", found)
        arena.run.schedules += 1
        if found != State((NEIGHBOUR,)):
            raise Broken("a change of one session has changed another one", history)
        if any(not path.exists() or path.read_bytes() != files[path] for path in apart):
            raise Broken("a change of one session has changed the file of another one", history)


def _fields_beside(arena: Arena, operations: list[Operation]) -> None:
    """What a session has beside messages and times survives every change of messages and of one field."""
    for operation in operations:
        session = arena.session()
        history = History("Worker A has one store object")
        _furnish(arena, session, history)
        before = _shown_beside(arena, session)
        messages = arena.truth(session)
        history.calls("A", str(operation))
        history.answers("A", arena.apply(arena.a, session, operation))
        after = _shown_beside(arena, session)
        arena.run.schedules += 1
        lost = sorted(name for name in before if after.get(name) != before[name])
        if lost:
            history.calls("A", "get_session()")
            history.answers("A", f"{lost[0]}: {_told(after.get(lost[0]))}; before, {_told(before[lost[0]])}")
            raise Broken(f"{lost[0]} has changed, and no call had named it", history)
        found = arena.truth(session)
        if isinstance(messages, State) and found != State(operation.after(messages).messages):
            history.calls("A", "get_chat_history()")
            history.answers("A", found)
            raise Broken(f"expected {State(operation.after(messages).messages)}", history)


def _furnish(arena: Arena, session: str, history: History) -> None:
    """Give a session all that its store can hold."""
    if has(arena.run, CanGrowTrees):
        parent = f"{session}-parent"
        arena.must(arena.a, "create_session", parent)
        arena.must(arena.a, "create_session", session, parent_id=parent)
        history.calls("A", "create_session(parent_id=parent)")
        history.answers("A", "its id")
    arena.begin(session, (add("m1"),), history)
    arena.must(arena.a, "update_session_metadata", session, beside="kept")
    history.calls("A", "update_session_metadata(beside=kept)")
    history.answers("A", True)
    if has(arena.run, CanGrowTrees):
        arena.must(arena.a, "fork_session", session)
        history.calls("A", "fork_session()")
        history.answers("A", "the id of a child")
    if has(arena.run, CanTakeSnapshots):
        arena.must(arena.a, "create_snapshot", session)
        history.calls("A", "create_snapshot()")
        history.answers("A", "its id")


def _shown_beside(arena: Arena, session: str) -> dict[str, Any]:
    """Return what `get_session` shows, without what each change changes."""
    arena.open(arena.judge)
    got = arena.must(arena.judge, "get_session", session)
    shown = {name: value for name, value in got.items() if not name.startswith("_")} if isinstance(got, dict) else {}
    for name in ("messages", "updated_at", "mood", "chat_history"):
        shown.pop(name, None)
    metadata = shown.pop("metadata", None)
    if isinstance(metadata, dict):
        shown |= {f"metadata {name}": value for name, value in metadata.items() if name != "mood"}
    if has(arena.run, CanGrowTrees):
        shown["children"] = arena.must(arena.judge, "get_children", session)
    return shown


def _told(value: Any) -> str:
    # The ids in it are others each time, and a report is not.
    return f"{len(value)} entries" if isinstance(value, list | dict) else "nothing" if value is None else "a value"


def _unknown_fields(run: Run) -> str:
    """Add fields to a session's JSON file as a newer program would, and look for them after each change."""
    arena = run.arena()
    levels: set[str] = set()
    operations = _changes(run)
    for operation in (READ, *operations):
        session, history = arena.session(), History("Worker A has one store object")
        arena.begin(session, (add("m1"), add(MARK)), history)
        file = next(iter(files_that_hold(arena, MARK, session)), None)
        parsed = _json_of(file)
        if file is None or parsed is None:
            return "; fields from elsewhere are not tried: the kit finds no JSON file that holds a session"
        put = _put_unknown(parsed)
        file.write_text(json.dumps(parsed), encoding="utf-8")
        history.does("S", f"a newer program adds a field to {' and to '.join(put)}")
        arena.open(arena.a)
        written = file.read_bytes()
        ended = arena.apply(arena.a, session, operation)
        history.calls("A", str(operation))
        history.answers("A", contents(ended.value) if operation is READ and ended.kind == "returned" else ended)
        arena.run.schedules += 1
        if ended.kind == "raised" and file.exists() and file.read_bytes() == written:
            return "; a file with fields from elsewhere is refused with an error, and stays"
        left = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        takes_messages = operation.verb in ("clear_session", "set_chat_history")
        expected = [level for level in put if not (takes_messages and level == "a message")]
        if left.count('"x_unknown"') < len(expected):
            kept = _levels(_json_of(file))
            gone = next((level for level in expected if level not in kept), expected[0])
            history.does("S", f"the field in {gone} is not in the file any more")
            raise Broken(f"a field that the store has never heard of is gone from {gone}", history)
        levels |= set(put)
    return f"; fields from elsewhere in {' and in '.join(sorted(levels, reverse=True))}"


def _json_of(file: Path | None) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8")) if file else None
    except ValueError:
        return None


def _put_unknown(parsed: Any) -> list[str]:
    """Add an unknown field to the message that holds the mark and to the object that holds its list."""
    put: list[str] = []
    for level, holder in _holders(parsed):
        holder["x_unknown"] = UNKNOWN
        put.append(level)
    return put


def _levels(parsed: Any) -> list[str]:
    return [level for level, holder in _holders(parsed, MARK, "a1", "m1") if "x_unknown" in holder]


def _holders(parsed: Any, *marks: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the objects that stand for the session and for a message, where the file has them."""
    wanted = marks or (MARK,)
    found: dict[str, dict[str, Any]] = {}

    def walk(value: Any, around: dict[str, Any] | None, listed: bool) -> None:
        if isinstance(value, dict):
            if any(isinstance(each, str) and each in wanted for each in value.values()) and listed:
                found["a message"] = value
                if around is not None:
                    found["the session"] = around
            for each in value.values():
                walk(each, around if listed and isinstance(each, dict) else value, listed and isinstance(each, dict))
        elif isinstance(value, list):
            for each in value:
                walk(each, around, True)

    walk(parsed, None, False)
    if "the session" not in found and isinstance(parsed, dict) and "messages" in parsed:
        found["the session"] = parsed
    return sorted(found.items(), reverse=True)


def none_is_a_value(run: Run) -> str:
    """A metadata field that is set to None reads as None, in every store object."""
    needs(run, CanHoldMetadata)
    arena = run.arena()
    readers = {"A": arena.a, "thread": arena.rivals["thread"], "process": arena.rivals["process"]}
    for where, reader in readers.items():
        session = arena.session()
        history = History("Worker A has one store object" if where == "A" else setting_of(where))
        who = "A" if where == "A" else "B"
        for value in ("calm", None):
            ended = arena.apply(arena.a, session, set_field(value))
            history.calls("A", str(set_field(value)))
            history.answers("A", ended)
            got = arena.call(reader, "get_session", session)
            found = field_of(got.value, "mood")
            history.calls(who, "get_session()")
            history.answers(who, f"mood is {found}" if got.kind == "returned" else got)
            arena.run.schedules += 1
            if value is None and (found is not None or got.kind != "returned"):
                raise Broken("the field has been set to None, and is not None", history)
            if value is not None and found != value:
                raise WorkerFailed(f"get_session does not show the field that update_session_metadata has set: {got}")
    return "a field with a value is set to None, and read in each store object"


def damage_is_kept(run: Run) -> str:
    """Damage a session in several ways: reading and writing it raise, name it, and leave its bytes."""
    arena = run.arena()
    session = arena.session()
    arena.begin(session, (add("m1"), add(MARK)), History())
    file = next(iter(files_that_hold(arena, MARK, session)), None)
    by_factory = "damage" in run.extras
    if not by_factory:
        if file is None:
            raise NotApplicable("no file below the place holds a session, and the factory has no `damage`")
        if _is_sqlite(file):
            raise NotApplicable("the sessions are in one SQLite file, and the factory has no `damage`")
    kinds = {"as the factory damages it": b""} if by_factory else _damages(file)
    operations = [READ, *_changes(run)]
    for kind in kinds:
        for operation in operations:
            _damage(run.arena(), kind, operation, by_factory=by_factory)
    return f"{', '.join(kinds)}: {len(operations)} verbs each"


def _damages(file: Path | None) -> list[str]:
    whole = _json_of(file) is not None
    return ["cut in half", *(["empty", "no JSON"] if whole else [])]


def _damage(arena: Arena, kind: str, operation: Operation, *, by_factory: bool) -> None:
    session, history = "the-damaged-one", History("Worker A has one store object")
    arena.begin(session, (add("m1"), add(MARK)), history)
    file = None if by_factory else files_that_hold(arena, MARK, session)[0]
    if file is None:
        arena.a.tell("damage", place=str(arena.place), session=session)
        if (told := arena.a.outcome(arena.run.patience)).kind != "returned":
            raise WorkerFailed(f"the factory's damage: {told}")
    else:
        data = file.read_bytes()
        half = data[: data.index(MARK.encode()) + len(MARK) // 2]
        file.write_bytes({"cut in half": half, "empty": b"", "no JSON": b"\x00 no JSON"}[kind])
    history.does("S", f"the session's file is {kind}" if file else "the session is damaged")
    left = {path: path.read_bytes() for path in [file] if path}
    arena.open(arena.a)
    ended = arena.apply(arena.a, session, operation)
    history.calls("A", str(operation))
    history.answers("A", State(contents(ended.value)) if operation is READ and ended.kind == "returned" else ended)
    arena.run.schedules += 1
    for path, data in left.items():
        if not path.exists() or path.read_bytes() != data:
            history.does("S", "the file has been overwritten" if path.exists() else "the file is not there any more")
            if data and any(data == each.read_bytes() for each in arena.place.rglob("*") if each.is_file()):
                history.does("S", "another file has its bytes now")
            raise Broken("the bytes of the damaged session are not in its file any more", history)
    if ended.kind == "returned":
        raise Broken("the damaged session is passed off as another one, without an error", history)
    names = {session, *(path.stem for path in left)}
    if not any(name in ended.error for name in names):
        raise Broken("the error does not name the session", history)
