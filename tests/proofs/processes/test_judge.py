"""The judge is judged: by a slower one, by histories that have an order, and by such as have none."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.processes.judge import judge, order
from tests.proofs.processes.linearizable import FOREVER, SORTABLE, Lists, Operation, Undecided, search, sort
from tests.proofs.processes.log import READING, History
from tests.proofs.processes.sessions import MISSING, Session, specification
from tests.store.support import scaled

EXAMPLES = scaled(150, 5000)
VERBS = ("add", "read", "set", "look", "clear", "delete", "describe", "exists", "count", "fork", "enter", "children")
ALL_VERBS = (*VERBS, "snapshot", "revert")


# Histories that have an order, since they are made in one


@dataclass(frozen=True)
class Step:
    """One operation, and how far its call and its return are from its moment."""

    verb: str
    before: int
    after: int
    cut_off: bool
    in_vain: bool


def steps(verbs: Sequence[str], most: int) -> st.SearchStrategy[list[Step]]:
    """Return lists of steps."""
    spans = st.integers(0, 35)
    cut_off = st.sampled_from([False] * 5 + [True])
    return st.lists(st.builds(Step, st.sampled_from(verbs), spans, spans, cut_off, st.booleans()), max_size=most)


def made(given_steps: Sequence[Step]) -> History:
    """Return the history of steps that happen one after the other, ten moments apart."""
    history = History("trip")
    lists = history.lists
    session = Session()
    successors = specification(lists)
    for number, step in enumerate(given_steps):
        moment = 100 + 10 * number
        argument: Any = {
            "add": f"m{number}",
            "set": lists.of([f"s{number}", f"t{number}"]),
            "describe": (f"field-{number % 2}", number),
            "enter": f"c{number}",
            "snapshot": f"p{number}",
            "revert": next((id_ for id_, _ in session.snapshots), "p0"),
        }.get(step.verb)
        operation = Operation("A", moment - step.before, moment + step.after, step.verb, argument)
        operation.result = answer(session, operation, lists)
        if not (step.cut_off and step.in_vain):
            if step.verb == "add":
                lists.add(session.messages, argument)
            (session, *_) = successors(session, operation)
        if step.cut_off:
            operation = replace(operation, certain=False, result=None)
            if step.verb in READING:
                continue
        history.operations.append(operation)
    return history


def answer(session: Session, operation: Operation, lists: Lists) -> Any:
    """Return what a session answers."""
    answers: dict[str, Any] = {
        "read": session.messages,
        "look": (session.messages, session.metadata),
        "clear": session.exists,
        "delete": session.exists,
        "exists": session.exists,
        "count": lists.length[session.messages] if session.exists else None,
        "fork": session.messages if session.exists else MISSING,
        "children": session.children,
        "snapshot": operation.argument if session.exists else MISSING,
        "revert": operation.argument in dict(session.snapshots),
    }
    return answers.get(operation.verb, True)


def by_search(history: History) -> list[Operation] | None:
    """Judge by the search, without a word of what is likely."""
    return search(history.operations, Session(), specification(history.lists))


def by_enumeration(history: History) -> bool:
    """Judge by trying every order."""
    successors = specification(history.lists)
    return any(explains(permutation, successors) for permutation in itertools.permutations(history.operations))


def explains(operations: Sequence[Operation], successors: Callable[[Session, Operation], Sequence[Session]]) -> bool:
    """Return whether an order respects the moments, and one client would have seen the same."""
    latest = -1
    states = {Session()}
    for operation in operations:
        if operation.returned < latest:
            return False
        latest = max(latest, operation.called)
        after = {each for state in states for each in successors(state, operation)}
        states = after if operation.certain else after | states
    return bool(states)


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps(ALL_VERBS, 25) | steps(sorted(SORTABLE), 40))
def test_what_happened_in_some_order_has_one(given_steps: list[Step]) -> None:
    """A history that was made in an order is not refused, and the order that is found explains it.

    What was cut off and never read may be left out of it.
    """
    history = made(given_steps)
    found = order(history.operations, history.lists)
    assert found is not None
    left_out = {*map(id, history.operations)} - {*map(id, found)}
    assert not any(each.certain for each in history.operations if id(each) in left_out)
    assert explains(found, specification(history.lists))


def changed(history: History, choose: random.Random) -> None:
    """Change something in a history, so that it may have no order any more."""
    if not history.operations:
        return
    lists = history.lists
    index = choose.randrange(len(history.operations))
    operation = history.operations[index]
    kind = choose.choice(["moments", "answer", "answer", "certain", "left out"])
    if kind == "moments":
        called = choose.randrange(60, 400)
        operation = replace(operation, called=called, returned=called + choose.randrange(80))
    elif kind == "answer" and operation.verb == "read":
        messages = lists.messages(operation.result)
        other = lists.messages(choose.randrange(len(lists.before)))
        messages = choose.choice([messages[:-1], messages[1:], messages[::-1], messages + messages, other, ["never"]])
        operation = replace(operation, result=lists.of(messages))
    elif kind == "answer" and isinstance(operation.result, bool):
        operation = replace(operation, result=not operation.result)
    elif kind == "certain" and operation.verb not in READING:
        operation = replace(operation, certain=False, returned=FOREVER, result=None)
    elif kind == "left out":
        del history.operations[index]
        return
    history.operations[index] = operation


@settings(max_examples=scaled(400, 5000), deadline=None)
@given(steps(sorted(SORTABLE), 9), st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_sorter_and_the_search_agree(given_steps: list[Step], choose: random.Random, changes: int) -> None:
    """The fast way answers as the general one does, whatever was answered, and when."""
    history = made(given_steps)
    for _ in range(changes):
        changed(history, choose)
    found = sort(history.operations, history.lists)
    assert (found is None) == (by_search(history) is None)
    assert found is None or explains(found, specification(history.lists))


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps(ALL_VERBS, 5), st.randoms(use_true_random=False), st.integers(0, 2))
def test_the_search_and_every_order_agree(given_steps: list[Step], choose: random.Random, changes: int) -> None:
    """The search answers as the enumeration of all orders does, with and without what is likely."""
    history = made(given_steps)
    for _ in range(changes):
        changed(history, choose)
    exists = by_enumeration(history)
    assert (by_search(history) is not None) == exists
    assert (order(history.operations, history.lists) is not None) == exists


def test_both_ways_refuse() -> None:
    """Of what the tests above have changed, enough has no order: they compare more than one answer."""
    choose = random.Random(1)
    answers = {True: 0, False: 0}
    for _ in range(300):
        spans = [(choose.randrange(30), choose.randrange(30)) for _ in range(8)]
        verbs = ["add", "read", "set", *choose.choices(["add", "read"], k=5)]
        history = made(
            [Step(verb, *span, cut_off=False, in_vain=False) for verb, span in zip(verbs, spans, strict=True)]
        )
        changed(history, choose)
        answers[sort(history.operations, history.lists) is None] += 1
    assert min(answers.values()) > 50, answers


def test_a_search_ends() -> None:
    """A search that has taken too many steps says so."""
    history = made([Step("add", 200, 200, cut_off=False, in_vain=False) for _ in range(12)])
    history.operations.append(Operation("A", 1000, 1001, "read", None, history.lists.of(["never"])))
    with pytest.raises(Undecided, match="13 operations"):
        search(history.operations, Session(), specification(history.lists), most_steps=1000)


def test_what_nobody_has_read_is_judged_fast() -> None:
    """Many messages that were added at once, and replaced before anybody read them, may have come in any order."""
    history = made([Step("add", 500, 500, cut_off=False, in_vain=False)] * 12)
    history.lists = Lists()
    replaced = history.lists.of(["s"])
    history.operations += [
        Operation("B", 2000, 2010, "count", None, 12),
        Operation("B", 2100, 2110, "set", replaced, True),
        Operation("B", 2200, 2210, "look", None, (replaced, ())),
    ]
    assert order(history.operations, history.lists, most_steps=10_000) is not None
    history.operations[-3].result = 11
    assert order(history.operations, history.lists, most_steps=10_000) is None


def long_history(count: int, clients: int = 8) -> History:
    """Return a history of clients that each add a message, then read, over and over."""
    choose = random.Random(count)
    history = History("trip")
    lists = history.lists
    now = node = 0
    last = [0] * clients
    for number in range(count):
        now += 10
        client = number % clients
        called = max(last[client], now - choose.randrange(40))
        last[client] = now + choose.randrange(30)
        operation = Operation(f"w{client}", called, last[client], "read", None, node)
        if choose.random() < 0.5:
            node = lists.add(node, f"m{number}")
            operation = Operation(f"w{client}", called, last[client], "add", f"m{number}", True)
        last[client] += 1
        history.operations.append(operation)
    return history


def test_a_long_history_is_judged() -> None:
    """A hundred thousand operations of eight clients are sorted, and one message that is lost among them is found."""
    history = long_history(scaled(100_000, 1_000_000))
    assert sort(history.operations, history.lists) is not None
    reads = [index for index, each in enumerate(history.operations) if each.verb == "read"]
    middle = reads[len(reads) // 2]
    read = history.operations[middle]
    earlier = history.lists.before[history.lists.before[history.lists.before[history.lists.before[read.result]]]]
    history.operations[middle] = replace(read, called=read.returned - 1, result=earlier)
    assert sort(history.operations, history.lists) is None


# Histories that have none


def at(client: str, called: int, returned: int, verb: str, *values: Any, certain: bool = True) -> tuple[Any, ...]:
    """Return an operation with lists as they are written."""
    return client, called, returned, verb, *values, certain


WRONG: dict[str, tuple[list[tuple[Any, ...]], str, int]] = {
    # What happens, the guarantee that the finding names, and how many calls show it.
    "a lost append": (
        [at("A", 10, 20, "add", "x", True), at("B", 30, 40, "read", None, ["x"]), at("C", 50, 60, "read", None, [])],
        "no-lost-update",
        2,
    ),
    "a stale read": (
        [at("A", 10, 20, "add", "x", True), at("B", 30, 40, "read", None, []), at("C", 50, 60, "read", None, ["x"])],
        "read-fresh",
        2,
    ),
    "another order": (
        [
            at("A", 10, 60, "add", "x", True),
            at("B", 10, 60, "add", "y", True),
            at("C", 20, 30, "read", None, ["x", "y"]),
            at("C", 40, 50, "read", None, ["y", "x"]),
        ],
        "no order",
        4,
    ),
    "a resurrected message": (
        [
            at("A", 10, 20, "add", "x", True),
            at("B", 30, 40, "clear", None, True),
            at("C", 50, 60, "read", None, []),
            at("C", 70, 80, "read", None, ["x"]),
        ],
        "no order",
        3,
    ),
    "lost with a process that was killed": (
        [
            at("A", 10, 20, "add", "x", True),
            at("A", 30, 40, "add", "y", None, certain=False),
            at("B", 50, 60, "read", None, ["y"]),
        ],
        "no-lost-update",
        2,
    ),
    "an effect after death": (
        [
            at("A", 10, 20, "add", "x", None, certain=False),
            at("B", 30, 40, "read", None, []),
            at("B", 50, 60, "read", None, ["x"]),
        ],
        "no order",
        3,
    ),
    "a message that stands twice": (
        [at("A", 10, 20, "add", "x", True), at("B", 30, 40, "read", None, ["x", "x"])],
        "a message stands twice",
        2,
    ),
    "a message that nobody added": ([at("B", 30, 40, "read", None, ["ghost"])], "a message that nobody added", 1),
    "half a replacement": (
        [at("A", 10, 50, "set", ["x", "y"], True), at("B", 30, 40, "read", None, ["x"])],
        "replace-is-one-step",
        2,
    ),
    "a field that is lost": (
        [
            at("A", 10, 20, "describe", ("a", 1), True),
            at("B", 30, 40, "describe", ("b", 2), True),
            at("C", 50, 60, "look", None, [], (("b", 2),)),
        ],
        "no order",
        2,
    ),
    "a child that is not listed": (
        [at("A", 10, 20, "add", "x", True), at("A", 30, 40, "enter", "c", True), at("B", 50, 60, "children", None, ())],
        "no order",
        3,
    ),
    "a snapshot that holds more": (
        [
            at("A", 10, 20, "add", "x", True),
            at("A", 30, 40, "snapshot", "p", "p"),
            at("A", 50, 60, "add", "y", True),
            at("A", 70, 80, "revert", "p", True),
            at("B", 90, 99, "read", None, ["x", "y"]),
        ],
        "no order",
        4,
    ),
    "deleted, and it said that there was nothing": (
        [at("A", 10, 20, "add", "x", True), at("B", 30, 40, "delete", None, False)],
        "no order",
        2,
    ),
}


def wrong(name: str) -> History:
    """Return a history of those above, in the midst of what other clients do with messages of their own."""
    history = History("trip")
    lists = history.lists
    choose = random.Random(name)
    others: list[str] = []
    number = 0
    mixed = any(each[3] not in SORTABLE for each in WRONG[name][0])

    def bustle(moment: int) -> None:
        """Let others add and read, between two moments of the history."""
        nonlocal number
        for step in range(3):
            number += 1
            others.append(f"o{number}")
            called = moment * 1000 + step * 100
            history.operations.append(Operation("O", called, called + 50, "add", others[-1], True))

    if not mixed and not any(each[3] == "set" for each in WRONG[name][0]):
        bustle(1)
    early = list(others)
    for client, called, returned, verb, argument, *rest in WRONG[name][0]:
        *result, certain = rest
        answered: Any = result[0] if result else None
        if verb == "set":
            argument = lists.of(argument)
        if verb == "read":
            answered = lists.of([*early, *answered])
        if verb == "look":
            answered = (lists.of(result[0]), result[1])
        history.operations.append(
            Operation(client, called * 1000 + choose.randrange(50), returned * 1000, verb, argument, answered, certain)
        )
    return history


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_and_explained(name: str) -> None:
    """Each is found, and told in the few calls that show it, as text and as a diagram."""
    _, guarantee, calls = WRONG[name]
    finding = judge(wrong(name))
    assert finding is not None
    assert guarantee in finding.what, finding
    assert len(finding.history) == calls, finding
    assert finding.mermaid.startswith("sequenceDiagram")
    assert finding.mermaid.count("->>Session: ") == calls
