"""Bugs that the proofs have found in readfresh, put back; a table of the page "How this is tested" is made of them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.sabotage.fault import Fault, put


@dataclass(frozen=True)
class Found:
    """A bug that a rung has found.

    Args:
        what: what happened, as one sentence for the page.
        rung: the folder of `tests.proofs` that found it.
        fault: the fault that puts it back; empty for a bug of the tests themselves.
        test: the test that shows it, where no fault does.
    """

    what: str
    rung: str
    fault: str = ""
    test: str = ""


def litter_of_a_creator_unseen() -> None:
    """Know of no temporary file without a session: neither list it nor delete it."""
    from readfresh.errors import WriteFailed
    from readfresh.files import SessionFiles

    original = SessionFiles.delete

    def delete(self: SessionFiles[Any], session_id: str, **how: Any) -> bool:
        return self._file_stands(session_id, WriteFailed) and original(self, session_id, **how)

    put(SessionFiles, litter=lambda _self: [], delete=delete)


def keys_counted_for_each_key() -> None:
    """Go through all keys of an object for each of them."""
    from readfresh import codec

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise codec.NotASession(f"it holds the key {twice!r} twice in one object")
        return dict(pairs)

    put(codec, _object=unique)


def blank_lines_searched_from_each() -> None:
    """Let the search for a field begin at each blank line, and pass over all that follow."""
    from readfresh import damage

    def field(head: str, name: str) -> Any:
        found = re.search(rf'^\s*"{name}"\s*:\s*', head, re.MULTILINE)
        with suppress(ValueError, RecursionError):
            return found and json.JSONDecoder().raw_decode(head, found.end())[0]

    put(damage, _field=field)


def end_of_each_message_searched_anew() -> None:
    """Look for the end of each message, and copy what stands before it, also where that is all the rest."""
    from readfresh import damage

    decoder = json.JSONDecoder()
    next_item = damage._next_item("", 0)

    def item(content: str, begin: int, _end: int) -> tuple[Any, int]:
        if content[begin] != "{":
            raise ValueError
        found = next_item.search(content, begin + 1)
        return decoder.raw_decode(content[begin : found.end() - 1 if found else len(content)])

    put(damage, _object=item)


def names_written_out_for_each_value() -> None:
    """Write out what an error would call a key and a value, for each of them, when there is no error."""
    from readfresh import values

    freeze, text = values.freeze, values.text

    def frozen(value: object, name: values.Name, depth: int = 0) -> Any:
        return freeze(value, values._said(name), depth)

    def as_text(value: object, name: values.Name, what: str = "") -> str:
        return text(value, what + values._said(name))

    put(values, freeze=frozen, text=as_text)


def pool_taken_for_a_dict() -> None:
    """Look up pooled messages in a list as well."""
    from readfresh import model

    class Pool(model._Pool):
        def __init__(self, records: object) -> None:
            super().__init__(records)
            self._listed = isinstance(records, list)
            if isinstance(records, list):
                put(self, message=records.__getitem__)

        def __contains__(self, key: object) -> bool:
            return self._listed or super().__contains__(key)

    put(model, _Pool=Pool)


def pooled_message_made_for_each_name() -> None:
    """Make a pooled message anew whenever a snapshot names it."""
    from readfresh import SessionMessage, model

    put(model._Pool, message=lambda self, key: SessionMessage.from_dict(self[key]))


def calls_looked_up_by_any_id() -> None:
    """Put the ids of tool calls into a dict, whatever they are."""
    from readfresh import SessionMessage, model

    original = model._starts_of_whole_exchanges

    def starts(messages: tuple[SessionMessage, ...]) -> list[int]:
        dict.fromkeys(call.get("id") for message in messages for call in message.tool_calls or ())
        return original(messages)

    put(model, _starts_of_whole_exchanges=starts)


def child_read_for_each_mention() -> None:
    """Read a child as often as its parent lists it."""
    from readfresh import ExtendedSessionData, HierarchicalSessionStore, SessionStoreError

    original = HierarchicalSessionStore._children

    def children(self: HierarchicalSessionStore, parent: ExtendedSessionData) -> Any:
        for child_id in parent.children_ids[1:]:
            with suppress(SessionStoreError):
                self._read(child_id)
        return original(self, parent)

    put(HierarchicalSessionStore, _children=children)


def size_looked_at_once() -> None:
    """Compare with `max_file_bytes` what a file has when it is opened, and read all that it has become."""
    from readfresh.disk import Disk

    original = Disk.read

    def read(self: Disk, path: str, max_bytes: int) -> bytes | None:
        grows = os.path.isfile(path) and os.stat(path).st_size <= max_bytes
        return original(self, path, sys.maxsize if grows else max_bytes)

    put(Disk, read=read)


def written_whole_before_it_is_measured() -> None:
    """Make all the bytes of a session, and then look whether they are too many."""
    from readfresh import codec, files

    def encode(data: Mapping[str, Any], max_bytes: int) -> bytes:
        raw = codec.encode(data)
        if len(raw) > max_bytes:
            raise codec.TooLong
        return raw

    put(files, encode=encode)


def rescue_names_no_file() -> None:
    """Leave the path out of the errors of `rescue`."""
    from readfresh import damage

    original: Any = damage._readable
    put(damage, _readable=lambda raw, session_id, _path: original(raw, session_id, None))


def transcript_beside_pooled_messages_dropped() -> None:
    """Take the messages of a snapshot's transcript for its own, also where its own are pooled."""
    from readfresh import model

    original = model._beyond_messages

    def beyond_messages(extra: Mapping[str, Any]) -> Mapping[str, Any]:
        refs = {key: value for key, value in extra.items() if key == "transcript_refs"}
        return {**original({key: value for key, value in extra.items() if key not in refs}), **refs}

    put(model, _beyond_messages=beyond_messages)


