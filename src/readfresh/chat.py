"""`ChatStore`: PraisonAI's verbs, wherever the sessions are kept.

1. A verb checks its arguments, then makes one change or one read. Nothing else happens in it.
2. A verb returns True when the change has been made, and False only when there was nothing to change.
3. A verb that only takes away does not create a session.
4. A verb that looks at no message says so, and its cost need not grow with the session (`_update_fields`).
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from types import EllipsisType
from typing import Any, TypeVar

from readfresh.errors import (
    ReadFailed,
    SessionDamaged,
    SessionMismatch,
    SessionMoved,
    SessionStoreError,
    SessionTooNew,
)
from readfresh.model import SessionData, SessionMessage, tail
from readfresh.names import check_id
from readfresh.storage import Entry, SessionStorage
from readfresh.store import S, SessionStore
from readfresh.values import freeze_mapping, optional_count, optional_text, text

__all__ = ["ChatStore"]

C = TypeVar("C", bound=Callable[..., object])

logger = logging.getLogger("readfresh")


def random_id() -> str:
    """Return an id that nobody else has."""
    from uuid import uuid4  # takes longer to import than all that stands here

    return str(uuid4())


class ChatStore(SessionStore[S]):
    """Chat sessions of one class in one place: the verbs that `DefaultSessionStore` and `DbSessionAdapter` share.

    Any method may be called from any thread.

    Args:
        storage: where the sessions are kept.
        session_type: their class.
        max_messages: how many messages `add_message` and `set_chat_history` leave in a session, the newest.
            None, the default, drops nothing. A tool call is never split from its results.
        on_error: called with every `SessionStoreError` before it is raised, and with those that a query reports
            instead of raising; for logs and alerts.
        now: the clock, in seconds since the epoch.
        new_id: makes the ids that the store gives itself, each a new one.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
    """

    _place: str  # where the sessions are kept, as `repr` shows it; set by each kind of store

    def __init__(
        self,
        storage: SessionStorage[S],
        session_type: type[S],
        *,
        max_messages: int | None = None,
        on_error: Callable[[SessionStoreError], object] | None = None,
        now: Callable[[], float] = time.time,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self.max_messages = optional_count(max_messages, "max_messages", least=1)
        self._new_id = function(new_id, "new_id")
        if on_error is not None:
            function(on_error, "on_error")
        super().__init__(storage, session_type, on_error=on_error, now=function(now, "now"))

    def __repr__(self) -> str:
        try:
            count = self._storage.count()
        except SessionStoreError as error:
            return f"<{type(self).__name__} in {self._place}: {error.cause}>"
        return f"<{type(self).__name__} {count} session{'' if count == 1 else 's'} in {self._place}>"

    def add_message(
        self,
        session_id: str,
        role: str,
        content: str | list[dict[str, Any]] | None,
        metadata: Mapping[str, Any] | None = None,
        *,
        tool_calls: list[dict[str, Any]] | None = None,
        tool_call_id: str | None = None,
    ) -> bool:
        """Add a message at the end of the session, which is created if need be.

        Guarantees: no-lost-update, durable, nothing-else-changes.

        Args:
            session_id: the session.
            role: ``user``, ``assistant``, ``system``, ``tool``, or any other text that is not empty.
            content: the text, or a list of content parts. None only beside `tool_calls`.
            metadata: whatever JSON can hold.
            tool_calls: the calls that an assistant asks for.
            tool_call_id: on a ``tool`` message, the id of the call that it answers.

        Returns:
            True.

        Raises:
            TypeError, ValueError: an argument is wrong; the message names it, and no lock was taken.
            SessionStoreError: as `update` does.
        """
        message = _message(
            {
                "role": role,
                "content": content,
                "metadata": metadata,
                "tool_calls": tool_calls,
                "tool_call_id": tool_call_id,
            }
        )

        def add(session: S) -> S:
            now = dataclasses.replace(message, timestamp=self._now())
            return dataclasses.replace(session, messages=tail((*session.messages, now), self.max_messages))

        # Only a limit looks at the messages that are there.
        return self._update_fields(session_id, add) if self.max_messages is None else self.update(session_id, add)

    def add_user_message(self, session_id: str, content: str, metadata: Mapping[str, Any] | None = None) -> bool:
        """Add a message of the user; as `add_message`."""
        return self.add_message(session_id, "user", content, metadata)

    def add_assistant_message(
        self,
        session_id: str,
        content: str | None,
        metadata: Mapping[str, Any] | None = None,
        *,
        tool_calls: list[dict[str, Any]] | None = None,
    ) -> bool:
        """Add a message of the assistant; as `add_message`."""
        return self.add_message(session_id, "assistant", content, metadata, tool_calls=tool_calls)

    def get_chat_history(self, session_id: str, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return the messages ready for a model: role and content, and the tool fields where a message has them.

        Guarantee: read-fresh. The list and its dicts are new and the caller's own.

        Args:
            session_id: the session; one that does not exist gives ``[]``, and nothing is created.
            max_messages: how many, the newest; None for all. A tool call is not split from its results.

        Raises:
            TypeError, ValueError: an argument is wrong; the message names it.
            SessionStoreError: as `get_session` does.
        """
        limit = optional_count(max_messages, "max_messages", least=1)
        return self.get_session(session_id).get_chat_history(limit)

    def set_chat_history(self, session_id: str, messages: Iterable[Mapping[str, Any] | SessionMessage]) -> bool:
        """Replace all messages in one change; the session is created if need be.

        Guarantee: replace-is-one-step. Timestamps, metadata and fields that readfresh does not know are kept as
        they are given; a message without a timestamp gets the time of the change.

        Two workers that each read, answer and replace lose one of the two answers: that is what replacing means.
        Use `add_message`, or `update`, whose function sees the newest messages.

        Returns:
            True.

        Raises:
            TypeError, ValueError: a message is wrong; the error names it, and no lock was taken.
            SessionStoreError: as `update` does.
        """
        if isinstance(messages, str | Mapping) or not isinstance(messages, Iterable):
            raise TypeError(f"messages must be a list of messages, not {type(messages).__name__}")
        given = tuple(_numbered(messages))

        def replaced(session: S) -> S:
            now = self._now()
            timed = tuple(
                dataclasses.replace(message, timestamp=now) if message.timestamp is None else message
                for message in given
            )
            return dataclasses.replace(session, messages=tail(timed, self.max_messages))

        return self.update(session_id, replaced)

    def update_session_metadata(self, session_id: str, **fields: Any) -> bool:
        """Set these metadata fields and no others; the session is created if need be.

        Guarantees: none-is-a-value (PraisonAI skips None, #1727), nothing-else-changes.
        As in PraisonAI, `agent_id`, `agent_name` and `user_id` are set as fields of the session too.

        Returns:
            True; False when no field was given.

        Raises:
            TypeError, ValueError: a field holds what JSON cannot keep; the message names it, and no lock was taken.
            SessionStoreError: as `update` does.
        """
        check_id(session_id)
        given = freeze_mapping(fields, "metadata")
        own: dict[str, Any] = {
            name: optional_text(given[name], name) for name in ("agent_id", "agent_name", "user_id") if name in given
        }
        if not given:
            return False
        return self._update_fields(session_id, lambda session: dataclasses.replace(session.with_metadata(given), **own))

    def set_agent_info(
        self,
        session_id: str,
        agent_name: str | EllipsisType | None = ...,
        user_id: str | EllipsisType | None = ...,
    ) -> bool:
        """Set who speaks in the session; the session is created if need be.

        Args:
            session_id: the session.
            agent_name: the agent; None clears it; left out, it stays as it is.
            user_id: the user; likewise.

        Returns:
            True; False when nothing was given.

        Raises:
            TypeError, ValueError: an argument is wrong; the message names it.
            SessionStoreError: as `update` does.
        """
        return self._set(session_id, agent_name=agent_name, user_id=user_id)

    def set_gateway_info(
        self,
        session_id: str,
        gateway_session_id: str | EllipsisType | None = ...,
        agent_id: str | EllipsisType | None = ...,
    ) -> bool:
        """Link the session to a gateway; the session is created if need be.

        Args:
            session_id: the session.
            gateway_session_id: the gateway's session; None clears it; left out, it stays as it is.
            agent_id: the gateway's id of the agent; likewise.

        Returns:
            True; False when nothing was given.

        Raises:
            TypeError, ValueError: an argument is wrong; the message names it.
            SessionStoreError: as `update` does.
        """
        return self._set(session_id, gateway_session_id=gateway_session_id, agent_id=agent_id)

    def clear_session(self, session_id: str) -> bool:
        """Take all messages out of the session, and leave all else.

        Returns:
            True; False when the session does not exist.

        Raises:
            SessionStoreError: as `update` does.
        """
        return self._update_existing(check_id(session_id), lambda session: dataclasses.replace(session, messages=()))

    def list_sessions(self, limit: int | None = 50) -> list[dict[str, Any]]:
        """Return a dict for each session, newest change first; those whose `updated_at` is not known come last.

        Each has `session_id`, `agent_name`, `created_at`, `updated_at`, `message_count`, `status` and `file`.
        `status` is ``ok``, or why the session cannot be read as it is: ``damaged``, ``too-new``, ``unreadable``,
        ``moved``, ``foreign`` (a file whose name is not made of the id in it). Those are reported to the log and to
        `on_error`, and hide no other.

        Takes no locks: each session is shown as it stood at one instant after the call began.

        Args:
            limit: how many; None for all.

        Raises:
            TypeError, ValueError: `limit` is wrong.
            ReadFailed: the system refused to list the directory.
        """
        count = optional_count(limit, "limit")
        return [_shown(entry) for entry in self._newest_first()[:count]]

    def list_sessions_by_agent(self, agent_name: str, limit: int | None = 50) -> list[str]:
        """Return the ids of the sessions of an agent, newest change first.

        Sessions that cannot be read are reported to the log and to `on_error`, and left out.
        """
        return self._ids(limit, agent_name=text(agent_name, "agent_name"))

    def get_sessions_by_agent(self, agent_name: str, limit: int | None = 10) -> list[S]:
        """Return the sessions of an agent, newest change first, each read under its lock.

        Sessions that cannot be read are reported to the log and to `on_error`, and left out.
        """
        return list(self._found(limit, agent_name=text(agent_name, "agent_name")))

    def get_agent_chat_history(
        self, agent_name: str, max_messages: int | None = None, max_sessions: int | None = 5
    ) -> list[dict[str, Any]]:
        """Return the messages of an agent's newest sessions, as `get_chat_history` does for one.

        Each message carries `session_id` and `agent_name` too.

        Args:
            agent_name: the agent.
            max_messages: how many of each session, the newest; None for all.
            max_sessions: how many sessions; None for all.
        """
        limit = optional_count(max_messages, "max_messages", least=1)
        optional_count(max_sessions, "max_sessions")
        return [
            {**message, "session_id": session.session_id, "agent_name": agent_name}
            for session in self.get_sessions_by_agent(agent_name, max_sessions)
            for message in session.get_chat_history(limit)
        ]

    def get_by_gateway_session(self, gateway_session_id: str) -> S | None:
        """Return the session that is linked to a gateway's session, the one changed last; None when there is none.

        Sessions that cannot be read are reported to the log and to `on_error`, and left out.
        """
        wanted = text(gateway_session_id, "gateway_session_id")
        return next(self._found(None, gateway_session_id=wanted), None)

    def list_sessions_by_gateway_agent(self, agent_id: str, limit: int | None = 50) -> list[str]:
        """Return the ids of the sessions that are linked to a gateway's agent, newest change first.

        Sessions that cannot be read are reported to the log and to `on_error`, and left out.
        """
        return self._ids(limit, agent_id=text(agent_id, "agent_id"))

    def _set(self, session_id: str, **fields: str | EllipsisType | None) -> bool:
        given: dict[str, Any] = {name: optional_text(value, name) for name, value in fields.items() if value is not ...}
        if not given:
            check_id(session_id)
            return False
        return self._update_fields(session_id, lambda session: dataclasses.replace(session, **given))

    def _newest_first(self) -> list[Entry[S]]:
        entries = sorted(self._scan(sees_messages=False), key=attrgetter("file"))
        for entry in entries:
            if entry.error is not None:
                logger.warning("%s", entry.error)
                self._report(entry.error)
        return sorted(entries, key=attrgetter("changed_at"), reverse=True)

    def _ids(self, limit: int | None, **wanted: str) -> list[str]:
        count = optional_count(limit, "limit")
        found = [
            entry.session_id
            for entry in self._newest_first()
            if entry.status == "ok" and entry.session is not None and _matches(entry.session, wanted)
        ]
        return found[:count]

    def _found(self, limit: int | None, **wanted: str) -> Iterator[S]:
        for session_id in self._ids(limit, **wanted):
            try:
                session = self.get_session(session_id)
            except (SessionDamaged, SessionTooNew, SessionMoved, SessionMismatch, ReadFailed) as error:
                logger.warning("%s", error)  # it has become so since it was listed
                continue
            if _matches(session, wanted):
                yield session


