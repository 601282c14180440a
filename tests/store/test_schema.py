"""The JSON Schema of a session file accepts what the stores read, neither less nor more.

What no schema can say is a list of its own below, and the page of the file format has the same list.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from readfresh import (
    DefaultSessionStore,
    ExtendedSessionData,
    HierarchicalSessionStore,
    SessionDamaged,
    SessionData,
    SessionMessage,
    SessionMoved,
    SessionSnapshot,
    SessionTooNew,
)
from readfresh.codec import MOVED
from readfresh.names import file_name, is_id
from tests.docs.pages import Page
from tests.guarantees.content import foreign_session
from tests.pageproof.plugin import Claims
from tests.proofs.fuzz.memory import DIRECTORY, MemoryDisk
from tests.store.support import ROOT, Kind, Verb, each_verb, filled, hand_over

Json = dict[str, Any]
Fields = dict[str, tuple[Any, ...]]

SCHEMA: Json = json.loads((ROOT / "docs/reference/session.schema.json").read_text("utf-8"))
HIERARCHICAL = Draft202012Validator(SCHEMA)
PLAIN = HIERARCHICAL.evolve(schema={"$ref": "#/$defs/session", "$defs": SCHEMA["$defs"]})
MESSAGE = HIERARCHICAL.evolve(schema={"$ref": "#/$defs/message", "$defs": SCHEMA["$defs"]})
OF: dict[Kind, Validator] = {DefaultSessionStore: PLAIN, HierarchicalSessionStore: HIERARCHICAL}
PRAISONAI = sorted((Path(__file__).parent / "praisonai").glob("*.json"))


def says(data: Json) -> list[str]:
    """Return what the schema finds wrong with a file, each with its place."""
    return [f"{error.json_path}: {error.message}" for error in HIERARCHICAL.iter_errors(data)]


def reads(kind: Kind, raw: bytes, session_id: object = "trip") -> bool:
    """Return whether a store reads a file that holds these bytes and has the name that its id gives it."""
    known = session_id if isinstance(session_id, str) and is_id(session_id) else "trip"
    store = kind(DIRECTORY, disk=MemoryDisk({file_name(known): raw}), durability="process")
    try:
        store.get_session(known)
    except (SessionDamaged, SessionTooNew, SessionMoved):
        return False
    return True


def test_the_schema_is_one() -> None:
    """It keeps to draft 2020-12, and no `$ref` of it leads nowhere."""
    Draft202012Validator.check_schema(SCHEMA)
    refs = {node["$ref"].removeprefix("#/$defs/") for node in nodes(SCHEMA) if "$ref" in node}
    assert refs == SCHEMA["$defs"].keys()


def nodes(value: object) -> Iterator[Json]:
    """Yield every object in a JSON value, itself included."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nodes(item)


# What is written


