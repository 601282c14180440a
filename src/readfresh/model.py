"""Messages and sessions: frozen values, and the JSON objects that stand for them. No I/O.

1. A value that was read can be looked at, not saved: what changes a session is `update(session_id, change)`.
2. What a class has never heard of is in its `extra` and goes back into the file (guarantee: nothing-else-changes).
3. Whatever is in a value can be written and reads back equal: the constructors refuse the rest by name.

Field names and shapes are PraisonAI's (`praisonaiagents.session`), so that its files are read and ours are read by it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Self

from readfresh.codec import Line, Lines
from readfresh.values import (
    EMPTY,
    FrozenDict,
    freeze,
    freeze_mapping,
    optional_count,
    optional_number,
    optional_text,
    text,
    thaw,
)

__all__ = ["ExtendedSessionData", "SessionData", "SessionMessage", "SessionSnapshot"]


@dataclass(frozen=True, slots=True)
class SessionMessage(Line):
    """One message of a session.

    Args:
        role: who speaks; any text that is not empty. Chat models know ``user``, ``assistant``, ``system``, ``tool``.
        content: the text; or a list of content parts; or None, which chat models use beside `tool_calls`.
        timestamp: seconds since the epoch; None when it is not known.
        metadata: whatever JSON can hold.
        tool_calls: the calls that an assistant asks for, as chat models give them.
        tool_call_id: on a ``tool`` message, the id of the call that it answers.
        extra: fields of the file that readfresh has never heard of.

    Raises:
        TypeError: a field has the wrong type; the message names the field.
        ValueError: a field holds what JSON cannot keep; the message names the field.
    """

    role: str
    content: str | list[dict[str, Any]] | None
    timestamp: float | None = None
    metadata: Mapping[str, Any] = EMPTY
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    extra: Mapping[str, Any] = field(default=EMPTY, kw_only=True)

    def __post_init__(self) -> None:
        if self._is_plain():
            return
        put = object.__setattr__
        put(self, "role", text(self.role, "role"))
        if not self.role:
            raise ValueError("role must not be empty")
        if self.content is not None and not isinstance(self.content, str | list):
            raise TypeError(f"content must be text, a list of parts, or None, not {type(self.content).__name__}")
        put(self, "content", freeze(self.content, "content"))
        put(self, "timestamp", optional_number(self.timestamp, "timestamp"))
        put(self, "metadata", freeze_mapping(self.metadata, "metadata"))
        if self.tool_calls is not None:
            if not isinstance(self.tool_calls, list) or not all(isinstance(call, Mapping) for call in self.tool_calls):
                raise TypeError("tool_calls must be a list of dicts")
            put(self, "tool_calls", freeze(self.tool_calls, "tool_calls"))
        put(self, "tool_call_id", optional_text(self.tool_call_id, "tool_call_id"))
        put(self, "extra", _extra(self.extra, self))

    def _is_plain(self) -> bool:
        """Return whether each field is of the one type, and of the values, that pass without being looked at again."""
        return (
            type(self.role) is type(self.content) is str
            and self.role.isascii()
            and self.content.isascii()
            and self.role != ""
            and (self.timestamp is None or (type(self.timestamp) is float and math.isfinite(self.timestamp)))
            and self.metadata is self.extra is EMPTY
            and self.tool_calls is None
            and self.tool_call_id is None
        )

    def __deepcopy__(self, _memo: object) -> Self:
        # A copy that could be changed in place would go into a file unchecked.
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that stands for this message in a file; tool fields only where it has them."""
        data: dict[str, Any] = {
            "role": self.role,
            "content": self.content,
            "timestamp": self.timestamp,
            "metadata": self.metadata,
        }
        if self.tool_calls is not None:
            data["tool_calls"] = self.tool_calls
        if self.tool_call_id is not None:
            data["tool_call_id"] = self.tool_call_id
        return {**data, **self.extra}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the message that the JSON object `data` stands for.

        Raises:
            TypeError: `data` is no dict, or a field has the wrong type.
            ValueError: `data` has no role, or holds what JSON cannot keep.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"a message must be a dict, not {type(data).__name__}")
        if "role" not in data:
            raise ValueError("a message has no 'role'")
        return cls(
            role=data["role"],
            content=data.get("content"),
            timestamp=data.get("timestamp"),
            metadata=_or_empty(data.get("metadata")),
            tool_calls=data.get("tool_calls"),
            tool_call_id=data.get("tool_call_id"),
            extra=_unknown(data, cls),
        )

    def for_model(self) -> dict[str, Any]:
        """Return a new dict of role and content, and the tool fields where the message has them."""
        message: dict[str, Any] = {"role": self.role, "content": thaw(self.content)}
        if self.tool_calls:
            message["tool_calls"] = thaw(self.tool_calls)
        if self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        return message


