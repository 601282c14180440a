"""The judge of a session's history: whether there is an order, and where there is none, the few calls that show it.

Each step of the explanation leaves a history that has an order if the whole one has. So what is left has none for a
reason that lies in itself:

1. The history ends with the first answer that cannot be explained; a call under way may have had its effect.
2. A field, the children or the snapshots are left out, in every answer at once, with the changes of them alone.
3. An answer is left out.
4. A message is left out, in every list at once, and with it the counts of messages.
5. A change is taken for one that may have happened at any later time, or never, and is not shown.

What of a change is left out may still have created the session: it becomes a `touch`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from string import ascii_uppercase
from typing import Any, TypeVar

from tests.proofs.processes.linearizable import FOREVER, SORTABLE, Lists, Operation, Undecided, search, sort
from tests.proofs.processes.log import READING, History
from tests.proofs.processes.sessions import MISSING, Session, specification
from tests.proofs.rung import Finding

T = TypeVar("T")

MOST_STEPS = 1_000_000
FEW_STEPS = 3_000
SECONDS_TO_EXPLAIN = 5.0
SHOWN_IN_A_DIAGRAM = 12

SUBJECTS = {"enter": "children", "children": "children", "snapshot": "snapshots"}
"""What the verbs are of that matter to nothing else; a snapshot does to a revert."""


def judge(history: History) -> Finding | None:
    """Return what is wrong with a history, or None when there is an order."""
    try:
        if order(history.operations, history.lists, MOST_STEPS) is not None:
            return None
    except Undecided as undecided:
        return Finding(f"the history of {history.session} is too much to be judged: {undecided}")
    return explain(history)


def order(operations: Sequence[Operation], lists: Lists, most_steps: int | None = None) -> list[Operation] | None:
    """Return an order that explains the operations on one session, or None when there is none."""
    if _sortable(operations):
        return sort(operations, lists)
    return search(
        operations,
        Session(),
        specification(lists),
        passive=lambda operation: operation.verb in READING,
        unlikely=lambda session: session.messages < 0,  # nobody has read it
        most_steps=most_steps,
    )


def _sortable(operations: Sequence[Operation]) -> bool:
    return all(operation.verb in SORTABLE for operation in operations)


def explain(history: History) -> Finding:
    """Return what is wrong with a history that has no order, in as few calls as were found in a few seconds."""
    lists = history.lists
    until = time.monotonic() + SECONDS_TO_EXPLAIN

    def wrong(operations: Sequence[Operation]) -> bool:
        try:
            return order(operations, lists, FEW_STEPS) is None
        except Undecided:
            return False

    operations = _until_the_first(history.operations, wrong)
    last = max((each for each in operations if each.certain), key=lambda each: each.returned)
    for weakened in (_fewer_subjects, _fewer_answers, _fewer_messages, _fewer_changes, _fewer_answers):
        operations = weakened(operations, lists, wrong, until)
    told = _with_sources([each for each in operations if each.returned < FOREVER], history)
    return Finding(
        f"{_claim(last, told, history)}no order of these calls on {history.session} explains what "
        f"{last.client}'s {last.verb} has answered",
        _lines(told, lists),
        _diagram(told, lists),
    )


Wrong = Callable[[Sequence[Operation]], bool]


def _until_the_first(history: Sequence[Operation], wrong: Wrong) -> list[Operation]:
    """Return the shortest beginning of a history that is wrong."""
    moments = sorted({each.returned for each in history if each.certain})

    def until(moment: int) -> list[Operation]:
        operations = []
        for each in history:
            if each.returned <= moment:
                operations.append(each)
            elif each.called <= moment and each.verb not in READING:
                operations.append(_doubtful(each))
        return operations

    low, high = 0, len(moments) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if wrong(until(moments[middle])) else (middle + 1, high)
    found = until(moments[high])
    return found if wrong(found) else list(history)


def _doubtful(operation: Operation) -> Operation:
    return dataclasses.replace(operation, returned=FOREVER, result=None, certain=False)


def _least(items: Sequence[T], wrong: Callable[[list[T]], bool], until: float) -> list[T]:
    """Return as few of the items as are still wrong: halves are left out first, single ones last."""
    left = list(items)
    size = len(left)
    while size and time.monotonic() < until:
        place = 0
        while place < len(left):
            fewer = left[:place] + left[place + size :]
            if wrong(fewer):
                left = fewer
            else:
                place += size
        size //= 2
    return left


def _fewer_subjects(operations: list[Operation], _lists: Lists, wrong: Wrong, until: float) -> list[Operation]:
    """Leave out fields, children and snapshots."""
    fields = {each.argument[0] for each in operations if each.verb == "describe"}
    always = {"snapshots"} if any(each.verb == "revert" for each in operations) else set()

    def only(kept: Collection[str]) -> list[Operation]:
        left = []
        for each in operations:
            if each.verb == "describe" and each.argument[0] not in kept:
                left.append(dataclasses.replace(each, verb="touch", argument=None))
            elif each.verb == "look":
                seen = tuple(field for field in each.result[1] if field[0] in kept)
                left.append(dataclasses.replace(each, result=(each.result[0], seen)))
            elif SUBJECTS.get(each.verb, "") in ("", *kept, *always):
                left.append(each)
        return left

    subjects = [*sorted(fields), *sorted({*SUBJECTS.values()} - always)]
    return only(_least(subjects, lambda kept: wrong(only(kept)), until))


def _fewer_answers(operations: list[Operation], _lists: Lists, wrong: Wrong, until: float) -> list[Operation]:
    changes = [each for each in operations if each.verb not in READING]
    answers = [each for each in operations if each.verb in READING]
    return changes + _least(answers, lambda fewer: wrong(changes + fewer), until)


def _fewer_messages(operations: list[Operation], lists: Lists, wrong: Wrong, until: float) -> list[Operation]:
    added = [each.argument for each in operations if each.verb == "add"]
    sortable = _sortable(operations)

    def only(kept: Collection[str]) -> list[Operation]:
        dropped = {*added} - {*kept}

        def node(number: int) -> int:
            return lists.of([each for each in lists.messages(number) if each not in dropped])

        left = []
        for each in operations:
            if each.verb == "count":
                continue
            if each.verb == "add" and each.argument in dropped:
                if not sortable:
                    left.append(dataclasses.replace(each, verb="touch", argument=None))
                continue
            result = each.result
            if each.verb in ("read", "fork") and result != MISSING:
                result = node(result)
            elif each.verb == "look":
                result = (node(result[0]), result[1])
            left.append(dataclasses.replace(each, result=result))
        return left

    if not wrong(only(added)):
        return operations
    return only(_least(added, lambda kept: wrong(only(kept)), until))


def _fewer_changes(operations: list[Operation], _lists: Lists, wrong: Wrong, until: float) -> list[Operation]:
    def only(kept: Collection[int]) -> list[Operation]:
        return [
            each if each.verb in READING or index in kept else _doubtful(each) for index, each in enumerate(operations)
        ]

    changes = [index for index, each in enumerate(operations) if each.verb not in READING]
    return only({*_least(changes, lambda kept: wrong(only({*kept})), until)})


# How it is told


def _with_sources(told: Sequence[Operation], history: History) -> list[Operation]:
    """Return what is told, and the calls that what was read in it comes from, in the order of the calls."""
    named = {message for each in told for message in _read(each, history.lists) or ()}
    named |= {each.argument for each in told if each.verb == "revert"}
    shown = {(each.client, each.called, each.verb): each for each in told}
    for each in history.operations:
        brings = {
            "add": {each.argument},
            "snapshot": {each.argument},
            "set": {*history.lists.messages(each.argument)} if each.verb == "set" else set(),
        }.get(each.verb, set())
        if brings & named:
            shown.setdefault((each.client, each.called, each.verb), each)
    return sorted(shown.values(), key=lambda each: each.called)


def _claim(last: Operation, told: Sequence[Operation], history: History) -> str:
    """Return what the last answer breaks, as far as the messages that are told show it."""
    lists = history.lists
    read = _read(last, lists)
    if read is None:
        return ""
    if len(read) > len({*read}):
        return "a message stands twice: "
    replaced = {
        message for each in history.operations if each.verb == "set" for message in lists.messages(each.argument)
    }
    if not {*read} <= replaced | {each.argument for each in history.operations if each.verb == "add"}:
        return "a message that nobody added: "
    for each in history.operations:
        whole = {*lists.messages(each.argument)} if each.verb == "set" else set()
        if whole & {*read} and not whole <= {*read}:
            return "replace-is-one-step: "
    before = [each for each in told if each.returned < last.called and each.certain]
    answered = {message for each in before for message in (_read(each, lists) or ())}
    answered |= {each.argument for each in before if each.verb == "add"}
    if (missing := answered - {*read}) and {each.verb for each in told} <= {"add", *READING}:
        later = (_read(each, lists) or () for each in history.operations if each.called > last.returned)
        return (
            "read-fresh: " if missing & {message for messages in later for message in messages} else "no-lost-update: "
        )
    return ""


def _read(operation: Operation, lists: Lists) -> list[str] | None:
    if operation.verb in ("read", "fork") and isinstance(operation.result, int):
        return lists.messages(operation.result)
    return lists.messages(operation.result[0]) if operation.verb == "look" else None


def _words(operation: Operation, lists: Lists) -> tuple[str, str]:
    """Return a call and its answer as a reader is told them."""
    argument = operation.argument
    if operation.verb == "set":
        argument = lists.messages(argument)
    call = operation.verb if argument is None else f"{operation.verb} {_plain(argument)}"
    read = _read(operation, lists)
    if not operation.certain:
        return call, "cut off"
    if operation.verb == "look":
        return call, f"{_plain(read)} {_plain(dict(operation.result[1]))}"
    return call, _plain(operation.result if read is None else read)


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_plain(each)}' for key, each in value.items())}}}"
    return str(value)


def _lines(told: Sequence[Operation], lists: Lists) -> tuple[str, ...]:
    begin = min(each.called for each in told)
    lines = []
    for each in told:
        call, answer = _words(each, lists)
        times = f"{(each.called - begin) / 1e6:10.3f} to {(each.returned - begin) / 1e6:10.3f} ms"
        lines.append(f"{times}  {each.client}: {call} -> {answer}")
    return tuple(lines)


def _diagram(told: Sequence[Operation], lists: Lists) -> str:
    """Return the calls and answers in the order of their moments, as a sequence diagram."""
    names = {client: ascii_uppercase[number % 26] for number, client in enumerate({each.client: 0 for each in told})}
    arrows = []
    for each in told:
        call, answer = _words(each, lists)
        arrows.append((each.called, f"    {names[each.client]}->>Session: {call}"))
        arrows.append((each.returned, f"    Session-->>{names[each.client]}: {answer}"))
    if len(arrows) > SHOWN_IN_A_DIAGRAM:
        return ""
    drawn = [arrow.replace(";", ",").replace("#", "") for _, arrow in sorted(arrows)]
    clients = [f"    participant {letter} as {client}" for client, letter in names.items()]
    return "\n".join(["sequenceDiagram", *clients, "    participant Session", *drawn])
