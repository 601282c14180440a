"""Checks of whole histories: replacing one, snapshots, and caches that nobody sees."""

from __future__ import annotations

from typing import Any

from readfresh.conformance.arena import READ, Arena, Broken, Run, field_of, kills, races, setting_of
from readfresh.conformance.capabilities import (
    CanCache,
    CanHoldMetadata,
    CanReplace,
    CanTakeSnapshots,
    has,
    needs,
)
from readfresh.conformance.crew import Outcome, WorkerFailed
from readfresh.conformance.history import History
from readfresh.conformance.operations import (
    Operation,
    State,
    add,
    clear,
    contents,
    either_order,
    replace_all,
    set_field,
)

__all__ = ["cache_is_invisible", "replace_is_one_step", "snapshot_is_exact"]

BEFORE = (add("m1"), add("m2"), add("m3"))


def replace_is_one_step(run: Run) -> str:
    """A reader in the midst of a replacement, and a process after a crash, find one history or the other, whole."""
    needs(run, CanReplace)
    arena = run.arena()
    new = replace_all("a1", "a2")
    for race in races(arena, "process", BEFORE, new, READ):
        legal = {race.state.messages, ("a1", "a2")}
        if race.b.kind == "returned" and contents(race.b.value) not in legal:
            raise Broken("the reader finds a history that is half replaced", race.history)
        if race.b.kind == "raised" and not race.b.waited:
            raise Broken("the reader finds a session that cannot be read", race.history)
    for session, state, _, history in kills(arena, BEFORE, new):
        found = arena.truth(session)
        history.calls("B", "get_chat_history()")
        history.answers("B", found)
        if isinstance(found, State) and found not in (state, new.after(state)):
            raise Broken("the crash has left a history that is half replaced", history)
        if isinstance(found, Outcome) and not found.waited:
            raise Broken("the crash has left a session that cannot be read", history)
    rival = replace_all("b1", "b2", "b3")
    for race in races(arena, "process", BEFORE, new, rival):
        mixed = arena.truth(race.session)
        race.history.calls("B", "get_chat_history()")
        race.history.answers("B", mixed)
        if isinstance(mixed, State) and mixed not in either_order(race.state, new, race.a, rival, race.b):
            raise Broken("two replacements at once leave neither of the two histories", race.history)
    return "readers and kills at each step" + _given_is_kept(arena)


def _given_is_kept(arena: Arena) -> str:
    """Timestamps and metadata that were given with a replacement are read back, where the store shows them."""
    session, history = arena.session(), History("Worker A has one store object")
    given = {"role": "user", "content": "m1", "timestamp": 1234567890.5, "metadata": {"mood": "calm"}}
    arena.must(arena.a, "set_chat_history", session, [given, {"role": "assistant", "content": "m2"}])
    history.calls("A", "set_chat_history([m1 with a timestamp and metadata, m2])")
    history.answers("A", True)
    shown = _messages_with_all(arena, session)
    if shown is None:
        return "; timestamps and metadata of messages are not shown by this store"
    history.calls("A", "get_session()")
    history.answers("A", shown[0] if shown else "no message")
    for name in ("timestamp", "metadata"):
        if not shown or shown[0].get(name) != given[name]:
            raise Broken(f"the {name} that was given is not kept", history)
    return "; timestamps and metadata that were given are kept"


def _messages_with_all(arena: Arena, session: str) -> list[dict[str, Any]] | None:
    for verb in ("get_session", "get_chat_history"):
        if verb not in arena.run.methods:
            continue
        ended = arena.call(arena.a, verb, session)
        found = ended.value.get("messages") if isinstance(ended.value, dict) else ended.value
        if isinstance(found, list) and all(
            isinstance(one, dict) and {"timestamp", "metadata"} <= {*one} for one in found
        ):
            return found
    return None


def snapshot_is_exact(run: Run) -> str:
    """Whatever happens after a snapshot, reverting to it brings back exactly its messages."""
    needs(run, CanTakeSnapshots)
    arena = run.arena()
    told = 0
    for since in _since(run):
        _snapshot_and_revert(arena, since)
        told += 1
    _second_snapshot(arena)
    for race in races(arena, "process", (add("m1"), add("m2")), _take_and_change, READ):
        if race.b.kind == "returned" and contents(race.b.value) not in (("m1", "m2"), ("x1",)):
            raise Broken("the reader finds a history that is half reverted", race.history)
    return f"{told} kinds of changes after a snapshot, in this and in another process; readers at each step of a revert"


def _since(run: Run) -> list[tuple[Operation, ...]]:
    found: list[tuple[Operation, ...]] = [(add("x1"),), (clear(),), (clear(), add("x1"), add("x2"), add("x3"))]
    if has(run, CanReplace):
        found += [(replace_all("x1", "x2", "x3", "x4"),), (replace_all(),)]
    if has(run, CanHoldMetadata):
        found.append((add("x1"), set_field("merry")))
    return found