@dataclass(frozen=True, slots=True)
class SessionSnapshot(Line):
    """The messages of a session at one time.

    Args:
        id: the snapshot's own id, unique in its session.
        session_id: the session it was taken of.
        message_index: the index of its last message; -1 when there was none.
        created_at: seconds since the epoch.
        label: a name for people.
        metadata: whatever JSON can hold.
        messages: what it was taken of.
            None in a file of PraisonAI's before 1.7, which kept the index alone: reverting to it is refused.
        extra: fields of the file that readfresh has never heard of.
    """

    id: str
    session_id: str
    message_index: int
    created_at: float | None = None
    label: str | None = None
    metadata: Mapping[str, Any] = EMPTY
    messages: tuple[SessionMessage, ...] | None = None
    extra: Mapping[str, Any] = field(default=EMPTY, kw_only=True)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "id", text(self.id, "snapshot id"))
        put(self, "session_id", text(self.session_id, "snapshot session_id"))
        if isinstance(self.message_index, bool) or not isinstance(self.message_index, int):
            raise TypeError(f"message_index must be a whole number, not {type(self.message_index).__name__}")
        put(self, "created_at", optional_number(self.created_at, "created_at"))
        put(self, "label", optional_text(self.label, "label"))
        put(self, "metadata", freeze_mapping(self.metadata, "metadata"))
        if self.messages is not None:
            put(self, "messages", _messages(self.messages))
        put(self, "extra", _extra(self.extra, self))

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that stands for this snapshot; PraisonAI 1.7 reads it as a transcript snapshot."""
        data: dict[str, Any] = {
            "id": self.id,
            "session_id": self.session_id,
            "message_index": self.message_index,
            "created_at": self.created_at,
            "label": self.label,
            "metadata": self.metadata,
        }
        if self.messages is not None and "transcript_refs" not in self.extra:
            messages = [message.to_dict() for message in self.messages]
            transcript = self.extra.get("transcript")
            if transcript is None or isinstance(transcript, Mapping):
                data["transcript"] = {**(transcript or EMPTY), "messages": messages}
            else:  # whatever it is, it is not where they were
                data["messages"] = messages
        return {**self.extra, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], records: Mapping[str, Any] = EMPTY) -> Self:
        """Return the snapshot that the JSON object `data` stands for.

        PraisonAI 1.7 keeps a snapshot's messages either in ``transcript``, or as keys into a pool that its session
        file holds once: `records`.

        Raises:
            TypeError: a field has the wrong type.
            ValueError: it has no id, or names a pooled message that is not there.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"a snapshot must be a dict, not {type(data).__name__}")
        if "id" not in data:
            raise ValueError("a snapshot has no 'id'")
        return cls(
            id=data["id"],
            session_id=data.get("session_id", ""),
            message_index=data.get("message_index", 0),
            created_at=data.get("created_at"),
            label=data.get("label"),
            metadata=_or_empty(data.get("metadata")),
            messages=_snapshot_messages(data, records),
            extra=_beyond_messages(_unknown(data, cls)),
        )