def replaced_file_left_open() -> None:
    """Close what was held open when the lock was asked for; leave open what was read under it and then replaced."""
    from readfresh.files import SessionFiles
    from readfresh.pins import Pins

    original = SessionFiles._locked

    @contextmanager
    def locked(self: SessionFiles[Any], session_id: str, kind: Any) -> Iterator[Any]:
        earlier = self._pins.get(session_id)
        try:
            with original(self, session_id, kind) as held:
                yield held
        finally:
            if earlier is not None and earlier is not self._pins.get(session_id):
                earlier.close()

    put(SessionFiles, _locked=locked)
    put(Pins, close_dropped=lambda _self, _session_id: None)


def falsy_is_not_shared() -> None:
    """Take whatever Python calls false for the mark of a session that is not shared."""
    from readfresh.model import ExtendedSessionData

    original: Any = ExtendedSessionData._fields_of.__func__  # type: ignore[attr-defined]

    def fields_of(cls: type[ExtendedSessionData], data: Mapping[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = original(cls, data)
        return {**fields, "is_shared": fields["is_shared"] or False}

    put(ExtendedSessionData, _fields_of=classmethod(fields_of))


def pooled_messages_named_by_anything() -> None:
    """Go through what names a snapshot's pooled messages, whatever it is."""
    from readfresh import model

    original = model._snapshot_messages

    def snapshot_messages(data: Mapping[str, Any], records: Mapping[str, Any]) -> Any:
        with suppress(KeyError, TypeError):
            items = list(data["transcript_refs"]["messages"]["items"])
            data = {**data, "transcript_refs": {"messages": {"items": items}}}
        return original(data, records)

    put(model, _snapshot_messages=snapshot_messages)


FUZZ = "tests/proofs/fuzz/test_fuzz.py::"
EXPENSIVE = "tests/proofs/fuzz/test_expensive.py::test_it_takes_the_square_no_more"
DAMAGE = "tests/store/test_damage.py::"
GONE = "tests/store/test_pins.py::test_a_file_that_is_gone_is_let_go"

FAULTS = {
    "litter-of-a-creator-unseen": Fault(
        litter_of_a_creator_unseen,
        (),
        "what a creator left that was killed before its first rename is neither listed nor deleted",
        ("tests/store/test_faults.py::test_litter_of_a_session_that_was_never_written_is_found_and_deleted",),
    ),
    "keys-counted-for-each-key": Fault(
        keys_counted_for_each_key,
        (),
        "a key that stands twice takes the square of the number of keys",
        (f"{EXPENSIVE}[a key twice among many]",),
    ),
    "blank-lines-searched-from-each": Fault(
        blank_lines_searched_from_each,
        (),
        "rescue takes the square of the number of blank lines",
        (f"{EXPENSIVE}[blank lines before the messages]",),
    ),
    "end-of-each-message-searched-anew": Fault(
        end_of_each_message_searched_anew,
        (),
        "rescue takes the square of the number of messages on one line",
        (f"{EXPENSIVE}[small messages on one line]",),
    ),
    "names-written-out-for-each-value": Fault(
        names_written_out_for_each_value,
        (),
        "a long key is copied for each value under it",
        (f"{EXPENSIVE}[many values under a long key]",),
    ),
    "pool-taken-for-a-dict": Fault(
        pool_taken_for_a_dict,
        (),
        "a damaged file raises IndexError",
        (f"{DAMAGE}test_what_is_no_tree_is_damage_to_the_hierarchical_store[snapshot-refs-in-a-list]",),
        found_by="fuzz-json",
    ),
    "pooled-message-made-for-each-name": Fault(
        pooled_message_made_for_each_name,
        (),
        "a small file makes one large message many times",
        (f"{EXPENSIVE}[a pooled message that a snapshot names often]",),
    ),
    "calls-looked-up-by-any-id": Fault(
        calls_looked_up_by_any_id,
        (),
        "numbers in the place of ids take the square of their count",
        (f"{EXPENSIVE}[tool calls whose ids have one hash]",),
    ),
    "child-read-for-each-mention": Fault(
        child_read_for_each_mention,
        (),
        "a child is read as often as its parent lists it",
        (f"{EXPENSIVE}[a child that is listed often]",),
    ),
    "falsy-is-not-shared": Fault(
        falsy_is_not_shared,
        (),
        "a file is read as not shared whose mark is 0 or an empty text",
        (f"{DAMAGE}test_what_is_no_tree_is_damage_to_the_hierarchical_store[shared-zero]",),
    ),
    "pooled-messages-named-by-anything": Fault(
        pooled_messages_named_by_anything,
        (),
        "a text is read as the list of the messages that a snapshot names",
        (f"{DAMAGE}test_what_is_no_tree_is_damage_to_the_hierarchical_store[snapshot-refs-text]",),
    ),
    "size-looked-at-once": Fault(
        size_looked_at_once,
        (),
        "a file that grows while it is read is read beyond max_file_bytes",
        (f"{DAMAGE}test_a_file_that_grows_while_it_is_read_is_read_no_further",),
    ),
    "written-whole-before-it-is-measured": Fault(
        written_whole_before_it_is_measured,
        (),
        "a session is made whole before it is refused for its size",
        (f"{FUZZ}test_what_a_revert_would_make_is_not_made_beyond_what_a_file_may_have",),
    ),
    "rescue-names-no-file": Fault(
        rescue_names_no_file,
        (),
        "errors of rescue do not name the file",
        (f"{DAMAGE}test_what_is_newer_is_refused_by_name",),
    ),
    "transcript-beside-pooled-messages-dropped": Fault(
        transcript_beside_pooled_messages_dropped,
        (),
        "a change loses a snapshot's transcript that stands beside its pooled messages",
        (f"{DAMAGE}test_a_transcript_that_a_snapshot_is_not_read_from_is_kept",),
    ),
    "replaced-file-left-open": Fault(
        replaced_file_left_open,
        (),
        "a change that has read the file which it replaces leaves that open",
        (GONE,),
    ),
}

TRACK_RECORD = (
    Found(
        "A worker that was killed while it wrote a session's first state left the messages in a temporary file: "
        "`verify` did not report it, and `delete_session` did not delete it.",
        "kills",
        "litter-of-a-creator-unseen",
    ),
    Found(
        "When the system refused to unlock, the lock stayed held for as long as the caller kept the error: "
        "to read the session, which is the next step that the error names, ended in `LockTimeout`.",
        "faults",
        "lock-kept-with-its-error",
    ),
    Found(
        "A file whose last key stood twice was compared key by key with all others: a large one took an hour.",
        "fuzz",
        "keys-counted-for-each-key",
    ),
    Found(
        "`rescue` of a file with many blank lines took the square of their number.",
        "fuzz",
        "blank-lines-searched-from-each",
    ),
    Found(
        "`rescue` of many messages on one line took the square of their number.",
        "fuzz",
        "end-of-each-message-searched-anew",
    ),
    Found(
        "A long key was copied for each value under it, for an error that never came.",
        "fuzz",
        "names-written-out-for-each-value",
    ),
    Found(
        "A snapshot's pool of messages that was a list raised IndexError instead of `SessionDamaged`.",
        "fuzz",
        "pool-taken-for-a-dict",
    ),
    Found(
        "A pooled message was made as often as snapshots named it: a small file took much time and memory.",
        "fuzz",
        "pooled-message-made-for-each-name",
    ),
    Found(
        "Tool calls whose ids were numbers of one hash took the square of their count when a history was cut.",
        "fuzz",
        "calls-looked-up-by-any-id",
    ),
    Found(
        "A child that its parent listed a thousand times was read a thousand times.",
        "fuzz",
        "child-read-for-each-mention",
    ),
    Found(
        "A file that grew while it was read was read to its end, beyond `max_file_bytes`.",
        "fuzz",
        "size-looked-at-once",
    ),
    Found(
        "To go back to a snapshot could make a thousand times the file's bytes before `max_file_bytes` refused them.",
        "fuzz",
        "written-whole-before-it-is-measured",
    ),
    Found(
        "`rescue` of a moved session, or of a newer one, raised an error that did not name the file.",
        "fuzz",
        "rescue-names-no-file",
    ),
    Found(
        "A snapshot whose messages are pooled lost the messages of a transcript beside them at the next change.",
        "fuzz",
        "transcript-beside-pooled-messages-dropped",
    ),
    Found(
        "Of the tests themselves: faults that were put in lacked an argument, and counted as caught for that "
        "`TypeError`. This test, which is green, has one refused.",
        "orders",
        test="tests/sabotage/test_sabotage.py::test_what_counts_as_caught",
    ),
    Found(
        "A change that had kept nothing of its session left the file open that it replaced, and its space taken.",
        "orders",
        "replaced-file-left-open",
    ),
)
"""What the proofs have found in our own code, in the order in which they did."""