def _snapshot_and_revert(arena: Arena, since: tuple[Operation, ...]) -> None:
    for where in ("process", "thread"):
        session, history = arena.session(), History(setting_of(where))
        state = arena.begin(session, (add("m1"), add("m2")), history)
        snapshot = arena.must(arena.a, "create_snapshot", session)
        history.calls("A", "create_snapshot()")
        history.answers("A", "a snapshot")
        for operation in since:
            ended = arena.apply(arena.rivals[where], session, operation)
            history.calls("B", str(operation))
            history.answers("B", ended)
            if ended.kind != "returned":
                raise WorkerFailed(f"{operation} with nothing in its way: {ended}")
        _revert(arena, session, snapshot, state, history)


def _revert(arena: Arena, session: str, snapshot: str, state: State, history: History) -> None:
    ended = arena.call(arena.a, "revert_to_snapshot", session, snapshot)
    history.calls("A", "revert_to_snapshot()")
    history.answers("A", ended)
    found = arena.truth(session)
    history.calls("B", "get_chat_history()")
    history.answers("B", found)
    arena.run.schedules += 1
    if not isinstance(found, State) or found.messages != state.messages:
        raise Broken(f"the snapshot was taken of {State(state.messages)}, and brings back something else", history)


def _second_snapshot(arena: Arena) -> None:
    """Two snapshots, reverted to in turn."""
    session, history = arena.session(), History("Worker A has one store object")
    first = arena.begin(session, (add("m1"),), history)
    one = arena.must(arena.a, "create_snapshot", session)
    history.calls("A", "create_snapshot()")
    history.answers("A", "snapshot 1")
    arena.must(arena.a, "add_message", session, "user", "m2")
    two = arena.must(arena.a, "create_snapshot", session)
    history.calls("A", "add_message(m2), create_snapshot()")
    history.answers("A", "snapshot 2")
    _revert(arena, session, one, first, history)
    _revert(arena, session, two, State(("m1", "m2")), history)
    _revert(arena, session, one, first, history)


def _take_and_change(arena: Arena, session: str, history: History) -> Operation:
    snapshot = arena.must(arena.a, "create_snapshot", session)
    history.calls("A", "create_snapshot()")
    history.answers("A", "a snapshot")
    for operation in (clear(), add("x1")):
        arena.must(arena.a, operation.verb, session, *operation.args)
        history.calls("A", str(operation))
        history.answers("A", True)
    return Operation("revert_to_snapshot", (snapshot,), lambda state: state, shown="revert_to_snapshot()")


def cache_is_invisible(run: Run) -> str:
    """Nothing that is read changes because a cache is dropped."""
    needs(run, CanCache)
    arena = run.arena()
    tried = 0
    for where in ("same", "thread", "process"):
        for change in (add("b1"), clear(), *([replace_all("b1")] if has(run, CanReplace) else [])):
            for everything in (False, True):
                _drop(arena, where, change, everything=everything)
                tried += 1
    if has(run, CanHoldMetadata):
        _drop_fields(arena)
    return f"{tried} reads before and after, of sessions that others had changed too"


def _drop(arena: Arena, where: str, change: Operation, *, everything: bool) -> None:
    history = History("Worker A has one store object" if where == "same" else setting_of(where))
    session = arena.session()
    arena.begin(session, (add("m1"),), history)
    history.calls("A", "get_chat_history()")
    history.answers("A", arena.look(arena.a, session))
    writer, who = (arena.a, "A") if where == "same" else (arena.rivals[where], "B")
    history.calls(who, str(change))
    history.answers(who, arena.apply(writer, session, change))
    cold = arena.look(arena.a, session)
    history.calls("A", "get_chat_history()")
    history.answers("A", cold)
    ended = arena.call(arena.a, "invalidate_cache", *([] if everything else [session]))
    history.calls("A", "invalidate_cache()")
    history.answers("A", ended)
    if ended.kind != "returned":
        raise Broken("invalidate_cache raises", history)
    after = arena.look(arena.a, session)
    history.calls("A", "get_chat_history()")
    history.answers("A", after)
    arena.run.schedules += 1
    if str(cold) != str(after):
        raise Broken("dropping the cache has changed what is read", history)


def _drop_fields(arena: Arena) -> None:
    session, history = arena.session(), History(setting_of("process"))
    arena.begin(session, (add("m1"), set_field("calm")), history)
    arena.call(arena.a, "get_session", session)
    history.calls("B", str(set_field("merry")))
    history.answers("B", arena.apply(arena.rivals["process"], session, set_field("merry")))
    seen = []
    for verb in ("get_session", "invalidate_cache", "get_session"):
        ended = arena.call(arena.a, verb, session)
        history.calls("A", f"{verb}()")
        if verb == "get_session":
            seen.append(field_of(ended.value, "mood"))
            history.answers("A", f"mood is {seen[-1]}")
    if seen[0] != seen[1]:
        raise Broken("dropping the cache has changed what is read", history)
