"""JSON values that cannot change: what a caller passes in is checked and frozen here, once.

1. What is accepted reads back equal: text, whole and finite numbers, booleans, None, lists, dicts whose keys are text.
2. What JSON would change in silence is refused by name: NaN, tuples, bytes, keys that are no text, lone surrogates.
3. A frozen value is still a dict or a list to ``json.dumps``, ``==`` and ``isinstance``;
   `copy.deepcopy` gives one that can be changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

MAX_DEPTH = 100
MAX_INT_BITS = 13_300  # Python itself refuses to read more than 4,300 digits


class FrozenDict(dict[str, Any]):
    """A dict that refuses to change."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("this dict belongs to a session and cannot change; change a copy.deepcopy() of it")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def __deepcopy__(self, _memo: object) -> dict[str, Any]:
        return {key: thaw(value) for key, value in self.items()}

    def __reduce__(self) -> tuple[object, ...]:
        return FrozenDict, (dict(self),)


class FrozenList(list[Any]):
    """A list that refuses to change."""

    __slots__ = ()

    def _refuse(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise TypeError("this list belongs to a session and cannot change; change a copy.deepcopy() of it")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = clear = extend = insert = _refuse
    pop = remove = reverse = sort = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, _memo: object) -> list[Any]:
        return [thaw(value) for value in self]

    def __reduce__(self) -> tuple[object, ...]:
        return FrozenList, (list(self),)


EMPTY = FrozenDict()


Name = str | tuple["Name", str | int]
"""What an error calls a value; of a part, the name of the whole and its key. It is written out for an error only."""


def freeze(value: object, name: Name, depth: int = 0) -> Any:
    """Return `value` as a frozen JSON value.

    Raises:
        TypeError: a part of it is of a type that JSON does not have; the message names the part.
        ValueError: a part of it is of a right type and cannot be kept: NaN, infinity, a lone surrogate, too deep.
    """
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return text(value, name)
    if isinstance(value, int):
        if value.bit_length() > MAX_INT_BITS:
            raise ValueError(f"{_said(name)} is a whole number of more than 4,000 digits, which JSON readers refuse")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{_said(name)} is {value}: JSON has no such number; pass None or a string")
        return float(value)
    if depth >= MAX_DEPTH:
        raise ValueError(f"{_said(name)} is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return freeze_mapping(value, name, depth)
    if isinstance(value, list):
        return FrozenList([freeze(item, (name, index), depth + 1) for index, item in enumerate(value)])
    if isinstance(value, tuple):
        raise TypeError(f"{_said(name)} is a tuple and would read back as a list; pass a list")
    raise TypeError(
        f"{_said(name)} is of type {type(value).__name__}, which JSON does not have; pass text, numbers, lists or dicts"
    )


def freeze_mapping(value: object, name: Name, depth: int = 0) -> FrozenDict:
    """Return the dict `value` as a frozen JSON object; raise as `freeze` does."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{_said(name)} must be a dict, not {type(value).__name__}")
    if not value:
        return EMPTY
    if type(value) is FrozenDict and depth == 0:  # it has been here before, no less deep
        return value
    frozen: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            # JSON would write 1 and "1" as the same key.
            raise TypeError(f"{_said(name)} has the key {key!r} of type {type(key).__name__}; keys must be text")
        frozen[text(key, name, "a key of ")] = freeze(item, (name, key), depth + 1)
    return FrozenDict(frozen)


def text(value: object, name: Name, what: str = "") -> str:
    """Return `value` as plain text that UTF-8 can hold; raise TypeError or ValueError that names it after `what`."""
    if not isinstance(value, str):
        raise TypeError(f"{what}{_said(name)} must be text, not {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{what}{_said(name)} contains a lone surrogate, which UTF-8 cannot hold") from None
    return value if type(value) is str else str.__str__(value)


def optional_text(value: object, name: str) -> str | None:
    """Return `value` as `text` does, or None."""
    return None if value is None else text(value, name)


def optional_number(value: object, name: str) -> float | None:
    """Return `value` when it is a finite number or None; raise TypeError or ValueError that names it."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    frozen: float = freeze(value, name)
    return frozen


def whole_number(value: object, name: str, least: int | None = None) -> int:
    """Return `value` when it is a whole number, `least` or more; raise TypeError or ValueError that names it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be {least} or more, not {value}")
    return value


def optional_count(value: object, name: str, least: int = 0) -> int | None:
    """Return `value` as `whole_number` does, or None, which stands for no limit."""
    return None if value is None else whole_number(value, name, least)


def thaw(value: Any) -> Any:
    """Return a copy of a frozen value that can be changed."""
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [thaw(item) for item in value]
    return value


def _said(name: Name) -> str:
    keys = []
    while not isinstance(name, str):
        name, key = name
        keys.append(f"[{key!r}]")
    return name + "".join(reversed(keys))