def function(value: C, name: str) -> C:
    """Return `value` when it can be called; raise TypeError that names it."""
    if not callable(value):
        raise TypeError(f"{name} must be a function, not {type(value).__name__}")
    return value


def _message(given: Mapping[str, Any] | SessionMessage) -> SessionMessage:
    message = given if isinstance(given, SessionMessage) else SessionMessage.from_dict(given)
    if message.content is None and not message.tool_calls:
        raise ValueError("content must not be None in a message without tool_calls")
    return message


def _numbered(messages: Iterable[Mapping[str, Any] | SessionMessage]) -> Iterator[SessionMessage]:
    for index, message in enumerate(messages):
        try:
            yield _message(message)
        except (TypeError, ValueError) as error:
            raise type(error)(f"messages[{index}]: {error}") from None


def _matches(session: SessionData, wanted: Mapping[str, str]) -> bool:
    return all(getattr(session, name) == value for name, value in wanted.items())


def _shown(entry: Entry[S]) -> dict[str, Any]:
    session = entry.session
    return {
        "session_id": entry.session_id,
        "agent_name": session and session.agent_name,
        "created_at": session and session.created_at,
        "updated_at": session and session.updated_at,
        "message_count": entry.message_count,
        "status": entry.status,
        "file": entry.file,
    }
