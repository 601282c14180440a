"""What one session does, in order: the specification that histories are judged by.

A fork is two operations, since a child is written first and then its parent: `fork` reads the messages, `enter` lists
the child. `touch` adds a message that is not looked at. What was refused with nothing written is no operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.proofs.processes.linearizable import Lists, Operation

MISSING = "missing"
"""The answer of a verb that raised `SessionNotFound`."""


class Session(NamedTuple):
    """The state of a session.

    Args:
        exists: whether it does.
        born: how often it has been created.
        messages: a node of the history's lists; for a list that no answer and no argument names, its length below 0.
        metadata: the fields that were set, in the order of their names.
        snapshots: the ids and the messages that each was taken of.
        children: the ids that it lists.
    """

    exists: bool = False
    born: int = 0
    messages: int = 0
    metadata: tuple[tuple[str, Any], ...] = ()
    snapshots: tuple[tuple[str, int], ...] = ()
    children: tuple[str, ...] = ()

    def created(self) -> Session:
        """Return it as it is when a verb has created it that creates what does not exist."""
        return self if self.exists else self._replace(exists=True, born=self.born + 1)


def specification(lists: Lists) -> Callable[[Session, Operation], Sequence[Session]]:
    """Return the states that an operation may lead to from a state, as `search` wants them."""

    def length(messages: int) -> int:
        return lists.length[messages] if messages >= 0 else -messages

    def add(session: Session, operation: Operation) -> Sequence[Session]:
        longer = lists.known(session.messages, operation.argument)
        if longer is None:  # nobody has read it or what grew out of it: in which order it came about has no trace
            longer = -length(session.messages) - 1
        return (session.created()._replace(messages=longer),)

    def touch(session: Session, _operation: Operation) -> Sequence[Session]:
        return (session.created(),)

    def set_(session: Session, operation: Operation) -> Sequence[Session]:
        return (session.created()._replace(messages=operation.argument),)

    def read(session: Session, operation: Operation) -> Sequence[Session]:
        return (session,) if session.messages == operation.result else ()

    def look(session: Session, operation: Operation) -> Sequence[Session]:
        return (session,) if (session.messages, session.metadata) == operation.result else ()

    def clear(session: Session, operation: Operation) -> Sequence[Session]:
        after = session._replace(messages=0) if session.exists else session
        return (after,) if not operation.certain or operation.result == session.exists else ()

    def delete(session: Session, operation: Operation) -> Sequence[Session]:
        after = Session(born=session.born) if session.exists else session
        return (after,) if not operation.certain or operation.result == session.exists else ()

    def describe(session: Session, operation: Operation) -> Sequence[Session]:
        fields = dict(session.metadata) | dict([operation.argument])
        return (session.created()._replace(metadata=tuple(sorted(fields.items()))),)

    def exists(session: Session, operation: Operation) -> Sequence[Session]:
        return (session,) if session.exists == operation.result else ()

    def count(session: Session, operation: Operation) -> Sequence[Session]:
        listed = length(session.messages) if session.exists else None
        return (session,) if listed == operation.result else ()

    def fork(session: Session, operation: Operation) -> Sequence[Session]:
        if operation.result == MISSING:
            return () if session.exists else (session,)
        return (session,) if session.exists and session.messages == operation.result else ()

    def enter(session: Session, operation: Operation) -> Sequence[Session]:
        if not session.exists:
            return (session,)
        entered = session._replace(children=(*session.children, operation.argument))
        # A session that has the parent's id since the parent was deleted is nobody's parent.
        return (entered, session) if session.born > 1 else (entered,)

    def children(session: Session, operation: Operation) -> Sequence[Session]:
        return (session,) if session.children == operation.result else ()

    def snapshot(session: Session, operation: Operation) -> Sequence[Session]:
        if not session.exists:
            return (session,) if operation.result in (MISSING, None) else ()
        if operation.result == MISSING:
            return ()
        return (session._replace(snapshots=(*session.snapshots, (operation.argument, session.messages))),)

    def revert(session: Session, operation: Operation) -> Sequence[Session]:
        messages = dict(session.snapshots).get(operation.argument)
        if operation.certain and operation.result != (messages is not None):
            return ()
        return (session,) if messages is None else (session._replace(messages=messages),)

    verbs = {
        "add": add,
        "touch": touch,
        "set": set_,
        "read": read,
        "look": look,
        "clear": clear,
        "delete": delete,
        "describe": describe,
        "exists": exists,
        "count": count,
        "fork": fork,
        "enter": enter,
        "children": children,
        "snapshot": snapshot,
        "revert": revert,
    }
    return lambda session, operation: verbs[operation.verb](session, operation)
