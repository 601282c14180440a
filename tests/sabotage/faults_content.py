"""Faults in what a session holds: fields, damage, ids, None, replacing, snapshots, trees."""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from tests.sabotage.fault import Fault, put


def unknown_fields_dropped() -> None:
    """Read each class as its own fields and no more."""
    from readfresh import model

    put(model, _unknown=lambda _data, _kind: {})


def unknown_fields_of_messages_dropped() -> None:
    """Write a message as the fields that the class has."""
    from readfresh import SessionMessage

    complete = SessionMessage.to_dict

    def to_dict(self: SessionMessage) -> dict[str, Any]:
        return {key: value for key, value in complete(self).items() if key not in self.extra}

    put(SessionMessage, to_dict=to_dict)


def unknown_fields_of_snapshots_dropped() -> None:
    """Write a snapshot as the fields that the class has."""
    from readfresh import SessionSnapshot

    complete = SessionSnapshot.to_dict

    def to_dict(self: SessionSnapshot) -> dict[str, Any]:
        return complete(dataclasses.replace(self, extra={}))

    put(SessionSnapshot, to_dict=to_dict)


def base_class_rehydrated() -> None:
    """Read every file as a plain session without unknown fields, then put that into the store's own class (#1745)."""
    from readfresh import SessionData
    from readfresh.codec import decode
    from readfresh.files import SessionFiles

    names = [field.name for field in dataclasses.fields(SessionData) if field.name != "extra"]

    def session(self: SessionFiles[Any], raw: bytes, _session_id: str, _path: str) -> Any:
        plain = SessionData.from_dict(decode(raw))
        return self.session_type(**{name: getattr(plain, name) for name in names})

    put(SessionFiles, _session=session)


def metadata_replaced() -> None:
    """Let an update of some metadata fields replace all of them."""
    from readfresh import SessionData

    def with_metadata(self: SessionData, fields: Mapping[str, Any]) -> SessionData:
        return dataclasses.replace(self, metadata=fields)

    put(SessionData, with_metadata=with_metadata)


def agent_info_left_out_is_cleared() -> None:
    """Take an argument of `set_agent_info` that was left out for None."""
    from readfresh import DefaultSessionStore

    complete = DefaultSessionStore.set_agent_info

    def set_agent_info(self: Any, session_id: str, agent_name: Any = None, user_id: Any = None) -> bool:
        return complete(self, session_id, agent_name=agent_name, user_id=user_id)

    put(DefaultSessionStore, set_agent_info=set_agent_info)


def unchanged_session_written_back() -> None:
    """Write a session that `change` gave back as it was."""
    from readfresh import DefaultSessionStore

    def update(self: Any, session_id: str, change: Any) -> bool:
        def changed(current: Any) -> Any:
            return dataclasses.replace(change(self.session_type(session_id) if current is None else current))

        return self._update(session_id, changed)  # type: ignore[no-any-return]

    put(DefaultSessionStore, update=update)


def damaged_is_reset() -> None:
    """Take a damaged file for a session that does not exist, as PraisonAI did before #1745's review."""
    _damaged_is_absent()


def damaged_is_moved_aside() -> None:
    """Rename a damaged file and start afresh, as PraisonAI 1.7.17 does."""
    _damaged_is_absent(lambda path: os.replace(path, path + ".corrupt"))


def _damaged_is_absent(first: Callable[[str], None] = lambda _path: None) -> None:
    from readfresh import SessionDamaged
    from readfresh.files import SessionFiles

    complete = SessionFiles._load

    def load(self: Any, session_id: str, kind: Any) -> Any:
        try:
            return complete(self, session_id, kind)
        except SessionDamaged:
            first(self.path(session_id))
            return None

    put(SessionFiles, _load=load)


def damaged_reads_as_empty() -> None:
    """Refuse to write to a damaged session, and read it as an empty one."""
    from readfresh import SessionDamaged
    from readfresh.files import SessionFiles

    complete = SessionFiles.read

    def read(self: Any, session_id: str, **how: bool) -> Any:
        try:
            return complete(self, session_id, **how)
        except SessionDamaged:
            return None

    put(SessionFiles, read=read)


def damaged_is_not_listed() -> None:
    """Leave out of every listing what cannot be read."""
    from readfresh.files import SessionFiles

    complete = SessionFiles.scan

    def scan(self: Any, **how: bool) -> Any:
        return (entry for entry in complete(self, **how) if entry.status != "damaged")

    put(SessionFiles, scan=scan)


