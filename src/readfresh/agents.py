"""`LocalManagedAgent`: an agent whose turns and state outlive its process.

1. A turn is appended: the prompt before the model is called, the answer when it ends, a partial one marked as such.
2. State is saved by naming fields: what is not named stays as another worker has left it, and None clears.
3. No session that was read earlier is ever written back.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from readfresh.answers import HISTORY_METHODS, AnswerStream, TurnKeeper, made, missing, to_the_end
from readfresh.chat import function, random_id
from readfresh.errors import SessionNotFound
from readfresh.names import check_id
from readfresh.protocols import HistoryStoreProtocol
from readfresh.respond import Respond, Usage
from readfresh.values import optional_count, thaw

__all__ = ["LocalManagedAgent"]

_FREED: Mapping[str, Any] = {"compute_instance_id": None, "compute_provider": None}


class LocalManagedAgent:
    """An agent over any callable as its model, which keeps its turns and its state in a session.

    Guarantee: a-turn-is-kept.

    Args:
        respond: the model: any callable that takes the messages (see `readfresh.respond`).
        session_store: a store of `HistoryStoreProtocol`, such as `DefaultSessionStore` or `DbSessionAdapter`.
        session_id: the session to speak in; None for a new id. What is in it is given to the model; its state comes
            with `resume_session`.
        max_history: how many messages the model is given beside the prompt, in whole turns; None for all.
            Nothing is deleted by it.
        new_id: makes the ids of turns and of a new session, each a new one.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
    """

    def __init__(
        self,
        respond: Respond,
        session_store: HistoryStoreProtocol,
        session_id: str | None = None,
        *,
        max_history: int | None = None,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        if not callable(respond):
            raise TypeError(f"respond must be a function of the messages, not {type(respond).__name__}")
        if lacks := missing(session_store, HISTORY_METHODS):
            raise TypeError(
                f"session_store must be a HistoryStoreProtocol; {type(session_store).__name__} has no {lacks}"
            )
        self._respond = respond
        self._store = session_store
        self._keeper = TurnKeeper(session_store, optional_count(max_history, "max_history"), new_id)
        self._session_id = f"session_{new_id()}" if session_id is None else check_id(session_id)
        self._state: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"<LocalManagedAgent in session {self._session_id!r} of {type(self._store).__name__}>"

    @property
    def session_id(self) -> str:
        """The session that it speaks in."""
        return self._session_id

    @property
    def not_kept(self) -> tuple[str, ...]:
        """What of a turn the store does not keep, a sentence each; empty for the stores of readfresh."""
        return self._keeper.not_kept

    @property
    def state(self) -> dict[str, Any]:
        """A copy of the state as `resume_session` has read it and `save_state` has changed it since."""
        return {name: thaw(value) for name, value in self._state.items()}

    @property
    def compute_instance_id(self) -> str | None:
        """The compute instance that it uses; None when it has none, or has freed it."""
        return self._state.get("compute_instance_id")

    @property
    def compute_provider(self) -> str | None:
        """Who runs that instance; None when it has none, or has freed it."""
        return self._state.get("compute_provider")

    async def execute(self, prompt: str) -> str:
        """Answer a prompt, and return all text of the answer.

        The prompt is kept before the model is called, and the answer before this returns.
        A model that raises, or a task that is cancelled, leaves the prompt and what there is of the answer, marked.

        Raises:
            TypeError, ValueError: the prompt is no text, or the model gave what is no answer.
            SessionStoreError: the store refused; what has been written the error says.
            Exception: whatever the model raises.
        """
        return "".join([piece async for piece in self.stream(prompt)])

    def stream(self, prompt: str) -> AnswerStream:
        """Answer a prompt piece by piece: ``async for piece in agent.stream(prompt)``.

        Nothing happens before the first piece is asked for; from then on as `execute` does.
        A loop that is left early keeps what there is of the answer, marked as ``stopped``; `AnswerStream` says when.

        Raises:
            TypeError: the prompt is no text.
        """
        return self._keeper.ask(self._session_id, prompt, self._respond)

    async def usage(self) -> Usage:
        """Return what the turns of the session have cost, those of other workers too, each counted once.

        A turn whose messages were cleared or trimmed is not counted any more.

        Raises:
            SessionStoreError: as `get_session` does.
        """
        turns = await to_the_end(self._keeper.turns, self._session_id)
        return sum((turn.usage for turn in turns), Usage())

    async def save_state(self, **fields: Any) -> bool:
        """Set these fields in the metadata of the session, and no others; None clears.

        Fields that another worker has set stay, unless they are named here.

        Returns:
            True; False when no field was given.

        Raises:
            TypeError, ValueError: a field holds what JSON cannot keep, or is named as an argument of the store.
            SessionStoreError: the store refused; what has been written the error says.
        """
        if "session_id" in fields:
            raise TypeError("session_id is no field of the state; resume_session() goes to another session")
        if fields:
            await to_the_end(self._save, fields)
        return bool(fields)

    def resume_session(self, session_id: str) -> None:
        """Speak in this session from now on, with the state that it holds.

        It reads the store in the calling thread, as PraisonAI's does: a task of an event loop calls it through
        `asyncio.to_thread`.

        Raises:
            SessionNotFound: there is no such session.
            SessionStoreError: as `get_session` does.
        """
        if not self._store.session_exists(check_id(session_id)):
            raise SessionNotFound("it does not exist, so there is nothing to resume", session_id=session_id)
        self._state = dict(self._store.get_session(session_id).metadata)
        self._session_id = session_id

    async def shutdown(self, free: Callable[[str], object] | None = None) -> None:
        """Free the compute instance, and clear its id and its provider in the session, for the next resume.

        Turns can be executed after it.

        Args:
            free: called with the id of the instance before the fields are cleared; a coroutine function is awaited.
                When it raises, the fields stay.

        Raises:
            TypeError: `free` is no function.
            SessionStoreError: the store refused; what has been written the error says.
            Exception: whatever `free` raises.
        """
        if free is not None:
            function(free, "free")
        instance = self.compute_instance_id

        def release() -> object:
            freed = free(instance) if free is not None and instance is not None else None
            if not inspect.isawaitable(freed):
                self._save(_FREED)  # in the same call: what is freed is cleared, in a cancelled task too
            return freed

        freed = await to_the_end(release)
        if inspect.isawaitable(freed):
            await freed
            await to_the_end(self._save, _FREED)

    def _save(self, fields: Mapping[str, Any]) -> None:
        answer = self._store.update_session_metadata(self._session_id, **fields)
        made(answer, self._store, "update_session_metadata", self._session_id)
        self._state = {**self._state, **thaw(dict(fields))}
