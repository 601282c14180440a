"""Rows that somebody has edited: an error by name, bytes that stay, and what can be read is rescued."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest
import sqlalchemy as sa

from readfresh import (
    HierarchicalSessionStore,
    SessionDamaged,
    SessionMismatch,
    SessionNotFound,
    SessionStoreError,
    SessionTooNew,
    rescue,
    verify,
)
from tests.database.support import put_rows, rows_at, rows_of, said
from tests.database.test_races import adapter
from tests.store.support import LONG, verbs_of
from tests.store.test_damage import DAMAGED, DAMAGED_TREE, TOO_NEW

LIST = b'"messages": [{"role": "user", "content": "x"}]'
# What is wrong with the fields, and not with the list of messages, which is no part of them here.
FIELDS = {
    name: raw.replace(LIST, b'"aside": 0')
    for name, raw in DAMAGED.items()
    if not name.startswith("message") and name != "no-id"
} | {"no-id": b'{"title": null}', "messages": b'{"session_id": "trip", "messages": []}'}
BODIES = {
    **{"half": b'{"role": "user", "content": "x', "empty": b"", "list": b"[]", "no-role": b'{"content": "x"}'},
    **{"number": b'{"role": "user", "content": 5}', "nan": b'{"role": "user", "content": "x", "n": NaN}'},
    **{"twice": b'{"role": "user", "role": "user", "content": "x"}', "text": b"hello", "not-utf8": b'{"role": "\xff"}'},
    **{"surrogate": b'{"role": "\\ud800", "content": "x"}', "zeros": bytes(20), "deep": b"[" * 100_000},
}


def spoil(url: str, table: str, column: str, raw: bytes, where: str) -> bool:
    """Put these bytes into a row; return whether the database keeps them at all, as PostgreSQL does with text only."""
    value: Any = sa.cast(sa.literal(raw, sa.LargeBinary), sa.Text)
    if url.startswith("postgresql"):
        if b"\0" in raw or raw.decode(errors="replace").encode() != raw:
            return False
        value = sa.literal(raw.decode(), sa.Text)
    found = sa.table(table, sa.column(column))
    with rows_at(url) as connection:
        done = connection.execute(sa.update(found).values({column: value}).where(sa.text(where)))
        assert done.rowcount == 1
    return True


def raw_rows(url: str) -> list[Any]:
    """Return the bytes of every row."""
    octets = "CAST({} AS BLOB)" if url.startswith("sqlite") else "convert_to({}, 'UTF8')"
    queries = [
        f"SELECT {octets.format(column)} FROM {table} ORDER BY 1"
        for table, column in (("readfresh_sessions", "fields"), ("readfresh_messages", "body"))
    ]
    with rows_at(url) as connection:
        return [[tuple(row) for row in connection.exec_driver_sql(query)] for query in queries]


@pytest.fixture
def tree(url: str) -> HierarchicalSessionStore:
    """A store with a session "trip" of three messages, and another one that is to stay readable."""
    ids = itertools.count()
    store = HierarchicalSessionStore(storage=adapter(url), new_id=lambda: f"id-{next(ids)}")
    for content in "abc":
        store.add_user_message("trip", content)
    store.set_agent_info("good", agent_name="Ann")
    return store


def every_verb_refuses(store: Any, url: str, error: type[SessionStoreError], *only: str) -> None:
    """Check that each verb but `session_exists`, the queries and `delete_session` raises, and changes nothing."""
    before = raw_rows(url)
    for verb in verbs_of(type(store)):
        if not verb.per_session or verb.name == "delete_session" or (only and not LONG and verb.name not in only):
            continue
        if verb.name == "session_exists" and error is not SessionMismatch:
            assert verb.call(store, "trip") is True
            continue
        with pytest.raises(error) as caught:
            verb.call(store, "trip")
        assert (caught.value.session_id, caught.value.written) == ("trip", "nothing")
        assert str(caught.value.path).endswith("#trip")
    assert raw_rows(url) == before


@pytest.mark.parametrize("name", FIELDS)
def test_damaged_fields_are_named_and_stay(tree: HierarchicalSessionStore, url: str, name: str) -> None:
    """Every verb names the damage and leaves the bytes; the session exists, is listed, and hides no other."""
    if not spoil(url, "readfresh_sessions", "fields", FIELDS[name], "name = 'trip'"):
        return
    before = raw_rows(url)
    some = ("get_session", "session_exists", "add_message", "set_chat_history")
    every_verb_refuses(tree, url, SessionDamaged, *(some if name != "half" else ()))
    assert {one["file"]: one["status"] for one in tree.list_sessions()} == {"good": "ok", "trip": "damaged"}
    assert tree.list_sessions_by_agent("Ann") == ["good"]
    assert [(finding.session_id, finding.kind) for finding in verify(tree)] == [("trip", "damaged")]
    assert [message.content for message in rescue(tree, "trip").session.messages] in (["a", "b", "c"], [])
    assert raw_rows(url) == before
    assert tree.delete_session("trip") is True
    assert "trip" not in rows_of(url)


@pytest.mark.parametrize("name", ["half", "empty", "metadata-list", "comma", "brace"])
def test_messages_outlive_their_damaged_fields(tree: HierarchicalSessionStore, url: str, name: str) -> None:
    """What stands in rows of its own is rescued whole, whatever became of the fields."""
    spoil(url, "readfresh_sessions", "fields", FIELDS.get(name, b"{"), "name = 'trip'")
    found = rescue(tree, "trip", "saved")
    assert found.left_out
    assert said(tree, "saved") == ["a", "b", "c"]


@pytest.mark.parametrize("name", BODIES)
def test_a_damaged_message_is_named_and_stays(tree: HierarchicalSessionStore, url: str, name: str) -> None:
    """Reads and whatever looks at the messages raise; a message is added all the same, and the bytes stay."""
    if not spoil(url, "readfresh_messages", "body", BODIES[name], "body LIKE '%\"b\"%'"):
        return
    before = raw_rows(url)
    plain = adapter(url)
    looking = [
        lambda: tree.get_session("trip"),
        lambda: plain.get_chat_history("trip"),
        lambda: plain.set_chat_history("trip", []),
        lambda: plain.clear_session("trip"),
        lambda: plain.update("trip", lambda session: session.with_metadata({"k": 1})),
        lambda: adapter(url, max_messages=2).add_user_message("trip", "d"),
        lambda: tree.create_snapshot("trip"),
        lambda: tree.fork_session("trip"),
    ]
    for action in looking:
        with pytest.raises(SessionDamaged) as caught:
            action()  # type: ignore[no-untyped-call]
        assert (caught.value.session_id, caught.value.written) == ("trip", "nothing")
    assert raw_rows(url) == before
    assert plain.add_user_message("trip", "d") is True
    assert plain.update_session_metadata("trip", cost=1) is True
    after = raw_rows(url)[1]
    assert [row for row in after if row in before[1]] == before[1]
    assert len(after) == 4
    with pytest.raises(SessionDamaged):
        tree.get_session("trip")
    assert {one["file"]: one["status"] for one in tree.list_sessions()} == {"good": "ok", "trip": "ok"}
    assert [(finding.session_id, finding.kind) for finding in verify(tree)] == [("trip", "damaged")]
    found = rescue(tree, "trip", "saved")
    whole = [message.content for message in found.session.messages if message.content in ("a", "b", "c", "d")]
    assert whole == ["a", "c", "d"]
    assert found.left_out
    assert len(said(tree, "saved")) == len(found.session.messages)
    assert tree.delete_session("trip") is True


@pytest.mark.parametrize("name", TOO_NEW)
def test_a_newer_session_is_refused_by_name(tree: HierarchicalSessionStore, url: str, name: str) -> None:
    """A session of a newer schema is neither read nor written, nor taken for damage."""
    spoil(url, "readfresh_sessions", "fields", TOO_NEW[name].replace(LIST, b'"aside": 0'), "name = 'trip'")
    every_verb_refuses(tree, url, SessionTooNew)
    assert {one["file"]: one["status"] for one in tree.list_sessions()} == {"good": "ok", "trip": "too-new"}
    assert [finding.kind for finding in verify(tree)] == ["too-new"]
    with pytest.raises(SessionTooNew):
        rescue(tree, "trip")
    assert tree.delete_session("trip") is True


@pytest.mark.parametrize("name", [name for name in DAMAGED_TREE if not name.startswith("snapshot")])
def test_what_is_no_tree_is_damage_to_the_hierarchical_store(
    tree: HierarchicalSessionStore, url: str, name: str
) -> None:
    """Fields of the hierarchical store are checked by it; a plain store keeps them as it finds them."""
    raw = DAMAGED_TREE[name].replace(LIST, b'"aside": 0')
    spoil(url, "readfresh_sessions", "fields", raw, "name = 'trip'")
    every_verb_refuses(tree, url, SessionDamaged)
    plain = adapter(url)
    before = plain.get_session("trip").extra
    plain.add_user_message("trip", "d")
    assert plain.get_session("trip").extra == before


def test_a_row_of_another_id_is_never_taken_for_this_one(tree: HierarchicalSessionStore, url: str) -> None:
    """A row that stands in a session's place and holds another is refused by every verb, and listed as foreign."""
    spoil(url, "readfresh_sessions", "fields", b'{"schema_version": 1, "session_id": "a/b"}', "name = 'trip'")
    every_verb_refuses(tree, url, SessionMismatch)
    with pytest.raises(SessionMismatch, match="the row holds the session 'a/b'") as caught:
        tree.delete_session("trip")
    assert "file" not in str(caught.value)
    (listed,) = (one for one in tree.list_sessions() if one["status"] != "ok")
    assert (listed["session_id"], listed["status"], listed["file"]) == ("a/b", "foreign", "trip")
    assert [(finding.session_id, finding.kind) for finding in verify(tree)] == [("a/b", "foreign")]
    assert not tree.session_exists("a/b")


