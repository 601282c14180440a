"""The judge of a session's history: whether there is an order, and where there is none, the few calls that show it.

Each step of the explanation leaves a history that has an order if the whole one has. So what is left has none for a
reason that lies in itself:

1. The history ends with the first answer that cannot be explained; a call under way may have had its effect.
2. An answer is left out.
3. A message is left out, in every list at once, and with it the counts of messages.
4. A change is taken for one that may have happened at any later time, or never, and is not shown.
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
    if all(operation.verb in SORTABLE for operation in operations):
        return sort(operations, lists)
    read = len(lists.before)
    return search(
        operations,
        Session(),
        specification(lists),
        passive=lambda operation: operation.verb in READING,
        unlikely=lambda session: session.messages >= read,  # a list that nobody has read or given
        most_steps=most_steps,
    )


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
    for weakened in (_fewer_answers, _fewer_messages, _fewer_changes, _fewer_answers):
        operations = weakened(operations, lists, wrong, until)
    told = sorted((each for each in operations if each.returned < FOREVER), key=lambda each: each.called)
    return Finding(
        f"{_guarantee(last, told, lists)}: no order of these calls on {history.session} explains what "
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


def _fewer_answers(operations: list[Operation], _lists: Lists, wrong: Wrong, until: float) -> list[Operation]:
    changes = [each for each in operations if each.verb not in READING]
    answers = [each for each in operations if each.verb in READING]
    return changes + _least(answers, lambda fewer: wrong(changes + fewer), until)


def _fewer_messages(operations: list[Operation], lists: Lists, wrong: Wrong, until: float) -> list[Operation]:
    added = [each.argument for each in operations if each.verb == "add"]

    def only(kept: Collection[str]) -> list[Operation]:
        dropped = {*added} - {*kept}

        def node(number: int) -> int:
            return lists.of([each for each in lists.messages(number) if each not in dropped])

        left = []
        for each in operations:
            if each.verb == "count" or (each.verb == "add" and each.argument in dropped):
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


def _guarantee(last: Operation, told: Sequence[Operation], lists: Lists) -> str:
    """Return the slug of what the answer breaks, as far as the calls that are told show it."""
    messages = [each.argument for each in told if each.verb == "add"]
    read = _read(last, lists)
    if read is not None and len(read) == len({*read}) and not any(each.verb == "delete" for each in told):
        before = [each for each in told if each.returned < last.called]
        seen = {message for each in before for message in _read(each, lists) or ()}
        answered = {each.argument for each in before if each.verb == "add" and each.certain}
        missing = {*messages} - {*read}
        if missing & seen & answered or (missing & seen and missing & answered):
            return "no-lost-update"
        if missing & answered:
            return "read-fresh or no-lost-update"
    return "no order"


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
