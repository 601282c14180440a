"""A session's JSON object to the bytes of its file, and back. No I/O.

The file is PraisonAI's shape, laid out for `cat` and `git diff`: one line a field, one line a message.

1. Reading is strict (RFC 8259, and RFC 7493's ban on duplicate keys): what two readers could read differently is
   refused.
2. `decode(encode(data)) == data` for whatever the model's classes hold.
3. A file of a newer schema is refused before anything else in it is looked at.

The standard library's `json` is used because it reads every number exactly and reports duplicate keys;
orjson 3.13 rounds whole numbers beyond 64 bits, and neither it nor msgspec 0.22 notices a duplicate key.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, NoReturn

SCHEMA_VERSION = 1
MOVED = "readfresh_moved_to"
"""The field that says where a session is now whose file has been left behind."""

# What people look for first stands first; what grows stands last, so that a truncated file loses the least.
_FIRST = (
    "schema_version", MOVED, "session_id", "title", "created_at", "updated_at", "agent_name", "user_id",
    "gateway_session_id", "agent_id", "parent_id", "forked_from_message_id", "children_ids", "is_shared", "metadata",
)  # fmt: skip
_LAST = ("archived_messages", "messages", "snapshots", "snapshot_storage")

_BETWEEN_LINES = b",\n    "
_MESSAGES = b',\n  "messages": ['


class Line:
    """A value that is one line of a file. It cannot change, and so keeps that line once it has been made."""

    __slots__ = ("_line",)
    _line: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object that stands for it."""
        raise NotImplementedError

    def _as_line(self) -> bytes:
        """Return the line that stands for it, after the comma and the break that part it from the one before."""
        try:
            return self._line
        except AttributeError:
            line = _BETWEEN_LINES + encode_line(self.to_dict())
            object.__setattr__(self, "_line", line)
            return line


class Lines(tuple[Line, ...]):
    """Values that `encode` takes for the list of the objects that stand for them."""

    __slots__ = ()

    def made(self) -> list[bytes]:
        """Return the lines of those at its beginning that have one; as a rule all but the last."""
        new = len(self)
        while new and not hasattr(self[new - 1], "_line"):
            new -= 1
        try:
            return list(map(_made, self[:new]))
        except AttributeError:
            return []


_made = attrgetter("_line")


class NotASession(Exception):
    """The bytes are no session; the text says why, as one clause."""


class TooNew(Exception):
    """The bytes are a session of a schema that this version does not know."""


class TooLong(Exception):
    """A session would have more bytes than it may."""


class Moved(Exception):
    """The bytes are what was left behind of a session; the text says where that is now, as one clause."""


def encode(data: Mapping[str, Any], max_bytes: int | None = None) -> bytes:
    """Return the bytes of the file that holds the session `data`, with the schema version in it.

    A list of objects may be given as `Lines`: the bytes are the same, and each line is made once.

    Raises:
        TooLong: they would be more than `max_bytes`; no more than that has been made of what is new.
    """
    parts: list[bytes] = []
    new = 0
    for part in _parts(data):
        if isinstance(part, list):
            parts += part
        else:
            parts.append(part)
            new += len(part)
        if max_bytes is not None and new > max_bytes:
            raise TooLong
    raw = b"".join(parts)
    if max_bytes is not None and len(raw) > max_bytes:
        raise TooLong
    return raw