@pytest.mark.parametrize("name", ["%41", "%sha256-0", "a/b", "a b", ".."])
def test_a_row_whose_name_no_id_has_is_foreign(url: str, name: str) -> None:
    """A name that readfresh does not give is shown, and stands in nobody's place."""
    store = adapter(url)
    put_rows(url, name, {"session_id": name})
    assert [(one["session_id"], one["status"]) for one in store.list_sessions()] == [(name, "foreign")]
    assert not store.session_exists(name)


def test_what_cannot_be_read_hides_no_other(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Lists and queries answer from the others; log and hook are told of each that cannot be read."""
    told: list[SessionStoreError] = []
    store = adapter(url, on_error=told.append)
    store.set_agent_info("good", agent_name="Ann")
    put_rows(url, "new", {"schema_version": 2, "session_id": "new"})
    put_rows(url, "a_b", {"session_id": "a/b", "agent_name": "Ann"})
    put_rows(url, "odd", {"session_id": "odd", "updated_at": "yesterday"})
    put_rows(url, "bad", {"session_id": 5})
    with caplog.at_level(logging.WARNING, logger="readfresh"):
        listed = [(one["session_id"], one["status"]) for one in store.list_sessions()]
    assert listed == [("good", "ok"), ("a/b", "foreign"), ("bad", "damaged"), ("new", "too-new"), ("odd", "ok")]
    assert [error.session_id for error in told] == ["a/b", "bad", "new"]
    assert len(caplog.records) == 3
    assert store.list_sessions_by_agent("Ann") == ["good"]


def test_a_message_that_is_damaged_since_it_was_listed_is_left_out(url: str) -> None:
    """A query by agent reports a session whose messages cannot be read, and answers from the others."""
    told: list[SessionStoreError] = []
    store = adapter(url, on_error=told.append)
    for name in ("bad", "good"):
        store.set_agent_info(name, agent_name="Ann")
        store.add_user_message(name, name)
    spoil(url, "readfresh_messages", "body", b"{", "body LIKE '%\"bad\"%'")
    assert [session.session_id for session in store.get_sessions_by_agent("Ann")] == ["good"]
    assert [type(error) for error in told] == [SessionDamaged]


def test_bytes_that_another_program_has_put_there_are_read(sqlite: str) -> None:
    """SQLite keeps bytes in a column of text: what is a message is read as one."""
    store = adapter(sqlite)
    store.add_user_message("trip", "é")
    with rows_at(sqlite) as connection:
        for table, column in (("readfresh_messages", "body"), ("readfresh_sessions", "fields")):
            connection.exec_driver_sql(f"UPDATE {table} SET {column} = CAST({column} AS BLOB)")
    assert said(store, "trip") == ["é"]
    assert store.list_sessions()[0]["status"] == "ok"
    store.add_user_message("trip", "more")
    assert said(store, "trip") == ["é", "more"]


def test_damaged_pages_are_an_error_by_name(sqlite: str, tmp_path: Any) -> None:
    """A SQLite file with zeros in the middle gives an error by name, and nothing is passed off as empty."""
    store = adapter(sqlite)
    for number in range(50):
        store.add_user_message("trip", "x" * 300 + str(number))
    path = tmp_path / "chats.db"
    raw = path.read_bytes()
    for at in range(4096, len(raw), 4096):
        path.write_bytes(raw[:at] + bytes(4096) + raw[at + 4096 :])
        try:
            found = said(store, "trip")
        except SessionStoreError:
            continue
        assert len(found) == 50


def test_verify_names_a_child_that_its_parent_does_not_list(tree: HierarchicalSessionStore, url: str) -> None:
    """As over files, a child whose creation never returned is found."""
    tree.create_session("top")
    tree.create_session("child", parent_id="top")
    assert verify(tree) == ()
    put_rows(url, "lost", {"session_id": "lost", "parent_id": "top", "created_at": "2999-01-01T00:00:00+00:00"})
    assert [(one.session_id, one.kind) for one in verify(tree)] == [("lost", "unlisted-child")]


def test_there_is_nothing_to_rescue_of_nobody(url: str) -> None:
    """A session that does not exist is not damaged."""
    with pytest.raises(SessionNotFound):
        rescue(adapter(url), "nobody")


def test_a_parent_deleted_while_its_child_is_created_is_not_brought_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent stays deleted, and the child is nobody's."""
    store = HierarchicalSessionStore(storage=adapter(url))
    store.create_session("top")
    created = HierarchicalSessionStore._create

    def meanwhile(self: Any, session: Any) -> Any:
        made = created(self, session)
        adapter(url).delete_session("top")
        return made

    monkeypatch.setattr(HierarchicalSessionStore, "_create", meanwhile)
    assert store.create_session("child", parent_id="top") == "child"
    assert not store.session_exists("top")
    assert store.get_parent("child") is None
    assert isinstance(store, HierarchicalSessionStore)
