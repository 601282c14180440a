"""A check of sessions that have children."""

from __future__ import annotations

from readfresh.conformance.arena import Arena, Broken, Run, kills, races, setting_of
from readfresh.conformance.capabilities import CanGrowTrees, needs
from readfresh.conformance.crew import Lane, Outcome
from readfresh.conformance.history import History
from readfresh.conformance.operations import Operation, State, add

__all__ = ["tree_is_sound"]


def _same(state: State) -> State:
    return state


_CHILDREN = Operation("get_children", (), _same, shown="get_children(parent)")
_DELETE = Operation("delete_session", (), _same, shown="delete_session(parent)")


def tree_is_sound(run: Run) -> str:
    """What a parent lists exists, what was created is listed, and what was deleted stays away."""
    needs(run, CanGrowTrees)
    arena = run.arena()
    for where in ("process", "thread"):
        _a_life(arena, where)
    for make in (_child, _fork):
        for race in races(arena, "process", (), make, _CHILDREN):
            _all_exist(arena, arena.rivals["process"], "B", race.b, race.history)
            _is_listed(arena, race.session, race.a, race.history)
        for session, _, _, history in kills(arena, (), make):
            arena.open(arena.judge)
            _all_exist(arena, arena.judge, "B", _children(arena, arena.judge, "B", session, history), history)
    for race in races(arena, "process", (), _child, _DELETE):
        if race.b.done:
            _is_gone(arena, race.session, race.history)
    for race in races(arena, "process", (), _child, _second_child):
        _is_listed(arena, race.session, race.a, race.history)
        _is_listed(arena, race.session, race.b, race.history)
    return "children and forks, with a reader, a rival, a deletion of the parent and a kill at each step"


def _a_life(arena: Arena, where: str) -> None:
    """Create, look, delete, look."""
    rival, session, history = arena.rivals[where], arena.session(), History(setting_of(where))
    for make in (_child, _fork):
        operation = make(arena, session, history)
        history.calls("A", str(operation))
        ended = arena.apply(arena.a, session, operation)
        history.answers("A", "its id" if ended.done else ended)
        _is_listed(arena, session, ended, history, rival)
        for lane, who in ((arena.a, "A"), (rival, "B")):
            _all_exist(arena, lane, who, _children(arena, lane, who, session, history), history)
        history.calls("B", "delete_session(child)")
        history.answers("B", arena.call(rival, "delete_session", ended.value))
        _all_exist(arena, arena.a, "A", _children(arena, arena.a, "A", session, history), history)
        arena.run.schedules += 1
        session, history = arena.session(), History(setting_of(where))
        operation = make(arena, session, history)
        child = arena.apply(arena.a, session, operation).value
        history.calls("A", str(operation))
        history.answers("A", "its id")
        history.calls("B", "delete_session(parent)")
        history.answers("B", arena.call(rival, "delete_session", session))
        history.calls("A", "add_message(child, m1)")
        history.answers("A", arena.apply(arena.a, child, add("m1")))
        _is_gone(arena, session, history)
        session, history = arena.session(), History(setting_of(where))


def _parent(arena: Arena, session: str, history: History) -> None:
    if not arena.must(arena.a, "session_exists", session):
        arena.must(arena.a, "create_session", session)
        history.calls("A", "create_session(parent)")
        history.answers("A", "its id")


def _child(arena: Arena, session: str, history: History) -> Operation:
    _parent(arena, session, history)
    shown = "create_session(child, parent_id=parent)"
    return Operation("create_session", (), _same, {"parent_id": session}, on=f"{session}-child", shown=shown)


def _second_child(_arena: Arena, session: str, _history: History) -> Operation:
    shown = "create_session(second child, parent_id=parent)"
    return Operation("create_session", (), _same, {"parent_id": session}, on=f"{session}-second", shown=shown)


def _fork(arena: Arena, session: str, history: History) -> Operation:
    _parent(arena, session, history)
    return Operation("fork_session", (), _same, shown="fork_session(parent)")


def _children(arena: Arena, lane: Lane, who: str, session: str, history: History) -> Outcome:
    ended = arena.call(lane, "get_children", session)
    history.calls(who, "get_children(parent)")
    history.answers(who, f"{len(ended.value)} listed" if isinstance(ended.value, list) else ended)
    return ended


def _all_exist(arena: Arena, lane: Lane, who: str, listed: Outcome, history: History) -> None:
    if listed.kind != "returned":
        if listed.waited:
            return
        raise Broken("the children cannot be listed", history)
    for child in listed.value or ():
        exists = arena.call(lane, "session_exists", child)
        if exists.kind == "returned" and not exists.value:
            history.calls(who, "session_exists(child)")
            history.answers(who, False)
            raise Broken("the parent lists a child that does not exist", history)


def _is_listed(arena: Arena, session: str, made: Outcome, history: History, lane: Lane | None = None) -> None:
    if not made.done:
        return
    if lane is None:
        arena.open(arena.judge)
    listed = _children(arena, lane or arena.judge, "B", session, history)
    if listed.kind == "returned" and made.value not in listed.value:
        raise Broken("a child that has been created is not listed by its parent", history)


def _is_gone(arena: Arena, session: str, history: History) -> None:
    arena.open(arena.judge)
    exists = arena.call(arena.judge, "session_exists", session)
    history.calls("B", "session_exists(parent)")
    history.answers("B", exists)
    if exists.kind == "returned" and exists.value:
        raise Broken("the parent had been deleted, and is back", history)