@pytest.mark.parametrize(("kind", "verb"), each_verb(writes=True))
def test_what_every_verb_writes_is_accepted(kind: Kind, verb: Verb, directory: Path) -> None:
    """The files of the session directory fit the schema after each verb that writes."""
    store = filled(kind, directory)
    call = {"id": "c1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}
    store.add_assistant_message("trip", None, {"cost": 0.5}, tool_calls=[call])
    store.add_message("trip", "tool", [{"type": "text", "text": "low"}], tool_call_id="c1")
    verb.call(store, "new" if verb.name == "import_session" else "trip")
    files = sorted(directory.glob("*.json"))
    assert files or verb.name == "delete_session"
    for file in files:
        data = json.loads(file.read_bytes())
        assert says(data) == [], file.name
        assert PLAIN.is_valid(data)


@pytest.mark.parametrize("file", PRAISONAI, ids=[file.stem for file in PRAISONAI])
def test_what_praisonai_writes_is_accepted(file: Path) -> None:
    """The files that PraisonAI's stores wrote fit the schema."""
    assert says(json.loads(file.read_bytes())) == []


def test_what_a_move_leaves_behind_is_refused(kind: Kind, directory: Path) -> None:
    """The file of a session that is in a database now is no session file any more."""
    hand_over(filled(kind, directory), "trip")
    data = json.loads((directory / "trip.json").read_bytes())
    assert data[MOVED]
    assert not PLAIN.is_valid(data)


def test_every_field_of_the_model_is_in_the_schema_and_on_the_page() -> None:
    """The schema, the model and the tables of the page know the same fields."""
    definitions = SCHEMA["$defs"]
    fields = {
        name: set(definitions[name]["properties"]) - {"schema_version", MOVED, "snapshot_storage"}
        for name in ("session", "tree", "message", "snapshot")
    }
    assert fields["session"] == set(SessionData.__match_args__)
    assert fields["tree"] == set(ExtendedSessionData.__match_args__) - fields["session"]
    assert fields["message"] == set(SessionMessage.__match_args__)
    # Where a snapshot's messages stand depends on what else it has.
    assert fields["snapshot"] == set(SessionSnapshot.__match_args__) - {"messages"}

    tables = [table for table in Page("docs/reference/file-format.md").tables if table.header[0] == "field"]
    on_the_page = [{name for row in table.rows for name in row[0].replace("`", "").split(", ")} for table in tables]
    assert on_the_page == [
        {*fields["session"], "schema_version", MOVED},
        fields["tree"],
        fields["message"],
        {*fields["snapshot"], "transcript"},
    ]


# What is read

NO_TEXT: tuple[Any, ...] = (0, 1.5, True, [], {})
NO_NUMBER: tuple[Any, ...] = ("0", True, [], {})
NO_OBJECT: tuple[Any, ...] = (0, "", True, [])
NO_LIST: tuple[Any, ...] = (0, "", True, {}, "ab", {"a": 1})
OF_TEXT = ("", "x")
MESSAGE_WRONG: Fields = {
    "role": (*NO_TEXT, "", None),
    "content": (0, 1.5, True, {}),
    "timestamp": NO_NUMBER,
    "metadata": NO_OBJECT,
    "tool_calls": (*NO_LIST, ["f"], [[]], [None]),
    "tool_call_id": NO_TEXT,
}
SESSION_WRONG: Fields = {
    "schema_version": ("1", None, True, False, -1, 1.5, 2, 10**30, [], {}),
    MOVED: ("sqlite:///chats.db", None, 0),
    "session_id": (*NO_TEXT, "", None, "a\0b"),
    **dict.fromkeys(("created_at", "updated_at", "agent_name", "user_id"), NO_TEXT),
    **dict.fromkeys(("gateway_session_id", "agent_id"), NO_TEXT),
    "metadata": NO_OBJECT,
    "messages": (*NO_LIST, [0], [None], [[]], ["x"], [{}]),
}
TREE_WRONG: Fields = {
    **dict.fromkeys(("title", "parent_id", "forked_from_message_id"), NO_TEXT),
    "children_ids": (*NO_LIST, [0], [None], [["a"]]),
    "is_shared": (0, 1, "", "yes", [], {}),
    "snapshots": (*NO_LIST, [0], [None], [[]], [{}]),
}
SNAPSHOT_WRONG: Fields = {
    "id": (*NO_TEXT, None),
    "session_id": (*NO_TEXT, None),
    "message_index": (*NO_NUMBER, None, 1.5),
    "created_at": NO_NUMBER,
    "label": NO_TEXT,
    "metadata": NO_OBJECT,
    "messages": (*NO_LIST, [0], [{}]),
    "transcript": ({"messages": {}}, {"messages": "ab"}, {"messages": [0]}, {"messages": [{}]}),
    "transcript_refs": (
        *(None, 0, "x", [], {}, {"messages": None}, {"messages": []}, {"messages": {}}),
        *({"messages": {"items": items}} for items in (None, 0, "", "r", {}, {"r": 1}, [0], [None], [["r"]])),
    ),
}
# What stands in a field and is read, beside what the random documents have.
SESSION_RIGHT: Fields = {
    "schema_version": (0, 1),
    "session_id": ("a/b", "trip\n", "日本"),
    "metadata": (None, {"": [None]}),
    "messages": (None, []),
    "created_at": (None, "", "never"),
}
TREE_RIGHT: Fields = {
    "children_ids": (None, [], ["", "a"]),
    "is_shared": (None, True, False),
    "snapshots": (None, []),
    "snapshot_storage": (None, 0, "x", [], {"records": 5}, {"records": {"r": 5}}),
}
SNAPSHOT_RIGHT: Fields = {
    "id": OF_TEXT,
    "message_index": (-5, 10**30),
    "messages": (None, []),
    "transcript": (None, 0, "x", [], {}, {"messages": None}, {"messages": []}),
    "transcript_refs": ({"messages": {"items": []}}, {"messages": {"items": ["r"]}}),
}
POOL = {"records": {"r": {"role": "user", "content": "Pooled."}, "odd": 5}}


def session_with(**fields: Any) -> Json:
    """Return a session with these fields."""
    return {"session_id": "trip", **fields}


def message_with(**fields: Any) -> Json:
    """Return a session with one message that has these fields."""
    return session_with(messages=[{"role": "user", "content": "x", **fields}])


def snapshot_with(**fields: Any) -> Json:
    """Return a session with one snapshot that has these fields, and a pool."""
    return session_with(snapshots=[{"id": "s", **fields}], snapshot_storage=POOL)


def each(make: Any, values: Fields) -> list[Any]:
    """Return the sessions with each value of each field, as parameters."""
    return [
        pytest.param(make(**{name: value}), id=f"{make.__name__}-{name}-{value!r}"[:60])
        for name, chosen in values.items()
        for value in chosen
    ]


@pytest.mark.parametrize("data", [*each(session_with, SESSION_WRONG), *each(message_with, MESSAGE_WRONG)])
def test_a_wrong_value_is_refused_by_the_schema_and_by_both_stores(data: Json) -> None:
    """Whatever a field may not hold makes the file one that nobody reads."""
    raw = json.dumps(data).encode()
    for kind, validator in OF.items():
        assert not reads(kind, raw, data["session_id"])
        assert not validator.is_valid(data)


@pytest.mark.parametrize("data", [*each(session_with, TREE_WRONG), *each(snapshot_with, SNAPSHOT_WRONG)])
def test_a_wrong_value_of_the_tree_is_refused_by_whoever_reads_the_tree(data: Json) -> None:
    """A plain store keeps the fields of the hierarchy whatever they are, and so does its part of the schema."""
    raw = json.dumps(data).encode()
    assert not reads(HierarchicalSessionStore, raw)
    assert not HIERARCHICAL.is_valid(data)
    assert reads(DefaultSessionStore, raw)
    assert PLAIN.is_valid(data)


@pytest.mark.parametrize(
    "data",
    [
        *each(session_with, SESSION_RIGHT),
        *each(session_with, TREE_RIGHT),
        *each(snapshot_with, SNAPSHOT_RIGHT),
        pytest.param(session_with(), id="nothing but the id"),
        pytest.param(foreign_session(), id="unknown fields at every level"),
        pytest.param(snapshot_with(transcript={"messages": []}, messages=5), id="messages beside a transcript"),
        pytest.param(
            snapshot_with(transcript_refs={"messages": {"items": []}}, transcript={"messages": 5}, messages=5),
            id="messages beside a pool",
        ),
    ],
)
def test_what_is_read_is_accepted(data: Json) -> None:
    """Odd files that the stores read fit the schema."""
    raw = json.dumps(data).encode()
    assert says(data) == []
    for kind, validator in OF.items():
        assert reads(kind, raw, data["session_id"])
        assert validator.is_valid(data)


# Numbers that are whole and written with a fraction are left to the list of what no schema can say.
LEAVES = st.sampled_from([None, True, False, 0, 1, 2, -1, 1.5, 2**70, "", "x", "r"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "role"]), inner, max_size=2),
    max_leaves=4,
)
KEYS = sorted({*SESSION_WRONG, *TREE_WRONG, *MESSAGE_WRONG, *SNAPSHOT_WRONG, *TREE_RIGHT, "items", "records", "extra"})


