"""Checks of workers that meet: lost updates, stale reads, torn reads, crashes."""

from __future__ import annotations

from collections import Counter
from typing import Any

from readfresh.conformance.arena import READ, Arena, Broken, Race, Run, kills, races, setting_of
from readfresh.conformance.capabilities import CanHoldMetadata, CanReplace, has
from readfresh.conformance.checks.waiting import beside_a_holder
from readfresh.conformance.crew import Outcome, WorkerFailed
from readfresh.conformance.history import History
from readfresh.conformance.operations import (
    EMPTY,
    Operation,
    State,
    add,
    clear,
    contents,
    delete,
    either_order,
    replace_all,
    set_field,
)

__all__ = ["all_or_nothing", "durable", "no_lost_update", "read_fresh"]

SOME = (add("m1"),)


def changes(run: Run) -> list[Operation]:
    """Return one operation of each kind that the store has, those of the five methods first."""
    found = [add("a1"), clear(), delete()]
    if has(run, CanReplace):
        found.append(replace_all("a1", "a2"))
    if has(run, CanHoldMetadata):
        found.append(set_field("merry"))
    return found


def no_lost_update(run: Run) -> str:
    """Two changes at once: what remains is what one order of them makes."""
    arena = run.arena()
    for one, two in _pairs(run):
        for race in races(arena, "process", SOME, one, two):
            _judge_race(arena, race, one, two)
    # Threads are excluded, or not, in one place for all verbs; and a session is created, or read before, by all alike.
    one, two = add("a1"), add("b1")
    for rival, before, warm in (("thread", SOME, False), ("process", (), False), ("process", SOME, True)):
        for race in races(arena, rival, before, one, two, warm=warm):
            _judge_race(arena, race, one, two)
    _stress(arena)
    _impatient(run)
    return f"two changes at once, stopped at each step; two processes with {run.appends} appends each"


def _impatient(run: Run) -> None:
    """A worker that has waited for another one for as long as it waits has not written over it."""
    held = beside_a_holder(run)
    if held and isinstance(held.found, State) and held.found not in held.legal:
        raise Broken(_what_is_lost(held.found, held.legal), held.history)


def _pairs(run: Run) -> list[tuple[Operation, Operation]]:
    rival = add("b1")
    pairs = [(add("a1"), rival), (clear(), rival), (add("a1"), clear()), (add("a1"), delete())]
    if has(run, CanReplace):
        pairs += [(add("a1"), replace_all("b1", "b2")), (replace_all("a1", "a2"), rival)]
    if has(run, CanHoldMetadata):
        pairs += [(set_field("merry"), rival), (add("a1"), set_field("sad"))]
    return pairs


def _judge_race(arena: Arena, race: Race, one: Operation, two: Operation) -> None:
    with_field = "update_session_metadata" in (one.verb, two.verb)
    found = arena.truth(race.session, with_field=with_field)
    race.history.calls("B", "get_chat_history()")
    race.history.answers("B", found)
    if isinstance(found, Outcome):
        if found.waited:
            raise WorkerFailed(f"the session cannot be read afterwards: {found}")
        raise Broken("two changes at once have left a session that cannot be read", race.history)
    legal = either_order(race.state, one, race.a, two, race.b)
    if not with_field:
        legal = {State(state.messages) for state in legal}
    if _unordered(found) not in {_unordered(state) for state in legal}:
        raise Broken(_what_is_lost(found, legal), race.history)


def _unordered(state: State) -> State:
    # Which change came first is not this guarantee's business.
    return State(tuple(sorted(state.messages)), state.field)


def _what_is_lost(found: State, legal: set[State]) -> str:
    lost = [
        text for text in sorted(set.intersection(*({*state.messages} for state in legal))) if text not in found.messages
    ]
    if lost:
        return f"{' and '.join(lost)} had been added, and {'is' if len(lost) == 1 else 'are'} lost"
    back = [text for text in found.messages if all(text not in state.messages for state in legal)]
    if back:
        return f"{back[0]} had been taken out, and is back"
    return f"no order of the two changes leaves {found}"


