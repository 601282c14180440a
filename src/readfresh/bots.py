"""`BotSessionManager`: a history for each user of a bot, over any store, answered by any number of workers.

1. A turn is appended, never saved over what is there: two workers that answer one user lose nothing.
2. In one process the turns and resets of a user run one after the other, in the order in which they were asked for.
3. What a store cannot keep is said when the manager is made.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from contextvars import ContextVar
from weakref import WeakSet

from readfresh.answers import TurnKeeper, to_the_end
from readfresh.chat import random_id
from readfresh.errors import StoreMisused
from readfresh.protocols import SessionStoreProtocol
from readfresh.respond import Respond
from readfresh.values import optional_count, text

__all__ = ["BotSessionManager"]

logger = logging.getLogger("readfresh")

PLAIN = re.compile(r"[A-Za-z0-9-]+")

# The turns that the code which asks is itself a part of: it would wait for its own end.
_inside: ContextVar[dict[tuple[int, str], Future[None]]] = ContextVar("_inside")


class BotSessionManager:
    """Per-user history for a bot.

    Guarantee: a-turn-is-kept.

    Args:
        store: any store of five methods.
            Of one that has no `get_session`, `not_kept` says what is missing of a turn, and so does the log.
        platform: where the users come from; users of two platforms never share a session.
        max_history: how many messages the model is given beside the prompt, in whole turns; None for all.
            Nothing is deleted by it.
        new_id: makes the ids of turns, each a new one.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
    """

    def __init__(
        self,
        store: SessionStoreProtocol,
        platform: str = "",
        max_history: int | None = None,
        *,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self.platform = text(platform, "platform")
        self.max_history = optional_count(max_history, "max_history")
        self._store = store
        self._keeper = TurnKeeper(store, self.max_history, new_id)
        self._order = _Order()
        for sentence in self.not_kept:
            logger.warning("BotSessionManager: not kept: %s", sentence)

    def __repr__(self) -> str:
        kept = f", not kept: {' '.join(self.not_kept)}" if self.not_kept else ""
        return f"<BotSessionManager {self.platform!r} over {type(self._store).__name__}{kept}>"

    @property
    def not_kept(self) -> tuple[str, ...]:
        """What of a turn the store does not keep, a sentence each; empty for a store that keeps all of it."""
        return self._keeper.not_kept

    def session_id(self, user_id: str) -> str:
        """Return the id of a user's session; no two pairs of platform and user have the same.

        It is PraisonAI's ``bot_<platform>_<user>`` where both are letters, digits and ``-``.
        Any other pair gets an id that none of those has.

        Raises:
            TypeError, ValueError: `user_id` is no text, or is empty.
        """
        if not text(user_id, "user_id"):
            raise ValueError("user_id must not be empty")
        if PLAIN.fullmatch(user_id) and (not self.platform or PLAIN.fullmatch(self.platform)):
            return f"bot_{self.platform}_{user_id}" if self.platform else f"bot_{user_id}"
        # `_` stands before two digits, so `__` is in no part.
        return f"bot__{_escaped(self.platform)}__{_escaped(user_id)}"

    async def chat(self, agent: Respond, user_id: str, text: str) -> str:
        """Answer what a user says, and return the answer.

        The text is kept before the agent is called, and the answer before this returns.
        An agent that raises, or a task that is cancelled, leaves the text and what there is of the answer, marked.
        The agent is given every turn that was begun before this one, those of other workers too.

        Args:
            agent: any callable that takes the messages (see `readfresh.respond`).
            user_id: the user.
            text: what the user says.

        Raises:
            TypeError, ValueError: an argument is wrong, or the agent gave what is no answer.
            StoreMisused: the agent itself asks, while it answers this user.
            SessionStoreError: the store refused; what has been written the error says.
            Exception: whatever the agent raises.
        """
        session_id = self.session_id(user_id)
        stream = self._keeper.ask(session_id, text, agent)
        async with self._order.of(session_id):
            return "".join([piece async for piece in stream])

    async def reset(self, user_id: str) -> bool:
        """Take all messages out of a user's session, after the turns that this process has begun for the user.

        The answer to a turn that another worker has begun may come after it; no agent is given it then, since its
        prompt is gone.

        Returns:
            True; False when the user had no session.

        Raises:
            TypeError, ValueError: `user_id` is wrong.
            SessionStoreError: the store refused; what has been written the error says.
        """
        session_id = self.session_id(user_id)
        async with self._order.of(session_id):
            return await to_the_end(self._store.clear_session, session_id)


class _Order:
    """Lets what belongs to one key run one after the other, in any number of event loops and threads."""

    def __init__(self) -> None:
        self.forget()
        _orders.add(self)

    def forget(self) -> None:
        """Begin anew, with nobody waiting."""
        self._mutex = threading.Lock()
        self._queues: dict[str, list[Future[None]]] = {}  # of each key that is in use; what runs stands first

    @asynccontextmanager
    async def of(self, key: str) -> AsyncIterator[None]:
        mine: Future[None] = Future()  # done when this has run, or was cancelled before it could
        inside = {each: turn for each, turn in _inside.get({}).items() if not turn.done()}
        if (id(self), key) in inside:
            raise StoreMisused(
                "it was asked for by the agent that is answering this user, and would wait for itself",
                session_id=key,
                next_step="Return the answer first.",
            )
        _inside.set({**inside, (id(self), key): mine})
        with self._mutex:
            queue = self._queues.setdefault(key, [])
            queue.append(mine)
        try:
            # Again after each: one that is cancelled leaves the queue before those that stand before it have run.
            while (before := self._before(queue, mine)) is not None:
                await asyncio.wait({asyncio.wrap_future(before)})  # which does not cancel it when this is cancelled
            yield
        finally:
            with self._mutex:
                queue.remove(mine)
                if not queue and self._queues.get(key) is queue:
                    del self._queues[key]
            mine.set_result(None)

    def _before(self, queue: list[Future[None]], mine: Future[None]) -> Future[None] | None:
        with self._mutex:
            place = queue.index(mine)
            return queue[place - 1] if place else None


_orders: WeakSet[_Order] = WeakSet()


def _leave_turns_to_the_parent() -> None:
    # A turn that is under way in the parent never ends in the child, and nobody would release its lock there.
    for order in list(_orders):
        order.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_turns_to_the_parent)


def _escaped(part: str) -> str:
    return re.sub(rb"[^A-Za-z0-9-]", lambda byte: b"_%02x" % byte[0][0], part.encode()).decode()