def damaged_messages_are_skipped() -> None:
    """Read the messages that can be read, and say nothing of the others."""
    from readfresh import model

    complete = model._each

    def each(values: Any, name: str, make: Any) -> Any:
        for value in values if isinstance(values, list) else ():
            try:
                yield from complete([value], name, make)
            except (TypeError, ValueError):
                continue

    put(model, _each=each)


def json_is_read_loosely() -> None:
    """Let the last of two equal keys win, and NaN through, as `json.loads` does by itself."""
    from readfresh import codec

    put(codec, _object=dict, _constant=float)


def links_are_followed() -> None:
    """Read whatever stands in a session's place."""
    from readfresh.disk import Disk

    complete = Disk.read
    put(Disk, read=lambda self, path, max_bytes: complete(self, os.path.realpath(path), max_bytes))


def _named(name: Callable[[str], str]) -> None:
    from readfresh import files

    put(files, file_name=lambda session_id, _reserved=None: name(session_id) + ".json")


def ids_folded() -> None:
    """Put ``_`` in the place of each character that a name may not have, as PraisonAI does."""
    _named(lambda session_id: re.sub(r"[^A-Za-z0-9_-]", "_", session_id)[:240])


def ids_cut() -> None:
    """Cut a name that is too long."""
    from readfresh.names import _ENCODED

    def encoded(session_id: str) -> str:
        return _ENCODED.sub(lambda found: b"%%%02X" % found[0][0], session_id.encode()).decode()

    _named(lambda session_id: encoded(session_id)[:240])


def ids_used_as_paths() -> None:
    """Make the file's path of the id as it stands, but for a slash in front: a fault does no harm elsewhere."""
    _named(lambda session_id: session_id.lstrip("/"))


def ids_lowered() -> None:
    """Take upper and lower case for one."""
    from readfresh.names import file_name

    _named(lambda session_id: file_name(session_id.lower()).removesuffix(".json"))


def ids_normalised() -> None:
    """Take the two spellings of an accent in Unicode for one."""
    from readfresh.names import file_name

    _named(lambda session_id: file_name(unicodedata.normalize("NFC", session_id)).removesuffix(".json"))


def id_in_file_unchecked() -> None:
    """Take whatever session stands in the file for the one that was asked for."""
    from readfresh.files import SessionFiles

    def load(self: Any, session_id: str, kind: Any) -> Any:
        path = self.path(session_id)
        raw = self._bytes(path, session_id, kind)
        if raw is None:
            return None
        return dataclasses.replace(self._session(raw, session_id, path), session_id=session_id)

    put(SessionFiles, _load=load)


def foreign_taken_for_ours() -> None:
    """List a file as a session of ours whatever its name is."""
    from readfresh.files import SessionFiles

    complete = SessionFiles._entry

    def entry(self: Any, name: str) -> Any:
        found = complete(self, name)
        if found is None or found.status != "foreign":
            return found
        return dataclasses.replace(found, status="ok", error=None)

    put(SessionFiles, _entry=entry)


def none_skipped() -> None:
    """Leave a metadata field as it is when it is set to None (#1727)."""
    from readfresh import SessionData

    def with_metadata(self: SessionData, fields: Mapping[str, Any]) -> SessionData:
        given = {name: value for name, value in fields.items() if value is not None}
        return dataclasses.replace(self, metadata={**self.metadata, **given})

    put(SessionData, with_metadata=with_metadata)


def none_deletes() -> None:
    """Delete a metadata field that is set to None."""
    from readfresh import SessionData

    def with_metadata(self: SessionData, fields: Mapping[str, Any]) -> SessionData:
        merged = {**self.metadata, **fields}
        return dataclasses.replace(self, metadata={name: value for name, value in merged.items() if value is not None})

    put(SessionData, with_metadata=with_metadata)


def none_is_left_out() -> None:
    """Take None for an agent, a user or a gateway for an argument that was left out."""
    from readfresh import DefaultSessionStore

    complete = DefaultSessionStore._set

    def _set(self: Any, session_id: str, **fields: Any) -> bool:
        return complete(self, session_id, **{name: value for name, value in fields.items() if value is not None})

    put(DefaultSessionStore, _set=_set)


def none_not_written() -> None:
    """Leave out of the file, at every level, what is None."""
    from readfresh import files
    from readfresh.codec import encode

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: kept(item) for key, item in value.items() if item is not None}
        return [kept(item) for item in value] if isinstance(value, list) else value

    put(files, encode=lambda data, *most: encode(kept(data), *most))