def decode(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of the session in `raw`, without its schema version.

    Raises:
        NotASession: `raw` is no JSON object, or one that two readers could read differently.
        TooNew: its schema is newer than `SCHEMA_VERSION`.
        Moved: the session is in another place now.
    """
    data = decode_object(raw)
    check_version(data.pop("schema_version", 0))
    if MOVED in data:
        raise Moved(f"it has been moved to {data[MOVED]}")
    return data


def decode_after(raw: bytes, known: Lines) -> dict[str, Any] | None:
    """Return what `decode` does, with only those messages that stand after the `known` ones; None to say: decode it.

    Where the list of messages begins with the lines of the known ones, those are JSON, and what they stand for is
    known. What stands before the list and what comes after them is decoded: the first has to be an object when it is
    closed, so that the list is a field of the session and of nothing in it, the second a list when it is opened.
    """
    if not known:
        return None
    lines = known.made()
    lines += [line._as_line() for line in known[len(lines) :]]
    lines[0] = lines[0][1:]
    # Compared in its place: to copy what stands behind the lines first takes a tenth of a read.
    first = b"".join(lines)
    ends = raw.find(_MESSAGES)
    begins = ends + len(_MESSAGES)
    if ends < 0 or not raw.startswith(first, begins):
        return None
    head, rest = raw[:ends], raw[begins + len(first) :]
    if not rest.startswith((_BETWEEN_LINES + b"{", b"\n  ]")):
        return None
    try:
        data = decode_object(head + b"}")
        after = decode_object(b'{"messages": [' + rest.removeprefix(b","))
        if data.keys() & after.keys() or MOVED in data or MOVED in after:
            return None
        data.update(after)
        check_version(data.pop("schema_version", 0))
    except (NotASession, TooNew):  # `decode` says what is wrong with the whole
        return None
    return data


def decode_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in `raw`; raise `NotASession` as `decode` does."""
    try:
        data = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)
        if b"\\ud" in raw or b"\\uD" in raw:
            _text(data).encode()
    except NotASession:
        raise
    except UnicodeDecodeError as error:
        raise NotASession(f"it is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise NotASession("it holds a lone surrogate") from None
    except RecursionError:
        raise NotASession("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        where = "it is empty" if not raw.strip() else f"it is not JSON at line {error.lineno}, column {error.colno}"
        raise NotASession(f"{where} ({error.msg})" if raw.strip() else where) from None
    except ValueError as error:  # a whole number of more digits than Python converts
        raise NotASession(str(error)) from None
    if not isinstance(data, dict):
        raise NotASession(f"it holds a JSON {_kind(data)} where a session's object belongs")
    return data


def check_version(version: object) -> None:
    """Raise `NotASession` or `TooNew` unless `version` is one that this module reads; 0 is a file without one."""
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        raise NotASession(f"its schema_version is {version!r}")
    if version > SCHEMA_VERSION:
        raise TooNew(f"its schema_version is {version}, and this readfresh knows versions up to {SCHEMA_VERSION}")


def encode_object(data: Mapping[str, Any]) -> str:
    """Return the line that holds the JSON object `data`, as it stands in a database."""
    return _text(data)


def encode_line(value: object) -> bytes:
    """Return the line that holds the JSON value, as it stands in a file."""
    return _text(value).encode()


# Made once: `json.dumps` makes one for every call that asks for anything. What is frozen holds no circle.
_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False).encode


def _parts(data: Mapping[str, Any]) -> Iterator[bytes | list[bytes]]:
    fields = {"schema_version": SCHEMA_VERSION, **{key: data[key] for key in data if key != "schema_version"}}
    order = [
        *(key for key in _FIRST if key in fields),
        *(key for key in fields if key not in _FIRST and key not in _LAST),
        *(key for key in _LAST if key in fields),
    ]
    for number, key in enumerate(order):
        yield (b"," if number else b"{") + _key(key)
        value = fields[key]
        if value is None:
            yield b"null"
        elif isinstance(value, Lines) and value:
            made = value.made()
            if made:
                yield b"[" + made[0][1:]
                yield made[1:]
            for place in range(len(made), len(value)):
                yield value[place]._as_line() if place else b"[" + value[place]._as_line()[1:]
            yield b"\n  ]"
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for place, item in enumerate(value):
                yield (_BETWEEN_LINES if place else b"[\n    ") + encode_line(item)
            yield b"\n  ]"
        else:
            yield encode_line(value)
    yield b"\n}\n"


@lru_cache(maxsize=256)
def _key(key: str) -> bytes:
    return f"\n  {_text(key)}: ".encode()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise NotASession(f"it holds the key {twice!r} twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise NotASession(f"it holds {name}, which is no JSON number")


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise NotASession(f"it holds the number {digits[:40]}, which is too large")
    return number


def _kind(value: object) -> str:
    return {list: "list", str: "text", type(None): "null", bool: "boolean"}.get(type(value), "number")
