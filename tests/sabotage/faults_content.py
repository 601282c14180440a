"""Faults in what a session holds: fields, damage, ids, None, replacing, snapshots, trees."""

from __future__ import annotations

import dataclasses
import os
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

    def read(self: Any, session_id: str) -> Any:
        try:
            return complete(self, session_id)
        except SessionDamaged:
            return None

    put(SessionFiles, read=read)


def damaged_is_not_listed() -> None:
    """Leave out of every listing what cannot be read."""
    from readfresh.files import SessionFiles

    complete = SessionFiles.scan

    def scan(self: Any) -> Any:
        return (entry for entry in complete(self) if entry.status != "damaged")

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
        base_class_rehydrated, ("nothing-else-changes",), "a subclass's file is read as the base class"
    ),
    "metadata-replaced": Fault(metadata_replaced, ("nothing-else-changes",), "updating metadata replaces all of it"),
    "left-out-is-cleared": Fault(
        agent_info_left_out_is_cleared, ("nothing-else-changes",), "an argument that is left out clears its field"
    ),
    "unchanged-is-written": Fault(
        unchanged_session_written_back, ("nothing-else-changes",), "a change that changes nothing rewrites the file"
    ),
    "damaged-is-reset": Fault(
        damaged_is_reset, ("damage-is-kept",), "a damaged file is read as empty and overwritten by the next write"
    ),
    "damaged-is-moved": Fault(
        damaged_is_moved_aside, ("damage-is-kept",), "a damaged file is renamed, and the session starts afresh"
    ),
    "damaged-reads-as-empty": Fault(damaged_reads_as_empty, ("damage-is-kept",), "a damaged session reads as empty"),
    "damaged-is-not-listed": Fault(damaged_is_not_listed, ("damage-is-kept",), "a listing leaves out damaged sessions"),
    "damaged-messages-skipped": Fault(
        damaged_messages_are_skipped, ("damage-is-kept",), "messages that cannot be read are skipped in silence"
    ),
    "json-read-loosely": Fault(json_is_read_loosely, ("damage-is-kept",), "duplicate keys and NaN are read"),
    "links-followed": Fault(
        links_are_followed, ("damage-is-kept",), "a symbolic link in a session's place is read, and replaced by writes"
    ),
}