def replaced_message_by_message() -> None:
    """Replace a history by clearing it and adding each message, as PraisonAI's bots did before #1768."""
    from readfresh import DefaultSessionStore
    from readfresh.chat import _numbered

    def set_chat_history(self: Any, session_id: str, messages: Any) -> bool:
        given = tuple(_numbered(messages))
        self.update(session_id, lambda session: dataclasses.replace(session, messages=()))
        for message in given:
            timed = message if message.timestamp is not None else dataclasses.replace(message, timestamp=self._now())
            self.update(session_id, lambda session, timed=timed: session.with_message(timed))
        return True

    put(DefaultSessionStore, set_chat_history=set_chat_history)


def _given_without(**fields: Any) -> None:
    from readfresh import chat

    complete = chat._numbered
    put(chat, _numbered=lambda messages: (dataclasses.replace(one, **fields) for one in complete(messages)))


def replaced_without_times() -> None:
    """Give each message of a replaced history the time of the change."""
    _given_without(timestamp=None)


def replaced_without_metadata() -> None:
    """Drop the metadata that a replaced history was given."""
    _given_without(metadata={})


def replaced_without_tools() -> None:
    """Keep role and content of a replaced history alone."""
    _given_without(tool_calls=None, tool_call_id=None, extra={})


def replaced_by_a_generator_under_the_lock() -> None:
    """Take the messages from the caller while the lock is held."""
    from readfresh import DefaultSessionStore, SessionMessage

    def set_chat_history(self: Any, session_id: str, messages: Any) -> bool:
        def replaced(session: Any) -> Any:
            given = (one if isinstance(one, SessionMessage) else SessionMessage.from_dict(one) for one in messages)
            timed = (one if one.timestamp is not None else dataclasses.replace(one, timestamp=0.0) for one in given)
            return dataclasses.replace(session, messages=tuple(timed))

        return self.update(session_id, replaced)  # type: ignore[no-any-return]

    put(DefaultSessionStore, set_chat_history=set_chat_history)


def snapshot_by_index() -> None:
    """Revert to the index of a snapshot's last message, as PraisonAI did before 1.7."""
    from readfresh import HierarchicalSessionStore

    def revert_to_snapshot(self: Any, session_id: str, snapshot_id: str) -> bool:
        def revert(session: Any) -> Any:
            for snapshot in session.snapshots:
                if snapshot.id == snapshot_id:
                    return dataclasses.replace(session, messages=session.messages[: snapshot.message_index + 1])
            return session

        return self._update_existing(session_id, revert)  # type: ignore[no-any-return]

    put(HierarchicalSessionStore, revert_to_snapshot=revert_to_snapshot)


def snapshot_of_an_earlier_read() -> None:
    """Keep the messages that were read before the lock was taken."""
    from readfresh import HierarchicalSessionStore

    complete = HierarchicalSessionStore.create_snapshot

    def create_snapshot(self: Any, session_id: str, label: Any = None, metadata: Any = None) -> str:
        messages = self.get_session(session_id).messages
        snapshot_id = complete(self, session_id, label, metadata)

        def put_back(session: Any) -> Any:
            *others, last = session.snapshots
            return dataclasses.replace(session, snapshots=(*others, dataclasses.replace(last, messages=messages)))

        self.update(session_id, put_back)
        return snapshot_id

    put(HierarchicalSessionStore, create_snapshot=create_snapshot)


def _reverted(then: Callable[[Any, Any, str], Any]) -> None:
    from readfresh import HierarchicalSessionStore

    complete = HierarchicalSessionStore.revert_to_snapshot

    def revert_to_snapshot(self: Any, session_id: str, snapshot_id: str) -> bool:
        done = complete(self, session_id, snapshot_id)
        if done:
            self.update(session_id, lambda session: then(self, session, snapshot_id))
        return done

    put(HierarchicalSessionStore, revert_to_snapshot=revert_to_snapshot)


def revert_is_trimmed() -> None:
    """Trim what a revert brings back to `max_messages`."""
    from readfresh.model import tail

    _reverted(
        lambda store, session, _: dataclasses.replace(session, messages=tail(session.messages, store.max_messages))
    )


def revert_uses_snapshots_up() -> None:
    """Drop the snapshot that was reverted to, and those after it."""

    def used_up(_store: Any, session: Any, snapshot_id: str) -> Any:
        before = itertools.takewhile(lambda one: one.id != snapshot_id, session.snapshots)
        return dataclasses.replace(session, snapshots=tuple(before))

    _reverted(used_up)


