"""Faults in how turns and state are kept: the histories of PraisonAI's bots and agents, and some of our own.

Names with an underscore are imported where a fault is applied: it is readfresh's inside that it breaks.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

from tests.sabotage.fault import Fault, put


def cleared_then_added() -> None:
    """Save the history that was read and the turn by clearing the session and adding each message (before #1768)."""

    def save(store: Any, session_id: str, messages: list[Any]) -> None:
        store.clear_session(session_id)
        for one in messages:
            store.add_message(session_id, one.role, one.content, dict(one.metadata))

    _save_at_the_end(save)


def history_replaced() -> None:
    """Save the history that was read and the turn by replacing all messages (since #1768)."""
    _save_at_the_end(lambda store, session_id, messages: store.set_chat_history(session_id, messages))


def _save_at_the_end(save: Any) -> None:
    """Save, when a turn ends, what was read when it began, and the turn."""
    from readfresh.answers import AnswerStream

    begin, keep_last = AnswerStream._begin, AnswerStream._keep_last

    def begins(self: Any) -> Any:
        given = begin(self)
        self.read = list(self._keeper._history.get_session(self._session_id).messages)
        return given

    def saves(self: Any, ending: Any, error: Any) -> None:
        if hasattr(self, "read"):
            save(self._keeper._store, self._session_id, [*self.read, self._last(ending, error)])
        else:
            keep_last(self, ending, error)

    put(AnswerStream, _begin=begins, _keep_last=saves)


def prompt_kept_with_the_answer() -> None:
    """Keep the prompt when the answer is there, and not before."""
    from readfresh import SessionMessage
    from readfresh.answers import AnswerStream

    def begin(self: Any) -> Any:
        before = self._keeper.turns(self._session_id)
        self._asked = True
        return self._keeper.for_model(before, SessionMessage("user", self._prompt))

    def keep_last(self: Any, ending: Any, error: Any) -> None:
        asked = SessionMessage("user", self._prompt, metadata={"turn": self._turn})
        for message in (asked, self._last(ending, error)):
            self._keeper.add(self._session_id, message)

    put(AnswerStream, _begin=begin, _keep_last=keep_last)


def stream_not_persisted() -> None:
    """Keep the answers of `execute` and `chat`, and of no stream (before #1768)."""
    from readfresh import AnswerStream, LocalManagedAgent

    keep_last, stream = AnswerStream._keep_last, LocalManagedAgent.stream

    def streamed(self: Any, prompt: str) -> Any:
        answer = stream(self, prompt)
        put(answer, streamed=True)
        return answer

    async def execute(self: Any, prompt: str) -> str:
        return "".join([piece async for piece in stream(self, prompt)])

    def keep(self: Any, ending: Any, error: Any) -> None:
        if not hasattr(self, "streamed"):
            keep_last(self, ending, error)

    put(LocalManagedAgent, stream=streamed, execute=execute)
    put(AnswerStream, _keep_last=keep)


def partial_not_marked() -> None:
    """Let a part of an answer look like a whole one."""
    from readfresh import AnswerStream

    last = AnswerStream._last
    put(AnswerStream, _last=lambda self, _ending, _error: last(self, "answered", None))


def partial_not_kept() -> None:
    """Keep an answer when it is whole, and nothing of it otherwise."""
    from readfresh import AnswerStream

    keep_last = AnswerStream._keep_last

    def keep(self: Any, ending: Any, error: Any) -> None:
        if ending == "answered":
            keep_last(self, ending, error)

    put(AnswerStream, _keep_last=keep)


def dropped_stream_not_kept() -> None:
    """Keep what a consumer leaves when it closes the stream, and not when it drops it."""
    from readfresh import AnswerStream

    put(AnswerStream, __del__=lambda _self: None)


def failed_prompt_taken_back() -> None:
    """Take the prompt out again when the model has failed."""
    from readfresh import AnswerStream

    keep_last = AnswerStream._keep_last

    def keep(self: Any, ending: Any, error: Any) -> None:
        if ending != "failed":
            keep_last(self, ending, error)
            return
        self._keeper._store.update(
            self._session_id,
            lambda session: dataclasses.replace(
                session,
                messages=tuple(one for one in session.messages if one.metadata.get("turn") != self._turn),
            ),
        )

    put(AnswerStream, _keep_last=keep)


def usage_counted_twice() -> None:
    """Count what a model tells when it tells it, and once more."""
    from readfresh import Usage, answers
    from readfresh.respond import pieces

    async def twice(respond: Any, messages: Any) -> Any:
        async for piece in pieces(respond, messages):
            yield piece
            if isinstance(piece, Usage):
                yield piece

    put(answers, pieces=twice)


def turns_not_marked() -> None:
    """Leave the messages without the id of their turn."""
    from readfresh.answers import TurnKeeper

    add = TurnKeeper.add

    def bare(self: Any, session_id: str, message: Any) -> None:
        metadata = {key: value for key, value in message.metadata.items() if key != "turn"}
        add(self, session_id, dataclasses.replace(message, metadata=metadata))

    put(TurnKeeper, add=bare)


def append_given_up() -> None:
    """Leave a write alone when its task is cancelled."""
    from readfresh import agents, answers, bots

    async def in_thread(function: Any, *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)

    for module in (agents, answers, bots):
        put(module, to_the_end=in_thread)


def append_made_again() -> None:
    """Make a write again when its task is cancelled, to be sure."""
    from readfresh import agents, answers, bots

    to_the_end = answers.to_the_end

    async def twice(function: Any, *args: Any) -> Any:
        try:
            return await to_the_end(function, *args)
        except asyncio.CancelledError:
            await to_the_end(function, *args)
            raise

    for module in (agents, answers, bots):
        put(module, to_the_end=twice)


def users_without_order() -> None:
    """Let the turns of one user run at the same time."""
    from contextlib import asynccontextmanager

    from readfresh.bots import _Order

    @asynccontextmanager
    async def at_once(_self: Any, _key: str) -> Any:
        yield

    put(_Order, of=at_once)


def users_joined_by_an_underscore() -> None:
    """Name a session by platform and user, with nothing that tells the two apart."""
    from readfresh import BotSessionManager

    put(BotSessionManager, session_id=lambda self, user_id: f"bot_{self.platform}_{user_id}".replace("__", "_"))


def limit_counts_messages() -> None:
    """Give the model the newest messages, wherever that cuts."""
    from readfresh import answers

    def newest(before: Any, max_history: int | None) -> Any:
        messages = [message.for_model() for turn in before for message in turn.messages]
        return messages if max_history is None else messages[len(messages) - max_history :]

    put(answers, for_model=newest)


def state_saved_as_a_whole() -> None:
    """Save all of the state as it was read earlier, with the change in it (#1727)."""
    from readfresh import LocalManagedAgent

    save = LocalManagedAgent._save
    put(LocalManagedAgent, _save=lambda self, fields: save(self, {**self._state, **fields}))


def freed_instance_not_cleared() -> None:
    """Skip None when state is saved (#1727)."""
    from readfresh import LocalManagedAgent

    save = LocalManagedAgent._save

    def skipping(self: Any, fields: Any) -> None:
        if given := {name: value for name, value in fields.items() if value is not None}:
            save(self, given)

    put(LocalManagedAgent, _save=skipping)


TURN = ("a-turn-is-kept",)

FAULTS: dict[str, Fault] = {
    "history-cleared-then-added": Fault(
        cleared_then_added, TURN, "a turn is saved by clearing the session and adding each message again"
    ),
    "prompt-kept-with-the-answer": Fault(
        prompt_kept_with_the_answer, TURN, "the prompt is kept when the answer is there, and not before"
    ),
    "history-replaced": Fault(
        history_replaced, TURN, "a turn is saved by replacing the history with the one that was read, and the turn"
    ),
    "stream-not-persisted": Fault(stream_not_persisted, TURN, "the answer of a stream is not kept"),
    "partial-not-marked": Fault(partial_not_marked, TURN, "a part of an answer looks like a whole one"),
    "partial-not-kept": Fault(partial_not_kept, TURN, "a part of an answer is not kept"),
    "dropped-stream-not-kept": Fault(
        dropped_stream_not_kept, TURN, "what a consumer leaves is kept only when it closes the stream"
    ),
    "failed-prompt-taken-back": Fault(failed_prompt_taken_back, TURN, "a turn whose model fails leaves no trace"),
    "usage-counted-twice": Fault(
        usage_counted_twice, TURN, "the usage of a turn is counted when it is told, and once more"
    ),
    "turns-not-marked": Fault(turns_not_marked, TURN, "nothing tells which answer belongs to which prompt"),
    "append-given-up": Fault(append_given_up, TURN, "a write is left alone when its task is cancelled"),
    "append-made-again": Fault(append_made_again, TURN, "a write is made again when its task is cancelled"),
    "users-without-order": Fault(users_without_order, TURN, "the turns of one user run at the same time"),
    "users-joined-by-an-underscore": Fault(
        users_joined_by_an_underscore, TURN, "platform and user are joined by a character that both may hold"
    ),
    "limit-counts-messages": Fault(limit_counts_messages, TURN, "a limit cuts a tool call from its results"),
    "state-saved-as-a-whole": Fault(state_saved_as_a_whole, TURN, "all state is saved as it was read earlier"),
    "freed-instance-not-cleared": Fault(freed_instance_not_cleared, TURN, "None is skipped when state is saved"),
}