@dataclass(frozen=True)
class SessionData:
    """A session: its messages, and what is known about it.

    A session that does not exist reads as an empty one, whose `created_at` is None.

    Args:
        session_id: the id it was asked for by.
        messages: oldest first.
        created_at: when its first change was made, ISO 8601 in UTC.
        updated_at: when its last change was made, ISO 8601 in UTC.
        agent_name: the agent that speaks in it.
        user_id: the user that speaks in it.
        metadata: whatever JSON can hold.
        gateway_session_id: the session of a gateway that it belongs to.
        agent_id: the gateway's id of the agent.
        extra: fields of the file that this class has never heard of.

    Raises:
        TypeError: a field has the wrong type; the message names the field.
        ValueError: a field holds what JSON cannot keep; the message names the field.
    """

    session_id: str
    messages: tuple[SessionMessage, ...] = ()
    created_at: str | None = None
    updated_at: str | None = None
    agent_name: str | None = None
    user_id: str | None = None
    metadata: Mapping[str, Any] = EMPTY
    gateway_session_id: str | None = None
    agent_id: str | None = None
    extra: Mapping[str, Any] = field(default=EMPTY, kw_only=True)

    _texts: ClassVar[tuple[str, ...]] = (
        "created_at", "updated_at", "agent_name", "user_id", "gateway_session_id", "agent_id",
    )  # fmt: skip
    _lists: ClassVar[tuple[str, ...]] = ("messages",)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "session_id", text(self.session_id, "session_id"))
        put(self, "messages", _messages(self.messages))
        for name in self._texts:
            put(self, name, optional_text(getattr(self, name), name))
        put(self, "metadata", freeze_mapping(self.metadata, "metadata"))
        put(self, "extra", _extra(self.extra, self))

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def with_message(self, message: SessionMessage) -> Self:
        """Return this session with one more message at its end."""
        return dataclasses.replace(self, messages=(*self.messages, message))

    def with_metadata(self, fields: Mapping[str, Any]) -> Self:
        """Return this session with these metadata fields set; None is a value like any other."""
        return dataclasses.replace(self, metadata={**self.metadata, **fields})

    def get_chat_history(self, max_messages: int | None = None) -> list[dict[str, Any]]:
        """Return the newest `max_messages` messages, all of them when it is None, ready for a model.

        Never begins between a tool call and its results (see `tail`).

        Raises:
            TypeError, ValueError: `max_messages` is no whole number, or less than 1.
        """
        limit = optional_count(max_messages, "max_messages", least=1)
        # What `for_model` returns of most messages: a call for each would take as long again.
        return [
            {"role": message.role, "content": message.content}
            if type(message.content) is str and message.tool_calls is None and message.tool_call_id is None
            else message.for_model()
            for message in tail(self.messages, limit)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that stands for this session, unknown fields included."""
        data = {name: getattr(self, name) for name in _names(type(self))}
        data["messages"] = [message.to_dict() for message in self.messages]
        return {**data, **self.extra}

    def to_lines(self) -> dict[str, Any]:
        """Return what `to_dict` does, with the lines of messages and snapshots in the place of their objects.

        Each of them is encoded once in its life, so this costs what is new, and a look at the rest.
        """
        data = {name: getattr(self, name) for name in _names(type(self))}
        data.update({name: Lines(data[name]) for name in self._lists})
        return {**data, **self.extra}

    def without_lists(self) -> Self:
        """Return this session without its messages and snapshots."""
        none: dict[str, Any] = dict.fromkeys(self._lists, ())
        return dataclasses.replace(self, **none)

    def after(self, earlier: SessionData) -> Self:
        """Return this session with the messages and snapshots of an `earlier` one before its own."""
        return dataclasses.replace(self, **{name: getattr(earlier, name) + getattr(self, name) for name in self._lists})

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the session that the JSON object `data` stands for.

        Raises:
            TypeError: a field has the wrong type; the message names it.
            ValueError: a field is missing or holds what JSON cannot keep; the message names it.
        """
        return cls(**cls._fields_of(data))

    @classmethod
    def _fields_of(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise TypeError(f"a session must be a dict, not {type(data).__name__}")
        if "session_id" not in data:
            raise ValueError("it has no 'session_id'")
        fields = {name: data[name] for name in _names(cls) if name in data}
        fields["messages"] = tuple(_each(data.get("messages"), "messages", SessionMessage.from_dict))
        fields["metadata"] = _or_empty(data.get("metadata"))
        fields["extra"] = _unknown(data, cls)
        return fields


@dataclass(frozen=True)
class ExtendedSessionData(SessionData):
    """A session of a `HierarchicalSessionStore`: a `SessionData` with a place in a tree, and snapshots.

    Args:
        title: a name for people.
        parent_id: the session that it was created under or forked from; a record of origin, kept when that is deleted.
        forked_from_message_id: the index of the last message that a fork took, as text; None when it took all.
        children_ids: the sessions created under it or forked from it.
        snapshots: oldest first.
        is_shared: whether it has been marked as shared.
    """

    title: str | None = None
    parent_id: str | None = None
    forked_from_message_id: str | None = None
    children_ids: tuple[str, ...] = ()
    snapshots: tuple[SessionSnapshot, ...] = ()
    is_shared: bool = False

    _texts: ClassVar[tuple[str, ...]] = (*SessionData._texts, "title", "parent_id", "forked_from_message_id")
    _lists: ClassVar[tuple[str, ...]] = (*SessionData._lists, "snapshots")

    def __post_init__(self) -> None:
        super().__post_init__()
        put = object.__setattr__
        put(self, "children_ids", tuple(text(child, "a child's id") for child in self.children_ids))
        for snapshot in self.snapshots:
            if not isinstance(snapshot, SessionSnapshot):
                raise TypeError(f"snapshots must hold SessionSnapshot, not {type(snapshot).__name__}")
        put(self, "snapshots", tuple(self.snapshots))
        if not isinstance(self.is_shared, bool):
            raise TypeError(f"is_shared must be True or False, not {type(self.is_shared).__name__}")

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that stands for this session, unknown fields included."""
        data = super().to_dict()
        data["children_ids"] = list(self.children_ids)
        data["snapshots"] = [snapshot.to_dict() for snapshot in self.snapshots]
        return data

    @classmethod
    def _fields_of(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        fields = super()._fields_of(data)
        storage = data.get("snapshot_storage")
        records = _Pool(storage.get("records") if isinstance(storage, Mapping) else None)
        fields["snapshots"] = tuple(
            _each(data.get("snapshots"), "snapshots", lambda item: SessionSnapshot.from_dict(item, records))
        )
        fields["children_ids"] = tuple(_each(data.get("children_ids"), "children_ids", lambda item: item))
        shared = data.get("is_shared")
        fields["is_shared"] = False if shared is None else shared
        return fields


def tail(messages: tuple[SessionMessage, ...], max_messages: int | None) -> tuple[SessionMessage, ...]:
    """Return the newest `max_messages` messages without splitting a tool call from its results.

    A limit that falls between a call and its results leaves the whole exchange out.
    Where that would leave nothing, the exchange stays whole and the limit is exceeded: what was written last is kept.
    The rule is PraisonAI's of #3089, which may leave nothing.
    """
    limit = 0 if max_messages is None else len(messages) - max_messages
    if limit <= 0:
        return messages
    whole = _starts_of_whole_exchanges(messages)
    after = next((start for start in whole if start >= limit), None)
    start = after if after is not None else max(start for start in whole if start < limit)
    return messages[start:]


def _starts_of_whole_exchanges(messages: tuple[SessionMessage, ...]) -> list[int]:
    """Return the indices, smallest first, from which on every result stands with its call."""
    asked_at: dict[str, int] = {}
    belongs_to = []
    for index, message in enumerate(messages):
        # A result whose call is nowhere belongs to the message before it: no model takes it as the first one.
        home = index - 1 if message.role == "tool" else index
        if message.tool_call_id is not None:
            home = asked_at.get(message.tool_call_id, home)
        belongs_to.append(max(home, 0))
        for call in message.tool_calls or ():
            # No result names what is no text, and numbers can be chosen so that a dict of them takes the square.
            if isinstance(call_id := call.get("id"), str):
                asked_at[call_id] = index
    starts = []
    earliest = len(messages)
    for index in range(len(messages) - 1, -1, -1):
        earliest = min(earliest, belongs_to[index])
        if earliest >= index:
            starts.append(index)
    return starts[::-1]


def now_as_text(seconds: float) -> str:
    """Return a time in seconds since the epoch as `created_at` and `updated_at` hold it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def seconds_of(time_as_text: str | None) -> float:
    """Return the time that a file holds as text, in seconds since the epoch; before all others when it is not known."""
    try:
        time = datetime.fromisoformat(time_as_text or "")
    except ValueError:
        return -math.inf
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _messages(values: Iterable[SessionMessage]) -> tuple[SessionMessage, ...]:
    messages = tuple(values)
    if {*map(type, messages)} <= {SessionMessage}:  # as ever; what is left is a subclass, or an error
        return messages
    for message in messages:
        if not isinstance(message, SessionMessage):
            raise TypeError(f"messages must hold SessionMessage, not {type(message).__name__}")
    return messages


class _Pool(dict[str, Any]):
    """The pooled messages of a session; each is made once, however many snapshots name it, and however often."""

    def __init__(self, records: object) -> None:
        super().__init__(records if isinstance(records, Mapping) else {})
        self._made: dict[str, SessionMessage] = {}

    def message(self, key: str) -> SessionMessage:
        """Return the message; raise as `SessionMessage.from_dict` does."""
        if key not in self._made:
            self._made[key] = SessionMessage.from_dict(self[key])
        return self._made[key]


def _snapshot_messages(data: Mapping[str, Any], records: Mapping[str, Any]) -> tuple[SessionMessage, ...] | None:
    if "transcript_refs" in data:
        pool = records if isinstance(records, _Pool) else _Pool(records)
        try:
            keys = data["transcript_refs"]["messages"]["items"]
            # A text and an object have items too, which nobody has listed there.
            there = isinstance(keys, list | tuple) and all(key in pool for key in keys)
        except (KeyError, TypeError):
            there = False
        if not there:
            raise ValueError(f"snapshot {data['id']!r} names messages that the file does not hold")
        return tuple(_each(keys, "messages", pool.message))
    transcript = data.get("transcript")
    found = (transcript if isinstance(transcript, Mapping) else data).get("messages")
    if found is None and not isinstance(transcript, Mapping):
        return None
    return tuple(_each(found, "messages", SessionMessage.from_dict))


def _beyond_messages(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `extra` without the messages of its transcript, which have a field of their own."""
    transcript = extra.get("transcript")
    if "transcript_refs" in extra or not isinstance(transcript, Mapping):
        return extra
    rest = {key: value for key, value in transcript.items() if key != "messages"}
    return {
        **{key: value for key, value in extra.items() if key != "transcript"},
        **({"transcript": rest} if rest else {}),
    }


def _each(values: object, name: str, make: Callable[[Any], Any]) -> Iterable[Any]:
    if values is None:
        return
    if not isinstance(values, list | tuple):
        raise TypeError(f"{name} must be a list, not {type(values).__name__}")
    for index, value in enumerate(values):
        try:
            yield make(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name}[{index}]: {error}") from None


def _names(kind: type) -> tuple[str, ...]:
    """Return the fields of `kind` that are fields of the JSON object too: all but `extra`, which is keyword-only."""
    names: tuple[str, ...] = kind.__match_args__  # type: ignore[attr-defined]
    return names


@cache
def _known(kind: type) -> frozenset[str]:
    return frozenset(_names(kind))


def _unknown(data: Mapping[str, Any], kind: type) -> Mapping[str, Any]:
    names = _known(kind)
    return EMPTY if data.keys() <= names else {key: value for key, value in data.items() if key not in names}


def _extra(value: Mapping[str, Any], owner: object) -> FrozenDict:
    extra = freeze_mapping(value, "extra")
    own = {*_names(type(owner))} | ({"schema_version"} if isinstance(owner, SessionData) else set())
    if clash := extra.keys() & own:
        raise ValueError(f"extra holds {sorted(clash)[0]!r}, which is a field of its own")
    return extra


def _or_empty(value: Any) -> Any:
    return EMPTY if value is None or value == EMPTY else value