def snapshot_without_metadata() -> None:
    """Keep role, content and time of a snapshot's messages alone."""
    from readfresh import SessionMessage, SessionSnapshot

    complete = SessionSnapshot.to_dict

    def to_dict(self: SessionSnapshot) -> dict[str, Any]:
        if self.messages is None:
            return complete(self)
        bare = tuple(SessionMessage(one.role, one.content or "", one.timestamp) for one in self.messages)
        return complete(dataclasses.replace(self, messages=bare))

    put(SessionSnapshot, to_dict=to_dict)


def parent_written_first() -> None:
    """Enter a child in its parent before it exists."""
    from readfresh import HierarchicalSessionStore
    from readfresh.hierarchical import _with_child

    def create_under(self: Any, parent: Any, child: Any) -> str:
        self._update_existing(parent.session_id, lambda newest: _with_child(newest, parent, child.session_id))
        return self._create(child).session_id  # type: ignore[no-any-return]

    put(HierarchicalSessionStore, _create_under=create_under)


def parent_saved_as_it_was_read() -> None:
    """Write the parent as it was when the creation began, with the child in it."""
    from readfresh import HierarchicalSessionStore

    def create_under(self: Any, parent: Any, child: Any) -> str:
        self._create(child)
        grown = dataclasses.replace(parent, children_ids=(*parent.children_ids, child.session_id))
        self._update_existing(parent.session_id, lambda _newest: grown)
        return child.session_id  # type: ignore[no-any-return]

    put(HierarchicalSessionStore, _create_under=create_under)


def parent_brought_back() -> None:
    """Enter a child in its parent whether that exists or not."""
    from readfresh import HierarchicalSessionStore

    def create_under(self: Any, parent: Any, child: Any) -> str:
        self._create(child)
        self.update(
            parent.session_id,
            lambda newest: dataclasses.replace(newest, children_ids=(*newest.children_ids, child.session_id)),
        )
        return child.session_id  # type: ignore[no-any-return]

    put(HierarchicalSessionStore, _create_under=create_under)


def parent_not_told() -> None:
    """Leave it to the child to know its parent."""
    from readfresh import HierarchicalSessionStore

    put(HierarchicalSessionStore, _create_under=lambda self, _parent, child: self._create(child).session_id)


def children_not_asked_for() -> None:
    """List what the record says, whether it exists or not."""
    from readfresh import HierarchicalSessionStore

    put(HierarchicalSessionStore, get_children=lambda self, session_id: list(self.get_session(session_id).children_ids))


def any_session_of_that_id_is_a_child() -> None:
    """List whatever session has the id of a child."""
    from readfresh import HierarchicalSessionStore

    def children(self: Any, parent: Any) -> dict[str, Any]:
        return {child: self.get_session(child) for child in parent.children_ids if self.session_exists(child)}

    put(HierarchicalSessionStore, _children=children)


def child_left_behind() -> None:
    """Leave a child that could not be entered in its parent where it is."""
    from readfresh import HierarchicalSessionStore

    put(HierarchicalSessionStore, _take_back=lambda _self, _child, _error: None)