def objects(required: Json, optional: Json) -> st.SearchStrategy[Json]:
    """Any objects that have the required fields, and some of the optional ones."""
    return st.fixed_dictionaries(required, optional=optional)


def none_or(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What the strategy makes, or None."""
    return st.none() | strategy


TEXTS = st.sampled_from(["", "x", "日本 🎈"])
SECONDS = none_or(st.sampled_from([0, 1.5, -1, 2**70]))
METADATA = none_or(st.dictionaries(TEXTS, VALUES, max_size=2))
MESSAGES = none_or(
    st.lists(
        objects(
            {"role": st.sampled_from(["user", "assistant", "tool", "x"])},
            {
                "content": none_or(TEXTS | st.lists(VALUES, max_size=2)),
                "timestamp": SECONDS,
                "metadata": METADATA,
                "tool_calls": none_or(st.lists(st.just({"id": "c"}), max_size=2)),
                "tool_call_id": none_or(TEXTS),
                "x": VALUES,
            },
        ),
        max_size=2,
    )
)
SNAPSHOTS = none_or(
    st.lists(
        objects(
            {"id": TEXTS},
            {
                "session_id": TEXTS,
                "message_index": st.integers(-1, 3),
                "created_at": SECONDS,
                "label": none_or(TEXTS),
                "metadata": METADATA,
                "messages": MESSAGES,
                "transcript": none_or(objects({}, {"messages": MESSAGES, "x": VALUES})),
                "transcript_refs": st.fixed_dictionaries(
                    {"messages": st.fixed_dictionaries({"items": st.lists(st.just("r"), max_size=2)})}
                ),
            },
        ),
        max_size=2,
    )
)
SESSIONS = objects(
    {"session_id": st.sampled_from(["trip", "a/b"]), "snapshot_storage": st.just(POOL)},
    {
        "schema_version": st.sampled_from([0, 1]),
        **{name: none_or(TEXTS) for name in SessionData._texts},
        **{name: none_or(TEXTS) for name in ("title", "parent_id", "forked_from_message_id")},
        "metadata": METADATA,
        "messages": MESSAGES,
        "children_ids": none_or(st.lists(TEXTS, max_size=2)),
        "is_shared": none_or(st.booleans()),
        "snapshots": SNAPSHOTS,
        "extra": VALUES,
    },
)


@st.composite
def near_the_format(draw: st.DrawFn) -> Json:
    """A session in which up to three fields are missing, or hold something, at any level."""
    data = copy.deepcopy(draw(SESSIONS))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(list(nodes(data))))
        key = draw(st.sampled_from([*place, draw(st.sampled_from(KEYS))]))
        if key in place and draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(VALUES)
    return data


def pool_holds_what_is_named(data: Json) -> bool:
    """Return whether each key that a snapshot names is that of a message: what no schema can say."""
    storage = data.get("snapshot_storage")
    records = storage.get("records") if isinstance(storage, dict) else None
    named = [
        key
        for snapshot in data.get("snapshots") or ()
        if "transcript_refs" in snapshot
        for key in snapshot["transcript_refs"]["messages"]["items"]
    ]
    return not named or (
        isinstance(records, dict) and all(key in records and MESSAGE.is_valid(records[key]) for key in named)
    )


@settings(max_examples=300)
@given(near_the_format())
@example(snapshot_with(transcript_refs={"messages": {"items": ["odd"]}}))
@example(snapshot_with(transcript_refs={"messages": {"items": ["gone"]}}))
def test_the_schema_accepts_what_the_stores_read_and_nothing_else(data: Json) -> None:
    """A document near the format is read exactly when the schema accepts it, and its pool holds what it names."""
    raw = json.dumps(data).encode()
    session_id = data.get("session_id")
    assert reads(DefaultSessionStore, raw, session_id) == PLAIN.is_valid(data)
    accepted = HIERARCHICAL.is_valid(data)
    assert reads(HierarchicalSessionStore, raw, session_id) == (accepted and pool_holds_what_is_named(data)), says(data)


def test_the_documents_are_on_both_sides() -> None:
    """Of the random documents some are accepted and some are not, or the test above compares nothing."""
    sides = set()

    @settings(max_examples=100, database=None, derandomize=True)
    @given(near_the_format())
    def look(data: Json) -> None:
        sides.add((PLAIN.is_valid(data), HIERARCHICAL.is_valid(data)))

    look()
    assert sides == {(True, True), (True, False), (False, False)}


# What no schema can say

NO_SCHEMA_CAN_SAY = {
    "a key that stands twice in one object": b'{"session_id": "trip", "session_id": "trip"}',
    "the depth": json.dumps(session_with(metadata={"deep": json.loads("[" * 101 + "]" * 101)})).encode(),
    "the number of digits": b'{"session_id": "trip", "metadata": {"n": ' + b"9" * 4_100 + b"}}",
    "a number that is too large": b'{"session_id": "trip", "metadata": {"n": 1e999}}',
    "NaN": b'{"session_id": "trip", "metadata": {"n": NaN}}',
    "a lone surrogate": b'{"session_id": "trip", "title": "\\ud800"}',
    "a whole number that is written with a fraction": b'{"session_id": "trip", "schema_version": 1.0}',
    "the messages that a snapshot names": json.dumps(
        session_with(snapshots=[{"id": "s", "transcript_refs": {"messages": {"items": ["r"]}}}])
    ).encode(),
}


@pytest.mark.parametrize("raw", NO_SCHEMA_CAN_SAY.values(), ids=NO_SCHEMA_CAN_SAY)
def test_what_no_schema_can_say(raw: bytes) -> None:
    """The schema accepts it, and the store that reads all of it refuses it: the page says so."""
    assert HIERARCHICAL.is_valid(json.loads(raw))
    assert not reads(HierarchicalSessionStore, raw)


def test_the_page_lists_what_no_schema_can_say() -> None:
    """The list on the page is the one above, and the size of the file and its name."""
    page = Page("docs/reference/file-format.md")
    start = next(number for number, line in page.prose if line == "### What no schema can say")
    listed = [
        line.removeprefix("- ").split(":")[0] for number, line in page.prose if number > start and line[:2] == "- "
    ]
    assert listed[: len(NO_SCHEMA_CAN_SAY)] == list(NO_SCHEMA_CAN_SAY)
    assert listed[len(NO_SCHEMA_CAN_SAY) :] == ["the size of the file", "the name of the file"]


def test_a_size_and_a_name_are_beyond_a_schema(kind: Kind) -> None:
    """A file that fits the schema is refused where it is too large, or stands under the name of another id."""
    raw = json.dumps(session_with(agent_name="x" * 100)).encode()
    assert OF[kind].is_valid(json.loads(raw))
    with pytest.raises(SessionDamaged, match="max_file_bytes"):
        kind(DIRECTORY, disk=MemoryDisk({"trip.json": raw}), max_file_bytes=100).get_session("trip")
    other = kind(DIRECTORY, disk=MemoryDisk({"other.json": raw}))
    assert [entry["status"] for entry in other.list_sessions()] == ["foreign"]


def test_the_program_of_the_page_checks_files(pageproof: Claims, tmp_path: Path) -> None:
    """Beside the schema and a directory with a good and a bad file it prints what the page shows, of the bad one."""
    program, output = pageproof.by("schema")
    shutil.copy(ROOT / "docs/reference/session.schema.json", tmp_path)
    DefaultSessionStore(tmp_path / "chats").add_user_message("food", "Soup?")
    assert run(program.text, tmp_path) == ""
    bad = {**foreign_session(), "is_shared": 0}
    bad["messages"][1]["content"] = 1
    (tmp_path / "chats/trip.json").write_text(json.dumps(bad), encoding="utf-8")
    assert run(program.text, tmp_path) == output.text
    pageproof.claim([program, output])


def run(program: str, folder: Path) -> str:
    """Run a program in a folder, and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