def _stress(arena: Arena) -> None:
    """Add messages in two processes at once, and look for each of them, in its writer's order."""
    session, history = arena.session(), History("Worker A and worker B are two processes")
    count = arena.run.appends
    lanes = {"A": arena.a, "B": arena.rivals["process"]}
    for who, lane in lanes.items():
        lane.tell("repeat", session=session, tag=who.lower(), count=count)
        lane.hear(arena.run.patience)
        history.calls(who, f"add_message, {count} times")
    for lane in lanes.values():
        lane.tell("go")
    refused = 0
    for who, lane in lanes.items():
        ended = lane.outcome(8 * arena.run.patience)
        if ended.kind != "returned":
            raise WorkerFailed(f"adding {count} messages in a row: {ended}")
        history.answers(who, f"{count - ended.value} were added")
        refused += ended.value
    if refused > count:
        raise WorkerFailed(f"{refused} of {2 * count} appends were refused")
    found = arena.truth(session)
    if isinstance(found, Outcome):
        raise Broken("two writers at once have left a session that cannot be read", history)
    counted = Counter(found.messages)
    history.calls("B", "get_chat_history()")
    history.answers("B", f"{len(found.messages)} messages, {len(counted)} different ones")
    if len(counted) < 2 * count - refused:
        raise Broken("messages that had been added are lost", history)
    if len(counted) != len(found.messages):
        raise Broken("a message stands in the session twice", history)
    for tag in "ab":
        order = [int(text[1:]) for text in found.messages if text[0] == tag]
        if order != sorted(order):
            raise Broken(f"the messages of worker {tag.upper()} are not in the order in which they were added", history)


def read_fresh(run: Run) -> str:
    """A read that starts after a write has returned sees it, also when the same reader has read before."""
    arena = run.arena()
    readers = {"thread": arena.rivals["thread"], "process": arena.rivals["process"], "same": arena.a}
    for operation in changes(run):
        for where, reader in readers.items():
            for before in (SOME, ()) if operation.verb == "add_message" else (SOME,):
                _read_write_read(arena, where, reader, before, operation)
    coarse = _coarse_clock(arena)
    for rival in ("process", "thread"):
        for race in races(arena, rival, SOME, READ, add("b1")):
            _judge_next_read(arena, race)
    clock = ", also when the times of the files do not tell" if coarse else ""
    return f"readers that had read before: the same store object, another one, another process{clock}"


def _read_write_read(
    arena: Arena, where: str, reader: Any, before: tuple[Operation, ...], operation: Operation
) -> None:
    same = where == "same"
    session, history = arena.session(), History("Worker A has one store object" if same else setting_of(where))
    state = arena.begin(session, before, history)
    who = "A" if same else "B"
    with_field = operation.verb == "update_session_metadata"
    if before and _see(arena, reader, who, session, history, with_field=with_field) != state:
        raise Broken(f"the write had returned, and the read does not see it: expected {state}", history)
    if not before:
        _see(arena, reader, who, session, history)
    ended = arena.apply(arena.a, session, operation)
    history.calls("A", str(operation))
    history.answers("A", ended)
    if not ended.done:
        raise WorkerFailed(f"{operation} with nothing in its way: {ended}")
    expected = operation.after(state)
    found = _see(arena, reader, who, session, history, with_field=with_field)
    if found != expected:
        raise Broken(f"the write had returned, and the read does not see it: expected {expected}", history)
    arena.run.schedules += 1
    exists = arena.call(reader, "session_exists", session)
    if exists.kind == "returned" and operation.verb in ("add_message", "delete_session"):
        history.calls(who, "session_exists()")
        history.answers(who, exists)
        if bool(exists.value) != (operation.verb == "add_message"):
            raise Broken("the write had returned, and session_exists does not see it", history)


def _see(arena: Arena, lane: Any, who: str, session: str, history: History, *, with_field: bool = False) -> Any:
    found = arena.look(lane, session, with_field=with_field)
    history.calls(who, "get_chat_history()" if not with_field else "get_session()")
    history.answers(who, found)
    return found


def _coarse_clock(arena: Arena) -> bool:
    """Write twice within one tick of the clock of a file system, as far as a reader can tell from times and sizes."""
    seen = False
    for where in ("thread", "process"):
        reader = arena.rivals[where]
        session, history = arena.session(), History(setting_of(where))
        arena.begin(session, (add("m1"),), history)
        _see(arena, reader, "B", session, history)
        times = arena.times()
        arena.must(arena.a, "delete_session", session)
        arena.must(arena.a, "add_message", session, "user", "m2")
        history.calls("A", "delete_session(), add_message(m2)")
        history.answers("A", True)
        if arena.set_times(times):
            seen = True
            history.does("S", "all this within one tick of the file system's clock")
        found = _see(arena, reader, "B", session, history)
        if found != State(("m2",)):
            raise Broken("the write had returned, and the read does not see it: expected m2", history)
        arena.run.schedules += 1
    return seen


