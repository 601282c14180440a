"""JSON that is no session: an error by name on every verb, and not a byte changed."""

import json
import os
import random
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from readfresh import (
    DefaultSessionStore,
    HierarchicalSessionStore,
    SessionDamaged,
    SessionExists,
    SessionMismatch,
    SessionNotFound,
    SessionStoreError,
    SessionTooNew,
    rescue,
    verify,
)
from readfresh.codec import NotASession, decode
from tests.store.support import Kind, Store, Verb, contents, each_verb, filled, rescued, scaled, verbs_of, write_json

DEEP = b"[" * 100_000
GOOD = {"session_id": "trip", "messages": [{"role": "user", "content": "x"}]}


def good(**fields: Any) -> bytes:
    """Return the bytes of a session with these fields."""
    return json.dumps({**GOOD, **fields}).encode()


DAMAGED = {
    "empty": b"",
    "blank": b" \n\t ",
    "zeros": b"\0" * 512,
    "binary": bytes(range(256)),
    "half": good()[: len(good()) // 2],
    "twice": good() + good(),
    "rubbish-after": good() + b"x",
    "list": b"[]",
    "null": b"null",
    "number": b"5",
    "text": b'"trip"',
    "true": b"true",
    "empty-object": b"{}",
    "nan": good(metadata={"x": float("nan")}),
    "infinity": good(metadata={"x": float("inf")}),
    "minus-infinity": good(metadata={"x": float("-inf")}),
    "1e999": good(metadata={"x": 12345}).replace(b"12345", b"1e999"),
    "-1e999": good(metadata={"x": 12345}).replace(b"12345", b"-1e999"),
    "unknown-nan": good(unknown=float("nan")),
    "deep-list": DEEP,
    "deep-object": b'{"a":' * 100_000,
    "deep-inside": good(metadata={"x": 12345}).replace(b"12345", DEEP + b"]" * 100_000),
    "deep-500": good(metadata={"x": 12345}).replace(b"12345", b"[" * 500 + b"]" * 500),
    "deep-200": good(unknown=12345).replace(b"12345", b"[" * 200 + b"]" * 200),
    "huge-number": good(metadata={"x": 12345}).replace(b"12345", b"9" * 5000),
    "huge-number-4200": good(metadata={"x": 12345}).replace(b"12345", b"9" * 4200),
    "double-key": good().replace(b"{", b'{"session_id": "trip", ', 1),
    "double-key-inside": good(metadata={"x": 12345}).replace(b'"x"', b'"x": 1, "x"'),
    "double-key-escaped": good(metadata={"x": 12345}).replace(b'"x"', b'"\\u0078": 1, "x"'),
    "lone-surrogate-escaped": good(agent_name="NAME").replace(b"NAME", b"\\ud800"),
    "lone-low-surrogate": good(agent_name="NAME").replace(b"NAME", b"\\uDC00"),
    "surrogates-swapped": good(agent_name="NAME").replace(b"NAME", b"\\udc00\\ud800"),
    "surrogate-key": good(metadata={"x": 1}).replace(b'"x"', b'"\\uD83d"'),
    "surrogate-raw": good(agent_name="NAME").replace(b"NAME", b"\xed\xa0\x80"),
    "not-utf8": good(agent_name="NAME").replace(b"NAME", b"\xff\xfe"),
    "overlong": good(agent_name="NAME").replace(b"NAME", b"\xc0\xaf"),
    "latin1": good(agent_name="NAME").replace(b"NAME", "é".encode("latin-1")),
    "utf-16": good().decode().encode("utf-16"),
    "utf-16-le": good().decode().encode("utf-16-le"),
    "utf-32": good().decode().encode("utf-32"),
    "bom": b"\xef\xbb\xbf" + good(),
    "control-character": good(agent_name="NAME").replace(b"NAME", b"a\nb"),
    "single-quotes": good().replace(b'"', b"'"),
    "comma": good()[:-1] + b",}",
    "comment": good() + b"// trip",
    "no-id": json.dumps({"messages": []}).encode(),
    "id-null": good(session_id=None),
    "id-number": good(session_id=5),
    "id-empty": good(session_id=""),
    "id-nul": good(session_id="a\0b"),
    "messages-object": good(messages={"0": {}}),
    "messages-text": good(messages="hi"),
    "messages-number": good(messages=5),
    "message-text": good(messages=["hi"]),
    "message-null": good(messages=[None]),
    "message-list": good(messages=[[]]),
    "message-no-role": good(messages=[{"content": "x"}]),
    "message-role-null": good(messages=[{"role": None, "content": "x"}]),
    "message-role-empty": good(messages=[{"role": "", "content": "x"}]),
    "message-role-number": good(messages=[{"role": 5, "content": "x"}]),
    "message-content-number": good(messages=[{"role": "user", "content": 5}]),
    "message-content-object": good(messages=[{"role": "user", "content": {}}]),
    "message-time-text": good(messages=[{"role": "user", "content": "x", "timestamp": "now"}]),
    "message-time-bool": good(messages=[{"role": "user", "content": "x", "timestamp": True}]),
    "message-metadata-list": good(messages=[{"role": "user", "content": "x", "metadata": []}]),
    "message-calls-object": good(messages=[{"role": "user", "content": "x", "tool_calls": {}}]),
    "message-calls-text": good(messages=[{"role": "user", "content": "x", "tool_calls": ["f"]}]),
    "message-call-id-number": good(messages=[{"role": "tool", "content": "x", "tool_call_id": 5}]),
    "metadata-list": good(metadata=[]),
    "metadata-text": good(metadata="x"),
    "agent-number": good(agent_name=5),
    "created-number": good(created_at=5),
    "updated-list": good(updated_at=[]),
    "user-object": good(user_id={}),
    "version-text": good(schema_version="1"),
    "version-null": good(schema_version=None),
    "version-float": good(schema_version=1.0),
    "version-bool": good(schema_version=True),
    "version-negative": good(schema_version=-1),
}
# A plain store keeps these as fields that it has never heard of.
DAMAGED_TREE = {
    "children-text": good(children_ids="ab"),
    "children-object": good(children_ids={"a": 1}),
    "child-number": good(children_ids=[5]),
    "snapshots-object": good(snapshots={}),
    "snapshot-text": good(snapshots=["s"]),
    "snapshot-no-id": good(snapshots=[{"message_index": 0}]),
    "snapshot-id-number": good(snapshots=[{"id": 5}]),
    "snapshot-index-text": good(snapshots=[{"id": "s", "message_index": "0"}]),
    "snapshot-messages-text": good(snapshots=[{"id": "s", "messages": "x"}]),
    "snapshot-transcript-message": good(snapshots=[{"id": "s", "transcript": {"messages": [5]}}]),
    "snapshot-refs-missing": good(snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": ["0"]}}}]),
    "snapshot-refs-in-a-list": good(
        snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": [0]}}}], snapshot_storage={"records": []}
    ),
    "snapshot-refs-in-a-text": good(
        snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": [5]}}}], snapshot_storage={"records": "abc"}
    ),
    "snapshot-refs-null": good(snapshots=[{"id": "s", "transcript_refs": None}]),
    "snapshot-refs-text": good(
        snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": "r"}}}],
        snapshot_storage={"records": {"r": {"role": "user", "content": "x"}}},
    ),
    "snapshot-refs-object": good(
        snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": {"r": 1}}}}],
        snapshot_storage={"records": {"r": {"role": "user", "content": "x"}}},
    ),
    "snapshot-refs-no-text": good(snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": ""}}}]),
    "shared-text": good(is_shared="yes"),
    "shared-no-text": good(is_shared=""),
    "shared-zero": good(is_shared=0),
    "shared-list": good(is_shared=[]),
    "title-number": good(title=5),
    "parent-list": good(parent_id=[]),
}
TOO_NEW = {
    "two": good(schema_version=2),
    "huge": good(schema_version=10**30),
    "two-with-nothing-we-know": b'{"schema_version": 2, "turns": [[1, 2]]}',
}


def put(directory: Path, raw: bytes, name: str = "trip") -> dict[str, bytes | str]:
    """Put the bytes where the session belongs, beside a good session, and return what stands in the directory."""
    DefaultSessionStore(directory).set_agent_info("good", agent_name="Ann")
    (directory / f"{name}.json").write_bytes(raw)
    return contents(directory)


def every_verb_refuses(store: Store, directory: Path, error: type[SessionStoreError]) -> None:
    """Check that each verb but `session_exists`, the queries and `delete_session` raises, and changes nothing."""
    before = contents(directory)
    for verb in verbs_of(type(store)):
        if not verb.per_session or verb.name == "delete_session":
            continue
        if verb.name == "session_exists":
            assert verb.call(store, "trip") is True
            continue
        with pytest.raises(error) as caught:
            verb.call(store, "trip")
        assert caught.value.session_id == "trip"
        assert caught.value.path == str(directory / "trip.json")
        assert caught.value.written == "nothing"
        assert contents(directory) == before, verb.name


@pytest.mark.parametrize("raw", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_session_is_damage(store: Store, directory: Path, raw: bytes) -> None:
    """Every verb names the damage and leaves the bytes; the session exists, is listed, and hides no other."""
    before = put(directory, raw)
    every_verb_refuses(store, directory, SessionDamaged)
    listed = {one["file"]: one["status"] for one in store.list_sessions()}
    assert listed == {"good.json": "ok", "trip.json": "damaged"}
    assert store.list_sessions_by_agent("Ann") == ["good"]
    assert [finding.kind for finding in verify(store)] == ["damaged"]
    rescue(store, "trip")
    assert contents(directory) == before
    assert store.delete_session("trip") is True
    assert not store.session_exists("trip")


@pytest.mark.parametrize("name", [name for name in DAMAGED if "surrogate" in name])
def test_lone_surrogates_are_no_json_of_ours(name: str) -> None:
    """The codec refuses them by itself, whoever calls it: `rescue` reads through it too."""
    with pytest.raises(NotASession, match=r"surrogate|UTF-8"):
        decode(DAMAGED[name])


@pytest.mark.parametrize("raw", DAMAGED_TREE.values(), ids=DAMAGED_TREE)
def test_what_is_no_tree_is_damage_to_the_hierarchical_store(directory: Path, raw: bytes) -> None:
    """Fields of the hierarchical store are checked by it; a plain store keeps them as it finds them."""
    put(directory, raw)
    store = HierarchicalSessionStore(directory)
    every_verb_refuses(store, directory, SessionDamaged)
    unknown = {key: value for key, value in json.loads(raw).items() if key not in GOOD}
    plain = DefaultSessionStore(directory)
    plain.add_user_message("trip", "more")
    assert unknown.items() <= json.loads((directory / "trip.json").read_bytes()).items()
    rescue(store, "trip")
    assert store.delete_session("trip") is True


@pytest.mark.parametrize("raw", TOO_NEW.values(), ids=TOO_NEW)
def test_what_is_newer_is_refused_by_name(store: Store, directory: Path, raw: bytes) -> None:
    """A file of a newer schema is neither read nor written nor taken for damage."""
    put(directory, raw)
    every_verb_refuses(store, directory, SessionTooNew)
    assert {one["status"] for one in store.list_sessions()} == {"ok", "too-new"}
    with pytest.raises(SessionTooNew) as caught:
        rescue(store, "trip")
    assert caught.value.path == str(directory / "trip.json")
    assert store.delete_session("trip") is True


def test_a_file_cut_at_any_byte_is_damage_or_the_whole_session(kind: Kind, directory: Path) -> None:
    """A session's file, truncated at any of its bytes, is named damaged on reading and on writing, and stays."""
    store = filled(kind, directory)
    path = directory / "trip.json"
    raw = path.read_bytes()
    whole = store.get_session("trip")
    for length in (*range(0, len(raw) - 1, scaled(3, 1)), len(raw) - 1):
        path.write_bytes(raw[:length])
        if length == len(raw) - 1:  # the last byte is the line's end
            assert store.get_session("trip") == whole
            continue
        with pytest.raises(SessionDamaged):
            store.get_session("trip")
        with pytest.raises(SessionDamaged):
            store.add_user_message("trip", "more")
        assert path.read_bytes() == raw[:length]


def test_every_cut_rescues_the_messages_before_it(kind: Kind, directory: Path) -> None:
    """Of a truncated file each whole message is rescued, in order, and nothing is changed."""
    store = filled(kind, directory)
    path = directory / "trip.json"
    raw = path.read_bytes()
    ends = [match.end() for match in re.finditer(rb"^    \{\"role\".*?\}(?=,?$)", raw, re.MULTILINE)][:2]
    assert len(ends) == 2
    for length in range(0, len(raw) - 1, scaled(7, 1)):
        path.write_bytes(raw[:length])
        expected = ["Where to?", "Porto."][: sum(end <= length for end in ends)]
        assert rescued(store, "trip") == expected, length
        assert path.read_bytes() == raw[:length]


TOKENS = (b"null", b"1e999", b"[]", b"{}", b'""', b"-1", b"0", b"true", b'"x"', b'"\\ud800"', b"9" * 5000, b"NaN")


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one thing wrong with them, now and then with two."""
    for _ in range(1 + (chance.random() < 0.2)):
        if chance.random() < 0.6:
            raw = _value_replaced(raw, chance)
            continue
        low, high = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
        between = (
            raw[low + 1 : high],  # a byte lost
            b"",  # a stretch lost
            raw[low:high] * 2,
            chance.choice(TOKENS) + raw[low:high],
            b"\0" * (high - low),
            bytes(byte ^ (1 << chance.randrange(8) if not number else 0) for number, byte in enumerate(raw[low:high])),
        )
        raw = raw[:low] + chance.choice(between) + raw[high:]
    return raw


def _value_replaced(raw: bytes, chance: random.Random) -> bytes:
    """Return JSON text with the value of one key replaced by another, as a program with a fault writes it."""
    places = [match.span(1) for match in re.finditer(rb': ("[^"]*"|[\d.]+|null|true|false|\[\]|\{\})', raw)]
    if not places:
        return raw
    begin, end = chance.choice(places)
    return raw[:begin] + chance.choice(TOKENS) + raw[end:]


READS = ("get_chat_history", "get_session", "list_sessions", "get_agent_chat_history", "get_session_tree")


def test_mutated_files_raise_own_errors_and_keep_their_bytes(kind: Kind, directory: Path) -> None:
    """Whatever is in the file, a verb raises an error of ours or works; after an error not a byte has changed."""
    store = filled(kind, directory)
    path = directory / "trip.json"
    seeds = [path.read_bytes()]
    for file in sorted((Path(__file__).parent / "praisonai").glob("*.json")):
        data = json.loads(file.read_bytes())
        seeds.append(json.dumps({**data, "session_id": "trip"}, indent=2).encode())
    chance = random.Random(20261121)
    # Those that delete or revert would leave no damage to look at, or refuse a snapshot that is an index alone.
    verbs = [verb for verb in verbs_of(kind) if verb.name not in ("delete_session", "revert_to_snapshot")]
    damaged = read = 0
    for number in range(scaled(300, 10_000)):
        raw = mutated(chance.choice(seeds), chance)
        path.write_bytes(raw)
        before = contents(directory)
        for verb in [*chance.sample(verbs, 3), *(verb for verb in verbs if verb.name == READS[number % len(READS)])]:
            try:
                verb.call(store, "trip")
            except SessionStoreError:
                assert contents(directory) == before, verb.name
            else:
                before = contents(directory)
        try:
            store.get_session("trip")
            read += 1
        except SessionStoreError:
            damaged += 1
            left = contents(directory)
            with suppress(SessionMismatch):  # a session of another id is no damage
                rescue(store, "trip")
            verify(store)
            assert contents(directory) == left
        for file in directory.glob("id-*.json"):
            file.unlink()
    assert damaged > 50
    assert read > 50  # or the fuzz has only tried what does not even parse


# What may be odd and is a session all the same


@pytest.mark.parametrize(
    "data",
    [
        {"session_id": "trip"},
        {**GOOD, "messages": None, "metadata": None, "children_ids": None, "snapshots": None, "is_shared": None},
        {**GOOD, "messages": [{"role": "user", "content": "x", "schema_version": 3}]},
        {**GOOD, "messages": [{"role": "user"}]},
        {**GOOD, "snapshots": [{"id": "s", "schema_version": 3}]},
        {**GOOD, "snapshots": [{"id": "s", "messages": [], "transcript": None}]},
        {**GOOD, "snapshots": [{"id": "s", "messages": [], "transcript": 5}]},
        {**GOOD, "extra": {"a": 1}, "messages": [{"role": "user", "content": "x", "extra": 5}]},
        {**GOOD, "schema_version": 0},
        {**GOOD, "agent_name": "\ufeff\U0001f388\u2028"},
        {**GOOD, "unknown": [1, 1.5, -0.0, 1e300, 10**40, True, None, "x", {"a": []}]},
    ],
)
def test_odd_sessions_are_read_and_written(store: Store, directory: Path, data: dict[str, Any]) -> None:
    """Missing and unknown fields are no damage; every verb works, and unknown fields survive it at every level."""
    write_json(directory, "trip", data)
    store.get_session("trip")
    assert store.add_user_message("trip", "more") is True
    after = json.loads((directory / "trip.json").read_bytes())
    for key, value in data.items():
        if key not in ("messages", "snapshots", "schema_version") and value is not None:
            assert after[key] == value
    for level in ("messages", "snapshots"):
        for old, new in zip(data.get(level) or [], after.get(level) or [], strict=False):
            for key in old.keys() - {"messages", "transcript"}:
                assert new[key] == old[key]


@pytest.mark.parametrize(
    "beside",
    [
        {"transcript": 5, "messages": [{"role": "user", "content": "x"}]},
        {
            "transcript": {"messages": [{"role": "user", "content": "x"}]},
            "transcript_refs": {"messages": {"items": []}},
        },
    ],
)
def test_a_transcript_that_a_snapshot_is_not_read_from_is_kept(directory: Path, beside: dict[str, Any]) -> None:
    """A change leaves it as it is, whatever it is, and the snapshot's messages are those that were read before."""
    write_json(directory, "trip", {**GOOD, "snapshots": [{"id": "s", **beside}]})
    store = HierarchicalSessionStore(directory)
    before = store.get_snapshots("trip")
    store.add_user_message("trip", "more")
    assert store.get_snapshots("trip") == before
    (after,) = json.loads((directory / "trip.json").read_bytes())["snapshots"]
    assert after["transcript"] == beside["transcript"]


def test_escaped_text_is_read_as_what_it_stands_for(store: Store, directory: Path) -> None:
    """Escapes, paired surrogates among them, are text like any other."""
    directory.mkdir()
    (directory / "trip.json").write_bytes(good(agent_name="NAME").replace(b"NAME", rb"\ud83c\udf88 \\ud800 \u00e9"))
    assert store.get_session("trip").agent_name == "🎈 \\ud800 é"


def test_a_file_that_is_too_large_is_neither_read_nor_written(kind: Kind, directory: Path) -> None:
    """`max_file_bytes` bounds what is read, and what a write makes; the old state stands."""
    kind(directory).add_user_message("trip", "x" * 5000)
    before = contents(directory)
    small = kind(directory, max_file_bytes=2000)
    every_verb_refuses(small, directory, SessionDamaged)
    with pytest.raises(SessionStoreError, match="max_file_bytes is 2000"):
        small.add_user_message("new", "x" * 5000)
    assert contents(directory) == before
    small.add_user_message("new", "x" * 500)
    assert small.delete_session("trip") is True


def test_a_file_that_grows_while_it_is_read_is_read_no_further(
    kind: Kind, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`max_file_bytes` holds for what is read, whatever the size was when the file was opened."""
    store = kind(directory, max_file_bytes=100_000)
    store.add_user_message("trip", "x" * 1000)
    store.invalidate_cache()
    path = directory / "trip.json"
    read, got = os.read, 0

    def read_and_append(descriptor: int, count: int) -> bytes:
        nonlocal got
        if got < 1_000_000:  # a store that reads on comes to an end all the same
            with open(path, "ab") as file:
                file.write(b" " * 50_000)
        chunk = read(descriptor, count)
        got += len(chunk)
        return chunk

    monkeypatch.setattr(os, "read", read_and_append)
    with pytest.raises(SessionDamaged, match="max_file_bytes"):
        store.get_session("trip")
    assert got == 100_001


@pytest.mark.parametrize(("kind", "verb"), each_verb(per_session=True))
@pytest.mark.parametrize("what", ["directory", "pipe", "socket", "link", "dangling link"])
def test_what_is_no_file_is_damage(kind: Kind, verb: Verb, directory: Path, tmp_path: Path, what: str) -> None:
    """A directory, a pipe, a socket or a link in a session's place is named and left, and nothing hangs on it."""
    store = kind(directory)
    store.add_user_message("real", "x")
    path = directory / "trip.json"
    elsewhere = tmp_path / "elsewhere.json"
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        here = os.getcwd()
        os.chdir(directory)  # the path of a socket is short
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("trip.json")
        finally:
            os.chdir(here)
    else:
        if what == "link":
            write_json(tmp_path, "elsewhere", GOOD)
        path.symlink_to(elsewhere)
    before, outside = contents(directory), elsewhere.read_bytes() if elsewhere.exists() else None
    if verb.name == "session_exists":
        assert verb.call(store, "trip") is True
    elif verb.name == "delete_session" and what != "directory":
        assert verb.call(store, "trip") is True
        before.pop("trip.json")
    else:
        with pytest.raises(SessionStoreError, match="trip"):
            verb.call(store, "trip")
    assert contents(directory) == before
    assert (elsewhere.read_bytes() if elsewhere.exists() else None) == outside


# Rescue


def test_rescue_shows_no_other_session(kind: Kind, directory: Path) -> None:
    """A whole session of another id is not shown under the id that was asked for, nor copied."""
    store = filled(kind, directory)
    (directory / "a_b.json").write_bytes((directory / "trip.json").read_bytes().replace(b'"trip"', b'"a/b"'))
    for new_session_id in (None, "saved"):
        with pytest.raises(SessionMismatch, match="holds the session 'a/b'"):
            rescue(store, "a_b", new_session_id)
    assert not store.session_exists("saved")


def test_rescue_takes_linear_time(kind: Kind, directory: Path) -> None:
    """Each character of a file with many damaged messages is looked at a few times, not once for each message."""
    store = filled(kind, directory)
    looked_at = 0

    class Counting(json.JSONDecoder):
        def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
            nonlocal looked_at
            looked_at += len(s) - idx
            return super().raw_decode(s, idx)

    whole = (directory / "trip.json").read_bytes()
    line = next(line for line in whole.splitlines(keepends=True) if b"Where to?" in line)
    raw = whole.replace(line, line.replace(b'"metadata"', b"metadata") * 2_000)
    (directory / "trip.json").write_bytes(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "JSONDecoder", Counting)
        found = rescue(store, "trip")
    assert "2000 damaged messages." in found.left_out
    assert looked_at < 4 * len(raw)


def test_rescue_copies_only_when_asked(kind: Kind, directory: Path) -> None:
    """Rescuing shows what can be read; with an id it makes a new session of it; the damaged file stays."""
    store = filled(kind, directory)
    path = directory / "trip.json"
    raw = path.read_bytes().replace(b'"content": "Where to?"', b'"content": "Where to?', 1)
    path.write_bytes(raw)
    before = contents(directory)
    found = rescue(store, "trip")
    assert [message.content for message in found.session.messages] == ["Porto."]
    assert (found.session.agent_name, found.new_session_id) == ("Ann", None)
    assert found.left_out[0].startswith("The file is not a session")
    assert "1 damaged message." in found.left_out
    assert contents(directory) == before
    copied = rescue(store, "trip", "saved")
    assert copied.new_session_id == "saved"
    assert store.get_chat_history("saved") == [{"role": "assistant", "content": "Porto."}]
    assert store.get_session("saved").agent_name == "Ann"
    assert path.read_bytes() == raw
    with pytest.raises(SessionExists, match="Choose another new_session_id"):
        rescue(store, "trip", "saved")
    with pytest.raises(SessionNotFound):
        rescue(store, "nobody")
    for wrong in ("", 5):
        with pytest.raises((TypeError, ValueError), match="new_session_id"):
            rescue(store, "trip", wrong)  # type: ignore[arg-type]


def test_verify_compares_instants(directory: Path) -> None:
    """A child that was created later than its parent is unfinished, whatever the offsets of the two times are."""
    directory.mkdir()
    write_json(directory, "parent", {"session_id": "parent", "created_at": "2026-01-01T10:00:00+02:00"})
    child = {"session_id": "child", "created_at": "2026-01-01T09:00:00+00:00", "parent_id": "parent"}
    write_json(directory, "child", child)
    found = verify(HierarchicalSessionStore(directory))
    assert [(finding.session_id, finding.kind) for finding in found] == [("child", "unlisted-child")]


def test_a_session_without_messages_is_whole(directory: Path) -> None:
    """What a store reads as an empty session has nothing to rescue."""
    directory.mkdir()
    write_json(directory, "trip", {"session_id": "trip", "agent_name": "Ann"})
    found = rescue(DefaultSessionStore(directory), "trip")
    assert (found.session.messages, found.session.agent_name, found.left_out) == ((), "Ann", ())
