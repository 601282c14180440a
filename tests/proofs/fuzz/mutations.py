"""What a bad disk, another program or an enemy makes of a session file: changes of its bytes, and of its JSON."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Edit = Callable[[bytes], bytes]

TOKENS = (
    *(
        b"null",
        b"true",
        b"0",
        b"-1",
        b"1.5",
        b'""',
        b'"x"',
        b"[]",
        b"{}",
        b"[[]]",
        b'{"a": 1}',
        b"\\",
        b'"',
        b",",
        b"\0",
    ),
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b"[" * 2000,
        b'"\\ud800"',
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
    ),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2, 10**30, 1.5, "", "x", "trip", "good", "a\0b", "\ud800", "2026-01-01", "0001-01-01"),
    *([], {}, [None], [[]], [{}], {"a": 1}, ["r1"], [0], {"id": "s"}, {"role": "user"}, {"messages": []}, "é" * 300),
    *(math.nan, math.inf, -math.inf, "<1e999>"),  # what Python writes, and other readers of JSON do not know
)
KEYS = (
    *("role", "content", "id", "messages", "metadata", "transcript", "transcript_refs", "items", "records", "extra"),
    *("schema_version", "session_id", "snapshots", "children_ids", "tool_calls", "x_unknown", ""),
)
POOL = ("snapshot_storage", "records", "transcript_refs", "items")
"""The fields of PraisonAI's with which snapshots name messages that stand in one place."""

AGAIN = "<again>"
SPOTS = 10_000

spots = st.integers(0, SPOTS)


def _lost(low: int, high: int, _token: bytes, raw: bytes) -> bytes:
    return raw[:low] + raw[high:]


def _cut(low: int, _high: int, _token: bytes, raw: bytes) -> bytes:
    return raw[:low]


def _twice(low: int, high: int, _token: bytes, raw: bytes) -> bytes:
    return raw[:high] + raw[low:]


def _zeroed(low: int, high: int, _token: bytes, raw: bytes) -> bytes:
    return raw[:low] + bytes(high - low) + raw[high:]


def _inserted(low: int, _high: int, token: bytes, raw: bytes) -> bytes:
    return raw[:low] + token + raw[low:]


def _flipped(low: int, high: int, _token: bytes, raw: bytes) -> bytes:
    return raw[:low] + bytes([raw[low] ^ (1 << high % 8)]) + raw[low + 1 :] if low < len(raw) else raw


def bytes_edited(how: Callable[..., bytes], begin: int, length: int, token: bytes) -> Edit:
    """Return an edit of a stretch of bytes; `begin` and `length` are shares of the file, in ten thousandths."""

    def edit(raw: bytes) -> bytes:
        low = begin * len(raw) // SPOTS
        return how(low, min(len(raw), low + 1 + length * length * len(raw) // SPOTS**2), token, raw)

    return edit


def _replaced(parent: Any, key: Any, value: Any, _name: str) -> None:
    parent[key] = copy.deepcopy(value)


def _dropped(parent: Any, key: Any, _value: Any, _name: str) -> None:
    del parent[key]


def _renamed(parent: Any, key: Any, _value: Any, name: str) -> None:
    if isinstance(parent, dict):
        parent[name] = parent.pop(key)
    else:
        parent[key] = name


def _added(parent: Any, key: Any, value: Any, name: str) -> None:
    if isinstance(parent, dict):
        parent[name] = copy.deepcopy(value)
    else:
        parent.insert(key, copy.deepcopy(value))


def _repeated(parent: Any, key: Any, _value: Any, _name: str) -> None:
    if isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[key] = [copy.deepcopy(parent[key])] * 2


def _nested(parent: Any, key: Any, _value: Any, _name: str) -> None:
    for _ in range(120):
        parent[key] = [parent[key]]


def _put_at_the_end(parent: Any, key: Any, _value: Any, _name: str) -> None:
    if isinstance(parent, dict):
        parent[key] = parent.pop(key)


def _borrowed(parent: Any, key: Any, value: Any, name: str) -> None:
    parent[key] = {name: parent[key], "beside": value}


def _written_again(parent: Any, key: Any, value: Any, _name: str) -> None:
    if isinstance(parent, dict):
        parent[f"{AGAIN}{key}"] = copy.deepcopy(value)


def _pooled_by_number(parent: Any, key: Any, _value: Any, _name: str) -> None:
    """Pool the messages that snapshots name in a list, and name them by number, and one more than there are."""
    with suppress(AttributeError, KeyError, TypeError):  # of a file that was changed before, and has no pool any more
        parent[key]["records"] = [*parent[key]["records"].values()]
        for snapshot in parent["snapshots"]:
            snapshot["transcript_refs"]["messages"]["items"] = list(range(len(parent[key]["records"]) + 1))


def _anywhere(_parent: Any, _key: Any) -> bool:
    return True


def _at_a_number(parent: Any, key: Any) -> bool:
    return isinstance(parent[key], int | float)


def _at_a_pool(_parent: Any, key: Any) -> bool:
    return bool(key == "snapshot_storage")


def _in_a_pool(_parent: Any, key: Any) -> bool:
    return key in POOL


@dataclass(frozen=True)
class Change:
    """What becomes of one value.

    Args:
        how: changes it where it stands, given the other value and the name that were drawn.
        where: whether a place is one for this change; a file that has none is changed anywhere.
    """

    how: Callable[[Any, Any, Any, str], None]
    where: Callable[[Any, Any], bool] = _anywhere


def json_edited(change: Change, spot: int, value: Any, name: str) -> Edit:
    """Return an edit of one of the values in the JSON; what is none any more is left as it is."""

    def edit(raw: bytes) -> bytes:
        try:
            data = json.loads(raw)
            places = list(_places(data))
        except (ValueError, RecursionError):
            return raw
        if not places:
            return raw
        fitting = [place for place in places if change.where(*place)] or places
        parent, key = fitting[spot * len(fitting) // (SPOTS + 1)]
        change.how(parent, key, value, name)
        return json.dumps(data).replace('"<1e999>"', "1e999").replace(AGAIN, "").encode()

    return edit


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(item)


BYTE_EDITS = (_lost, _cut, _twice, _zeroed, _inserted, _flipped)
EVERYWHERE = (_replaced, _dropped, _renamed, _added, _repeated, _nested, _put_at_the_end, _borrowed, _written_again)
JSON_EDITS = (
    *map(Change, EVERYWHERE),
    Change(_replaced, _at_a_number),
    Change(_replaced, _in_a_pool),
    Change(_pooled_by_number, _at_a_pool),
)

byte_edits = st.builds(bytes_edited, st.sampled_from(BYTE_EDITS), spots, spots, st.sampled_from(TOKENS))
json_edits = st.builds(json_edited, st.sampled_from(JSON_EDITS), spots, st.sampled_from(VALUES), st.sampled_from(KEYS))


def mutated(files: dict[str, bytes], *, of_json: bool) -> st.SearchStrategy[bytes]:
    """Return a strategy for files with one to three things wrong with them, in their JSON or in their bytes too."""

    def edited(name: str, edits: list[Edit]) -> bytes:
        raw = files[name]
        for edit in edits:
            raw = edit(raw)
        return raw

    edits = st.lists(json_edits, min_size=1, max_size=3)
    if not of_json:
        edits = st.builds(lambda first, then: [*first, then], st.lists(json_edits, max_size=1), byte_edits)
    return st.builds(edited, st.sampled_from(sorted(files)), edits)
