"""Session ids to file names, and back. No I/O.

1. Two ids never share a name (guarantee: ids-are-apart).
2. A name never leaves its directory: it has no separator and no leading dot.
3. An id of ASCII letters, digits, ``-`` and ``_`` is its own name, as in PraisonAI.

All else is percent-encoded as UTF-8.
A name too long for a file becomes ``%sha256-`` and the digest: ``%s`` is no percent-encoding, so no id encodes to it.
"""

from __future__ import annotations

import re

from readfresh.values import text

SUFFIX = ".json"
MAX_STEM_BYTES = 255 - len(SUFFIX) - len(".lock")  # the lock's name is the longest: <stem>.json.lock

_ENCODED = re.compile(rb"[^A-Za-z0-9_-]")
_STEM = re.compile(r"(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+")


def check_id(session_id: object, name: str = "session_id") -> str:
    """Return `session_id` when it is one.

    Raises:
        TypeError: it is no text.
        ValueError: it is empty, holds NUL, or holds a lone surrogate; the message names the argument.
    """
    checked = text(session_id, name)
    if not checked:
        raise ValueError(f"{name} must not be empty")
    if "\0" in checked:
        raise ValueError(f"{name} must not contain NUL")
    return checked


def is_id(value: object) -> bool:
    """Return whether `check_id` passes `value`."""
    try:
        check_id(value)
    except (TypeError, ValueError):
        return False
    return True


def file_name(session_id: str, reserved: frozenset[str] = frozenset()) -> str:
    """Return the name of the file that holds the session, without its directory.

    Args:
        session_id: an id that `check_id` has passed.
        reserved: names, in lower case, that the platform gives to devices; their first letter is encoded.
    """
    stem = _ENCODED.sub(lambda found: b"%%%02X" % found[0][0], session_id.encode()).decode()
    if stem.lower() in reserved:
        stem = f"%{ord(stem[0]):02X}{stem[1:]}"
    if len(stem) > MAX_STEM_BYTES:
        from hashlib import sha256  # loads OpenSSL, which few ids need

        stem = f"%sha256-{sha256(session_id.encode()).hexdigest()}"
    return stem + SUFFIX


def id_of(name: str, reserved: frozenset[str] = frozenset()) -> str | None:
    """Return the id that the file `name` is made of; None when the name does not tell (a digest, a foreign name)."""
    stem = name.removesuffix(SUFFIX)
    if not _STEM.fullmatch(stem):
        return None
    raw = re.sub(r"%(..)", lambda found: chr(int(found[1], 16)), stem).encode("latin-1")
    try:
        session_id = raw.decode()
    except UnicodeDecodeError:
        return None
    if not is_id(session_id):
        return None
    # ``%41`` decodes to the id "A", which belongs in another file, ``A.json``.
    return session_id if file_name(session_id, reserved) == name else None
