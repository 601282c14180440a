"""`HierarchicalSessionStore`: forks, snapshots and trees on top of the chat verbs.

It adds fields and verbs. It adds no loading, no saving, no locking and no cache.

1. A child is written first, then its parent, one lock at a time.
2. `children_ids` in the parent's file is the record; an answer names a child only when that child exists and names
   the parent in turn. So no answer has a cycle, and a session that took a deleted child's id is nobody's child.
3. What was created and could not be entered in its parent is taken back before the error is raised.
4. A snapshot holds its messages, not an index: no later change can move what it brings back.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

from readfresh.codec import MOVED, SCHEMA_VERSION, NotASession, TooNew, check_version
from readfresh.default import DefaultSessionStore, one_store
from readfresh.errors import (
    OutcomeUnknown,
    ReadFailed,
    SessionDamaged,
    SessionExists,
    SessionMismatch,
    SessionMoved,
    SessionNotFound,
    SessionStoreError,
    SessionTooNew,
)
from readfresh.model import ExtendedSessionData, SessionMessage, SessionSnapshot
from readfresh.names import check_id, is_id
from readfresh.storage import status_of
from readfresh.values import EMPTY, freeze_mapping, optional_text, text, thaw, whole_number

__all__ = ["HierarchicalSessionStore", "get_hierarchical_session_store"]

TITLE_LENGTH = 60


class HierarchicalSessionStore(DefaultSessionStore[ExtendedSessionData]):
    """A `DefaultSessionStore` whose sessions have a place in a tree, snapshots, and a title.

    Arguments, guarantees and inherited verbs are those of `DefaultSessionStore`; both may work on one directory.
    """

    session_type = ExtendedSessionData

    def create_session(
        self,
        session_id: str | None = None,
        title: str | None = None,
        parent_id: str | None = None,
        agent_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Create an empty session, under a parent where one is given, and return its id.

        Guarantee: tree-is-sound.

        Args:
            session_id: its id; None to get a new one.
            title: a name for people.
            parent_id: the session that is to list it as a child.
            agent_name: the agent that speaks in it.
            metadata: whatever JSON can hold.

        Raises:
            SessionExists: the id is taken.
            SessionNotFound: the parent does not exist.
            TypeError, ValueError: an argument is wrong, or the session would be its own parent.
            SessionStoreError: as `update` does; after anything but `OutcomeUnknown` the session does not exist.
        """
        session = ExtendedSessionData(
            self._new(session_id, "session_id"),
            title=optional_text(title, "title"),
            parent_id=None if parent_id is None else check_id(parent_id, "parent_id"),
            agent_name=optional_text(agent_name, "agent_name"),
            metadata=EMPTY if metadata is None else freeze_mapping(metadata, "metadata"),
        )
        if session.parent_id is None:
            return self._create(session).session_id
        if session.parent_id == session.session_id:
            raise ValueError(f"parent_id must not be the session's own id, {parent_id!r}")
        return self._create_under(self._existing(session.parent_id, sees_messages=False), session)

    def fork_session(self, session_id: str, from_message_index: int | None = None, title: str | None = None) -> str:
        """Create a child that begins with the messages of a session, and return its id.

        The child has the session's messages, agent name and metadata as they are now, and its own history from here.
        Guarantee: tree-is-sound.

        Args:
            session_id: the session to fork.
            from_message_index: the index of the last message to take, itself included; None takes all.
            title: a name for people; None names it after the session.

        Raises:
            SessionNotFound: the session does not exist.
            TypeError, ValueError: an argument is wrong, or the index is out of range.
            SessionStoreError: as `update` does; after anything but `OutcomeUnknown` the fork does not exist.
        """
        if from_message_index is not None:
            whole_number(from_message_index, "from_message_index")
        optional_text(title, "title")
        origin = self._existing(check_id(session_id))
        messages = origin.messages
        if from_message_index is not None:
            if not 0 <= from_message_index < len(messages):
                raise ValueError(
                    f"from_message_index must be 0 to {len(messages) - 1}, not {from_message_index}"
                    if messages
                    else f"from_message_index is {from_message_index}, and the session has no messages"
                )
            messages = messages[: from_message_index + 1]
        fork = ExtendedSessionData(
            self._new(None, "session_id"),
            messages=messages,
            title=f"Fork of {origin.title or session_id}" if title is None else title,
            parent_id=session_id,
            forked_from_message_id=None if from_message_index is None else str(from_message_index),
            agent_name=origin.agent_name,
            metadata=origin.metadata,
        )
        return self._create_under(origin, fork)

    def get_children(self, session_id: str) -> list[str]:
        """Return the ids of the children that exist, oldest first; ``[]`` for a session that does not exist.

        Raises:
            SessionStoreError: as `get_session` does, for the session itself; a child that cannot be read is listed.
            LockTimeout: a child was held for longer than `lock_timeout`.
        """
        return list(self._children(self.get_session(session_id)))

    def get_parent(self, session_id: str) -> str | None:
        """Return the id of the parent; None when there is none, or it has been deleted.

        Raises:
            SessionStoreError: as `get_session` does, for the session or for its parent.
        """
        parent_id = self.get_session(session_id).parent_id
        if parent_id is None or not is_id(parent_id) or session_id not in self.get_session(parent_id).children_ids:
            return None
        return parent_id

    def get_session_tree(self, session_id: str) -> dict[str, Any]:
        """Return the session and its descendants as nested dicts.

        Each has `session_id`, `title`, `message_count`, `status` and `children`.
        `status` is ``ok``, or ``damaged``, ``too-new`` or ``unreadable`` for a descendant that cannot be read:
        its title and count are None, it has no children, and it is reported to `on_error`.

        Raises:
            SessionStoreError: as `get_session` does, for the session itself.
            LockTimeout: a descendant was held for longer than `lock_timeout`.
        """
        session = self.get_session(session_id)
        root = _node(session_id, session)
        unfinished = [(root, session)]
        seen = {session_id}  # a cycle can come from a file that readfresh did not write
        while unfinished:
            node, session = unfinished.pop()
            for child_id, child in self._children(session).items():
                if child_id in seen:
                    continue
                seen.add(child_id)
                node["children"].append(_node(child_id, child))
                if isinstance(child, ExtendedSessionData):
                    unfinished.append((node["children"][-1], child))
        return root

    def create_snapshot(
        self, session_id: str, label: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> str:
        """Keep the session's messages as they are now, to revert to, and return the snapshot's id.

        Guarantee: snapshot-is-exact. The snapshot is part of the session's file and holds a copy of its messages.

        Args:
            session_id: the session.
            label: a name for people.
            metadata: whatever JSON can hold.

        Raises:
            SessionNotFound: the session does not exist.
            TypeError, ValueError: an argument is wrong; the message names it.
            SessionStoreError: as `update` does.
        """
        checked = check_id(session_id)
        snapshot_id = self._new_id()
        empty = SessionSnapshot(
            snapshot_id,
            checked,
            message_index=-1,
            label=optional_text(label, "label"),
            metadata=EMPTY if metadata is None else freeze_mapping(metadata, "metadata"),
            messages=(),
        )

        def keep(session: ExtendedSessionData) -> ExtendedSessionData:
            if any(one.id == snapshot_id for one in session.snapshots):
                raise SessionExists(
                    f"it has a snapshot {snapshot_id!r} already",
                    session_id=checked,
                    next_step="Give the store a new_id that never gives one twice.",
                )
            messages = session.messages
            snapshot = dataclasses.replace(
                empty, message_index=len(messages) - 1, created_at=self._now(), messages=messages
            )
            return dataclasses.replace(session, snapshots=(*session.snapshots, snapshot))

        if not self._update_existing(checked, keep):
            self._refuse(SessionNotFound("it does not exist, so there is nothing to keep", session_id=checked))
        return snapshot_id

    def get_snapshots(self, session_id: str) -> list[SessionSnapshot]:
        """Return the session's snapshots, oldest first; raises as `get_session` does."""
        return list(self.get_session(session_id).snapshots)

    def revert_to_snapshot(self, session_id: str, snapshot_id: str) -> bool:
        """Replace the messages by those that the snapshot was taken of, in one change. The snapshots stay.

        Guarantee: snapshot-is-exact.

        Returns:
            True; False when the session has no such snapshot.

        Raises:
            ValueError: the snapshot is PraisonAI's from before 1.7 and holds an index alone, which trimming, clearing
                and replacing have moved for all that is known.
            TypeError: an argument is wrong.
            SessionStoreError: as `update` does.
        """
        wanted = text(snapshot_id, "snapshot_id")

        def revert(session: ExtendedSessionData) -> ExtendedSessionData:
            snapshot = next((one for one in session.snapshots if one.id == wanted), None)
            if snapshot is None:
                return session
            if snapshot.messages is None:
                raise ValueError(
                    f"snapshot_id {wanted!r} is a snapshot that holds no messages, only the index "
                    f"{snapshot.message_index}; revert_to_message reverts to an index"
                )
            return dataclasses.replace(session, messages=snapshot.messages)

        return self._update_existing(check_id(session_id), revert)

    def revert_to_message(self, session_id: str, message_index: int) -> bool:
        """Take out the messages after an index, in one change.

        Args:
            session_id: the session.
            message_index: the index of the last message to keep, from 0.

        Returns:
            True; False when the index is out of range, or the session does not exist.

        Raises:
            TypeError: the index is no whole number.
            SessionStoreError: as `update` does.
        """
        whole_number(message_index, "message_index")

        def revert(session: ExtendedSessionData) -> ExtendedSessionData:
            if not 0 <= message_index < len(session.messages):
                return session
            return dataclasses.replace(session, messages=session.messages[: message_index + 1])

        return self._update_existing(check_id(session_id), revert)

    def share_session(self, session_id: str) -> bool:
        """Mark the session as shared; it is created if need be. Returns True; raises as `update` does."""
        return self._update_fields(session_id, lambda session: dataclasses.replace(session, is_shared=True))

    def unshare_session(self, session_id: str) -> bool:
        """Mark the session as not shared. Returns True; False when it does not exist; raises as `update` does."""
        return self._update_existing(
            check_id(session_id), lambda session: dataclasses.replace(session, is_shared=False), sees_messages=False
        )

    def is_shared(self, session_id: str) -> bool:
        """Return whether the session is marked as shared; raises as `get_session` does."""
        return self.get_session(session_id).is_shared

    def set_title(self, session_id: str, title: str | None) -> bool:
        """Set the session's title, None clears it; the session is created if need be.

        Returns True; raises as `update` does.
        """
        checked = optional_text(title, "title")
        return self._update_fields(session_id, lambda session: dataclasses.replace(session, title=checked))

    async def auto_title(
        self, session_id: str, make_title: Callable[[str, str], str | Awaitable[str]] | None = None
    ) -> bool:
        """Give a session without a title one that is made from its first exchange.

        The files are read and written in a thread, so that the event loop goes on.

        Args:
            session_id: the session.
            make_title: given the first text of the user and the first of the assistant after it, returns the title;
                a function or a coroutine function. None takes the user's text, shortened to 60 characters.

        Returns:
            True; False when the session has a title by then, when there is no exchange, or when the title is empty.

        Raises:
            SessionStoreError: as `update` does.
            Exception: whatever `make_title` raises; nothing was written.
        """
        import asyncio  # here, as whoever awaits this has it already, and importing it takes longer than readfresh

        session = await asyncio.to_thread(self.get_session, session_id)
        exchange = _first_exchange(session.messages)
        if session.title or exchange is None:
            return False
        made = (make_title or _shortened)(*exchange)
        title = text(await made if inspect.isawaitable(made) else made, "the title").strip()
        if not title:
            return False
        return await asyncio.to_thread(
            self._update_existing,
            session_id,
            lambda newest: newest if newest.title else dataclasses.replace(newest, title=title),
            sees_messages=False,
        )

    def get_extended_session(self, session_id: str, force_reload: bool = False) -> ExtendedSessionData:  # noqa: ARG002
        """Return what `get_session` returns. `force_reload` is PraisonAI's and changes nothing: every read is fresh."""
        return self.get_session(session_id)

    def export_session(self, session_id: str) -> dict[str, Any]:
        """Return the session as a new dict that JSON can hold, unknown fields and snapshots included.

        Raises:
            SessionNotFound: the session does not exist; an empty export would pass for a backup.
            SessionStoreError: as `get_session` does.
        """
        exported: dict[str, Any] = thaw(self._existing(check_id(session_id)).to_dict())
        return {"schema_version": SCHEMA_VERSION, **exported}

    def import_session(self, data: Mapping[str, Any], new_session_id: str | None = None) -> str:
        """Create a session from exported data, ours or PraisonAI's, and return its id.

        It has no parent and no children: those it had belong to the place it comes from.

        Args:
            data: what `export_session` gave, or the content of a session file.
            new_session_id: its id; None to get a new one.

        Raises:
            SessionExists: the id is taken.
            TypeError, ValueError: `data` is no session; the message says where.
            SessionTooNew: `data` was exported by a newer readfresh.
            SessionStoreError: as `update` does.
        """
        new_id = self._new(new_session_id, "new_session_id")
        if not isinstance(data, Mapping):
            raise TypeError(f"data must be a dict, not {type(data).__name__}")
        fields = dict(data)
        fields.pop(MOVED, None)  # what was left behind is a copy of the session like any other
        try:
            check_version(fields.pop("schema_version", 0))
        except TooNew as error:
            self._refuse(SessionTooNew(f"it cannot be imported: {error}", session_id=new_id))
        except NotASession as error:
            raise ValueError(f"data is no session: {error}") from None
        if not isinstance(fields.get("messages"), list):
            raise ValueError("data is no session: it has no list of messages")
        try:
            session = ExtendedSessionData.from_dict({**fields, "session_id": new_id})
        except (TypeError, ValueError) as error:
            raise type(error)(f"data is no session: {error}") from None
        return self._create(
            dataclasses.replace(
                session,
                parent_id=None,
                children_ids=(),
                forked_from_message_id=None,
                snapshots=tuple(dataclasses.replace(one, session_id=new_id) for one in session.snapshots),
            )
        ).session_id

    def _new(self, session_id: str | None, name: str) -> str:
        return check_id(self._new_id() if session_id is None else session_id, name)

    def _existing(self, session_id: str, *, sees_messages: bool = True) -> ExtendedSessionData:
        session = self._read(session_id, sees_messages=sees_messages)
        if session is None:
            self._refuse(SessionNotFound("it does not exist", session_id=session_id))
        return session

    def _create(self, session: ExtendedSessionData) -> ExtendedSessionData:
        """Write a session that must not exist, and return it as it was written."""
        written = self._stamped(session)

        def create(current: ExtendedSessionData | None) -> ExtendedSessionData:
            if current is not None:
                raise SessionExists("it exists already", session_id=session.session_id)
            return written

        with self._reporting():
            self._storage.update(session.session_id, create)
        return written

    def _create_under(self, parent: ExtendedSessionData, child: ExtendedSessionData) -> str:
        written = self._create(child)
        try:
            self._update_existing(
                parent.session_id, lambda newest: _with_child(newest, parent, child.session_id), sees_messages=False
            )
        except OutcomeUnknown:
            raise  # the parent may list it
        except BaseException as error:
            self._take_back(written, error)
            raise
        return child.session_id

    def _take_back(self, child: ExtendedSessionData, error: BaseException) -> None:
        """Delete a child that its parent could not list, unless somebody has changed it since."""
        try:
            deleted = self._storage.delete(child.session_id, only=child)
        except SessionStoreError:
            deleted = False
        if not deleted and isinstance(error, Exception):  # an interrupt stays one
            unknown = OutcomeUnknown(
                f"it was created, and its parent {child.parent_id!r} does not list it: {error}",
                session_id=child.session_id,
                next_step="Delete it, or keep it as a session without a parent; readfresh.verify(store) lists it.",
            )
            self._report(unknown)
            raise unknown from error

    def _children(self, parent: ExtendedSessionData) -> dict[str, ExtendedSessionData | SessionStoreError]:
        """Return the children that exist; the error for one that cannot be read."""
        found: dict[str, ExtendedSessionData | SessionStoreError] = {}
        for child_id in dict.fromkeys(filter(is_id, parent.children_ids)):  # a file of others may list one twice
            try:
                child = self._read(child_id)
            except (SessionDamaged, SessionTooNew, SessionMoved, ReadFailed) as error:
                found[child_id] = error
            except SessionMismatch:
                continue  # another session stands in its place
            else:
                if child is not None and child.parent_id == parent.session_id:
                    found[child_id] = child
        return found

    def _refuse(self, error: SessionStoreError) -> NoReturn:
        self._report(error)
        raise error


def get_hierarchical_session_store() -> HierarchicalSessionStore:
    """Return the process's one `HierarchicalSessionStore` on the default directory, made on the first call."""
    return one_store(HierarchicalSessionStore)


def _with_child(newest: ExtendedSessionData, seen: ExtendedSessionData, child_id: str) -> ExtendedSessionData:
    if seen.created_at is not None and newest.created_at != seen.created_at:
        return newest  # the parent was deleted, and its id belongs to another session now
    if child_id in newest.children_ids:
        return newest
    return dataclasses.replace(newest, children_ids=(*newest.children_ids, child_id))


def _node(session_id: str, found: ExtendedSessionData | SessionStoreError) -> dict[str, Any]:
    if isinstance(found, SessionStoreError):
        status = status_of(found)
        return {"session_id": session_id, "title": None, "message_count": None, "status": status, "children": []}
    return {
        "session_id": session_id,
        "title": found.title,
        "message_count": len(found.messages),
        "status": "ok",
        "children": [],
    }


def _first_exchange(messages: tuple[SessionMessage, ...]) -> tuple[str, str] | None:
    user = None
    for message in messages:
        said = _text_of(message).strip()
        if message.role == "user" and user is None and said:
            user = said
        elif message.role == "assistant" and user is not None and said:
            return user, said
    return None


def _text_of(message: SessionMessage) -> str:
    if isinstance(message.content, list):
        parts = (part.get("text") for part in message.content if isinstance(part, dict))
        return " ".join(part for part in parts if isinstance(part, str))
    return message.content or ""


def _shortened(user: str, _assistant: str) -> str:
    line = " ".join(user.split())
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"