def _judge_next_read(arena: Arena, race: Race) -> None:
    """A read was stopped and a write came in between: the next read of the same reader sees the write."""
    if not race.b.done:
        return
    found = _see(arena, arena.a, "A", race.session, race.history)
    if found != State(("m1", "b1")):
        raise Broken("the write had returned, and the next read does not see it: expected m1, b1", race.history)


def all_or_nothing(run: Run) -> str:
    """A reader in the midst of a change, and a process after a crash, find the state before or the one after."""
    arena = run.arena()
    before = (add("m1"), add("m2"))
    operations = [one for one in changes(run) if one.verb != "set_chat_history"]
    for one in operations:
        for rival in ("process", "thread") if one.verb == "add_message" else ("process",):
            for race in races(arena, rival, before, one, READ):
                _judge_read(race, one)
    free = True  # once a dead worker is waited for, only reads go on: waiting is another check's business
    for one in operations:
        for session, state, _, history in kills(arena, before, one):
            free = _judge_rest(arena, session, {state, one.after(state)}, history, write=free)
    for session, _, _, history in kills(arena, (), add("a1")):
        free = _judge_rest(arena, session, {EMPTY, State(("a1",))}, history, write=free)
    return "readers in a thread and in a process, and a kill at each step"


def _judge_read(race: Race, one: Operation) -> None:
    if race.b.kind != "returned":
        if race.b.waited:
            return
        raise Broken("the reader finds a session that cannot be read", race.history)
    legal = {race.state.messages, one.after(race.state).messages}
    if contents(race.b.value) not in legal:
        raise Broken(f"the reader finds what never was: expected {_either(legal)}", race.history)


def _judge_rest(arena: Arena, session: str, legal: set[State], history: History, *, write: bool) -> bool:
    """Look at what a killed worker has left: it can be read, and written to. Return whether nobody had to wait."""
    with_field = any(state.field is not None for state in legal)
    found = arena.truth(session, with_field=with_field)
    history.calls("B", "get_chat_history()")
    history.answers("B", found)
    if isinstance(found, Outcome):
        if found.waited:
            return False
        raise Broken("the crash has left a session that cannot be read", history)
    if found.messages not in {state.messages for state in legal}:
        raise Broken(f"the crash has left what never was: expected {_either({s.messages for s in legal})}", history)
    if found not in legal:
        raise Broken(f"the crash has left a field that never was: {found.field}", history)
    if not write:
        return False
    ended = arena.apply(arena.judge, session, add("b1"))
    if not ended.done:
        if ended.kind == "returned" or ended.waited:
            return False
        history.calls("B", str(add("b1")))
        history.answers("B", ended)
        raise Broken("the crash has left a session that cannot be written to", history)
    after = arena.truth(session)
    if isinstance(after, State) and after.messages != (*found.messages, "b1"):
        history.calls("B", str(add("b1")))
        history.answers("B", ended)
        history.calls("B", "get_chat_history()")
        history.answers("B", after)
        raise Broken("what the crash has left alters the next change", history)
    return True


def _either(legal: set[tuple[str, ...]]) -> str:
    return " or ".join(str(State(messages)) for messages in sorted(legal, key=len))


def durable(run: Run) -> str:
    """A worker that is killed right after its call has returned takes nothing with it."""
    arena = run.arena()
    for one in changes(run):
        for before in ((add("m1"), add("m2")), ()) if one.verb == "add_message" else ((add("m1"), add("m2")),):
            _return_and_die(arena, before, one)
    return "a kill right after the return; a loss of power is not tried"


def _return_and_die(arena: Arena, before: tuple[Operation, ...], one: Operation) -> None:
    session, history = arena.session(), History("Worker A and worker B are two processes")
    victim = arena.run.crew.fork()
    arena.open(victim)
    state = EMPTY
    for operation in (*before, one):
        last = operation is one
        arena.start(victim, session, operation, die="returned" if last else None)
        ended = victim.outcome(arena.run.patience)
        history.calls("A", str(operation))
        history.answers("A", ended)
        if not ended.done:
            raise WorkerFailed(f"{operation} with nothing in its way: {ended}")
        state = operation.after(state)
    victim.hear(arena.run.patience)
    victim.end()
    arena.run.kills += 1
    history.does("A", "is killed")
    found = arena.truth(session, with_field=state.field is not None)
    history.calls("B", "get_chat_history()")
    history.answers("B", found)
    if found != state and not (isinstance(found, Outcome) and found.waited):
        raise Broken(f"a change that had returned is gone: expected {state}", history)