FAULTS: dict[str, Fault] = {
    "unknown-fields-dropped": Fault(
        unknown_fields_dropped, ("nothing-else-changes",), "fields that a class does not have are dropped on reading"
    ),
    "message-fields-dropped": Fault(
        unknown_fields_of_messages_dropped, ("nothing-else-changes",), "unknown fields of messages are not written back"
    ),
    "snapshot-fields-dropped": Fault(
        unknown_fields_of_snapshots_dropped,
        ("nothing-else-changes",),
        "unknown fields of snapshots are not written back",
    ),
    "base-class-rehydrated": Fault(
        base_class_rehydrated,
        ("nothing-else-changes",),
        "a subclass's file is read as the base class",
        found_by="model-files",
    ),
    "metadata-replaced": Fault(metadata_replaced, ("nothing-else-changes",), "updating metadata replaces all of it"),
    "left-out-is-cleared": Fault(
        agent_info_left_out_is_cleared, ("nothing-else-changes",), "an argument that is left out clears its field"
    ),
    "unchanged-is-written": Fault(
        unchanged_session_written_back, ("nothing-else-changes",), "a change that changes nothing rewrites the file"
    ),
    "damaged-is-reset": Fault(
        damaged_is_reset,
        ("damage-is-kept",),
        "a damaged file is read as empty and overwritten by the next write",
        found_by="fuzz-bytes",
    ),
    "damaged-is-moved": Fault(
        damaged_is_moved_aside, ("damage-is-kept",), "a damaged file is renamed, and the session starts afresh"
    ),
    "damaged-reads-as-empty": Fault(damaged_reads_as_empty, ("damage-is-kept",), "a damaged session reads as empty"),
    "damaged-is-not-listed": Fault(damaged_is_not_listed, ("damage-is-kept",), "a listing leaves out damaged sessions"),
    "damaged-messages-skipped": Fault(
        damaged_messages_are_skipped, ("damage-is-kept",), "messages that cannot be read are skipped in silence"
    ),
    "json-read-loosely": Fault(
        json_is_read_loosely, ("damage-is-kept",), "duplicate keys and NaN are read", found_by="fuzz-json"
    ),
    "links-followed": Fault(
        links_are_followed,
        ("damage-is-kept",),
        "a symbolic link in a session's place is read, and replaced by writes",
        found_by="fuzz-things",
    ),
    "ids-folded": Fault(
        ids_folded, ("ids-are-apart",), "characters that a file name may not have become `_`", found_by="fuzz-ids"
    ),
    "ids-cut": Fault(ids_cut, ("ids-are-apart",), "ids that are too long for a file name are cut"),
    "ids-used-as-paths": Fault(ids_used_as_paths, ("ids-are-apart",), "an id is used as a path"),
    "ids-lowered": Fault(ids_lowered, ("ids-are-apart",), "ids that differ in case share a file"),
    "ids-normalised": Fault(ids_normalised, ("ids-are-apart",), "ids that differ in Unicode's spelling share a file"),
    "id-unchecked": Fault(id_in_file_unchecked, ("ids-are-apart",), "the id in the file is not looked at"),
    "foreign-taken-for-ours": Fault(
        foreign_taken_for_ours,
        ("ids-are-apart",),
        "a file whose name and id do not belong together counts as a session",
    ),
    "none-skipped": Fault(none_skipped, ("none-is-a-value",), "None leaves a metadata field as it is"),
    "none-deletes": Fault(none_deletes, ("none-is-a-value",), "None deletes a metadata field"),
    "none-is-left-out": Fault(
        none_is_left_out, ("none-is-a-value",), "None leaves agent, user and gateway as they are"
    ),
    "none-not-written": Fault(none_not_written, ("none-is-a-value",), "what is None is left out of the file"),
    "replaced-message-by-message": Fault(
        replaced_message_by_message,
        ("replace-is-one-step",),
        "a history is cleared, then filled message by message",
        found_by="kills-plain",
    ),
    "replaced-without-times": Fault(
        replaced_without_times, ("replace-is-one-step",), "the times of a replaced history are dropped"
    ),
    "replaced-without-metadata": Fault(
        replaced_without_metadata, ("replace-is-one-step",), "the metadata of a replaced history is dropped"
    ),
    "replaced-without-tools": Fault(
        replaced_without_tools, ("replace-is-one-step",), "tool fields and unknown fields of a history are dropped"
    ),
    "replaced-under-the-lock": Fault(
        replaced_by_a_generator_under_the_lock,
        ("replace-is-one-step",),
        "the caller's messages are taken while the lock is held",
    ),
    "snapshot-by-index": Fault(snapshot_by_index, ("snapshot-is-exact",), "a snapshot is an index into the messages"),
    "snapshot-of-an-earlier-read": Fault(
        snapshot_of_an_earlier_read, ("snapshot-is-exact",), "a snapshot holds what was read before the lock was taken"
    ),
    "snapshot-without-metadata": Fault(
        snapshot_without_metadata,
        ("snapshot-is-exact",),
        "a snapshot keeps role, content and time of its messages alone",
    ),
    "revert-is-trimmed": Fault(revert_is_trimmed, ("snapshot-is-exact",), "what a revert brings back is trimmed"),
    "revert-uses-snapshots-up": Fault(
        revert_uses_snapshots_up, ("snapshot-is-exact",), "a revert drops its snapshot and those after it"
    ),
    "parent-written-first": Fault(
        parent_written_first, ("tree-is-sound",), "the parent is written before the child exists"
    ),
    "parent-saved-as-read": Fault(
        parent_saved_as_it_was_read, ("tree-is-sound",), "the parent is written as it was when the creation began"
    ),
    "parent-brought-back": Fault(parent_brought_back, ("tree-is-sound",), "a child brings its deleted parent back"),
    "parent-not-told": Fault(parent_not_told, ("tree-is-sound",), "a child is not entered in its parent"),
    "children-not-asked-for": Fault(
        children_not_asked_for, ("tree-is-sound",), "children are listed without asking whether they exist"
    ),
    "any-session-is-a-child": Fault(
        any_session_of_that_id_is_a_child, ("tree-is-sound",), "a new session takes the place of a deleted child"
    ),
    "child-left-behind": Fault(
        child_left_behind, ("tree-is-sound",), "a child that its parent could not list is left behind"
    ),
}
