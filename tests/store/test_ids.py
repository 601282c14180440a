"""Any text without NUL and lone surrogates is an id; no two ids share a file, and none leaves the directory."""

import json
import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, SessionDamaged, SessionMismatch
from readfresh.disk import Disk
from readfresh.disk_windows import WindowsDisk
from readfresh.names import MAX_STEM_BYTES, check_id, file_name, id_of
from tests.store.support import Kind, Store, Verb, contents, each_verb, files_of, filled, scaled, write_json

NASTY = (
    *(".", "..", "...", ".hidden", "../up", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "C:\\x", "~", "~root"),
    *("a b", " ", "\n", "\t", "a\r\nb", "-", "--help", "_", "%", "%41", "%2E", "%sha256-0", "%%", "*", "?", "[a]"),
    *("con", "CON", "nul", "NUL.json", "com1", "LPT9", "aux", "prn", "a.", "a ", "a.json", "a.lock", "a.json.lock"),
    *("a.json.tmp", "A", "a", "ß", "SS", "İ", "\u0131", "é", "e\u0301", "Å", "\u212b", "\ufb01", "fi"),
    *("\u200b", "\ufeff", "日本語", "🎈", "\U0010ffff", "\x01", "\x7f", "$(id)", "`id`", "a;b", "a|b", "a&b", '"'),
    *("'", "a:b", "<>", "a" * 245, "a" * 246, "a" * 5000, "é" * 40, "é" * 41, "é" * 500, "/" * 82, "." * 1000),
    *("123", "0", "-1", "None", "null", "true", "x_y", "x-y", "x.y"),
)

RESERVED = WindowsDisk.reserved_names
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=80)
# Characters that encodings trip over, so that random pairs come close to each other.
close_ids = st.text(st.sampled_from("aA%40-_./\\ éE\u0301~"), min_size=1, max_size=6)


def test_every_id_is_a_session_of_its_own(store: Store, directory: Path) -> None:
    """Nasty ids side by side: each reads back what was written to it, and the list gives back each id."""
    assert len(set(NASTY)) == len(NASTY)
    store.durability = files_of(store).durability = "process"
    for session_id in NASTY:
        store.add_user_message(session_id, session_id)
    for session_id in NASTY:
        assert store.get_chat_history(session_id) == [{"role": "user", "content": session_id}]
        assert store.session_exists(session_id)
    listed = store.list_sessions(None)
    assert {one["session_id"] for one in listed} == set(NASTY)
    assert {one["status"] for one in listed} == {"ok"}
    assert sorted(path.name for path in directory.parent.iterdir()) == [directory.name]
    assert all(path.parent == directory for path in directory.rglob("*"))
    for session_id in NASTY:
        assert store.delete_session(session_id)
    assert store.list_sessions() == []


@pytest.mark.parametrize("reserved", [frozenset(), RESERVED], ids=["posix", "windows"])
def test_names_of_nasty_ids_differ_and_are_plain_ascii(reserved: frozenset[str]) -> None:
    """A name is made of ASCII letters, digits and ``%-_``, so no normal form or code page changes it."""
    names = {file_name(session_id, reserved) for session_id in NASTY}
    assert len(names) == len(NASTY)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_%-]+\.json", name)
        assert unicodedata.normalize("NFD", name) == name
        assert len(name.encode()) <= 250
        assert name.removesuffix(".json").lower() not in reserved


@pytest.mark.parametrize("session_id", ["a", "Trip-2026_05", "-", "_", "0" * 245])
def test_plain_ids_are_their_own_names(session_id: str) -> None:
    """An id of ASCII letters, digits, ``-`` and ``_`` has PraisonAI's file name."""
    assert file_name(session_id) == f"{session_id}.json"


def test_long_ids_are_told_apart_by_a_digest(store: Store, directory: Path) -> None:
    """An id too long for a file name becomes a digest; the id stands in the file, and no other id has that name."""
    first, second = "x" * MAX_STEM_BYTES, "x" * (MAX_STEM_BYTES + 1)
    assert file_name(first) == f"{first}.json"
    assert file_name(second).startswith("%sha256-")
    store.add_user_message(second, "long")
    (path,) = directory.glob("*.json")
    assert json.loads(path.read_bytes())["session_id"] == second
    assert id_of(path.name) is None
    assert store.list_sessions()[0]["session_id"] == second
    assert not store.session_exists(path.name.removesuffix(".json"))
    path.write_bytes(path.read_bytes().replace(b"xx", b"xy", 1))
    with pytest.raises(SessionMismatch):
        store.get_session(second)


@settings(max_examples=scaled(500, 20_000))
@given(st.one_of(ids, close_ids), st.one_of(ids, close_ids), st.sampled_from([frozenset(), RESERVED]))
def test_two_ids_never_share_a_name(one: str, other: str, reserved: frozenset[str]) -> None:
    """Names are equal exactly when the ids are, and a name gives its id back."""
    names = file_name(one, reserved), file_name(other, reserved)
    assert (names[0] == names[1]) == (one == other)
    for session_id, name in zip((one, other), names, strict=True):
        assert "/" not in name
        assert not name.startswith(".")
        assert id_of(name, reserved) in (session_id, None)
        assert (id_of(name, reserved) is None) == name.startswith("%sha256-")


@settings(max_examples=scaled(500, 20_000))
@given(st.one_of(st.text("aA%40cCeE3-_.é", max_size=12).map(lambda stem: stem + ".json"), st.text(max_size=9)))
def test_a_name_tells_the_id_that_it_is_the_name_of(name: str) -> None:
    """Whatever file stands in a directory, an id is read from its name only where that id's file has this name."""
    session_id = id_of(name)
    if session_id is not None:
        assert file_name(check_id(session_id)) == name


def test_names_that_only_look_encoded_are_foreign(store: Store, directory: Path) -> None:
    """``%41.json`` is not the file of the session "A": it is shown under its own name, damaged or foreign."""
    write_json(directory, "%41", {"session_id": "A"})
    (directory / "%42.json").touch()
    listed = {one["file"]: (one["session_id"], one["status"]) for one in store.list_sessions()}
    assert listed == {"%41.json": ("A", "foreign"), "%42.json": ("%42.json", "damaged")}
    assert not store.session_exists("A")


def test_names_that_are_no_text_hide_no_other(store: Store, directory: Path) -> None:
    """A file whose name is no UTF-8 is listed, also when the system refuses to read it."""

    class Refusing(Disk):
        def read(self, path: str, max_bytes: int) -> bytes | None:
            """Refuse the odd ones."""
            if "\udcff" in path:
                raise PermissionError(13, "Permission denied", path)
            return super().read(path, max_bytes)

    store.add_user_message("trip", "Porto")
    odd = os.fsencode(directory) + b"/\xff.json"
    with open(odd, "wb") as file:
        file.write(b"{}")
    statuses = [[one["status"] for one in store.list_sessions()]]
    files_of(store).disk = Refusing()
    statuses.append([one["status"] for one in store.list_sessions()])
    assert statuses == [["ok", "damaged"], ["ok", "unreadable"]]


# Another id in the file


@pytest.mark.parametrize(("kind", "verb"), each_verb(per_session=True))
def test_a_file_of_another_id_is_never_taken_for_this_one(kind: Kind, verb: Verb, directory: Path) -> None:
    """Every verb refuses a file that stands in the session's place and holds another; the bytes stay."""
    filled(kind, directory)
    data = json.loads((directory / "trip.json").read_bytes())
    write_json(directory, "a_b", {**data, "session_id": "a/b"})
    before = contents(directory)
    with pytest.raises(SessionMismatch, match="a/b") as caught:
        verb.call(kind(directory), "a_b")
    assert caught.value.session_id == "a_b"
    assert caught.value.path == str(directory / "a_b.json")
    assert contents(directory) == before


class FoldingDisk(Disk):
    """A disk that takes ``A`` and ``a`` for the same name, as those of macOS and Windows do."""

    def _found(self, path: str) -> str:
        directory, wanted = os.path.split(path)
        for name in super().names(directory):
            if name.lower() == wanted.lower():
                return os.path.join(directory, name)
        return path

    def lock(self, path: str, timeout_seconds: float) -> Any:
        """Lock the file that stands under any case of the name."""
        return super().lock(self._found(path), timeout_seconds)

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read."""
        return super().read(self._found(path), max_bytes)

    def exists(self, path: str) -> bool:
        """Look."""
        return super().exists(self._found(path))

    def create(self, path: str) -> int:
        """Create."""
        return super().create(self._found(path))

    def replace(self, source: str, target: str) -> None:
        """Rename; the name that stands there stays."""
        super().replace(self._found(source), self._found(target))

    def unlink(self, path: str) -> None:
        """Delete."""
        super().unlink(self._found(path))


@pytest.mark.parametrize(("kind", "verb"), each_verb(per_session=True))
def test_ids_that_meet_on_a_disk_that_folds_case_are_told_apart(kind: Kind, verb: Verb, directory: Path) -> None:
    """On such a disk the second of two ids raises `SessionMismatch`, and the first is untouched."""
    filled(kind, directory, "Trip")
    before = contents(directory)
    store = kind(directory, disk=FoldingDisk())
    with pytest.raises(SessionMismatch, match="'Trip'"):
        verb.call(store, "trip")
    assert contents(directory) == before
    store.add_user_message("Trip", "more")
    assert len(store.get_chat_history("Trip")) == 3


# PraisonAI's names


@pytest.mark.parametrize("session_id", ["a/b", "a b", "user@example.org", "a.b", "日本"])
def test_names_of_praisonai_that_fold_ids_are_foreign(store: Store, directory: Path, session_id: str) -> None:
    """PraisonAI puts ``a/b`` and ``a_b`` into one file; its file is listed as foreign and stands in nobody's place."""
    folded = "".join(c if c.isalnum() or c in "-_" else "_" for c in session_id)
    write_json(directory, folded, {"session_id": session_id, "messages": [{"role": "user", "content": "hi"}]})
    (listed,) = store.list_sessions()
    assert (listed["session_id"], listed["status"]) == (session_id, "foreign")
    assert not store.session_exists(session_id)
    if folded.isascii():
        with pytest.raises((SessionMismatch, SessionDamaged)):
            store.get_session(folded)
    store.add_user_message(session_id, "ours")
    assert [one["content"] for one in store.get_chat_history(session_id)] == ["ours"]
    assert {one["status"] for one in store.list_sessions()} == {"foreign", "ok"}


def test_foreign_file_is_imported(directory: Path) -> None:
    """A foreign file's content can be imported under an id of choice."""
    from readfresh import HierarchicalSessionStore

    path = write_json(directory, "a_b", {"session_id": "a/b", "messages": [{"role": "user", "content": "hi"}]})
    store = HierarchicalSessionStore(directory)
    assert store.import_session(json.loads(path.read_bytes()), "a/b") == "a/b"
    assert store.get_chat_history("a/b") == [{"role": "user", "content": "hi"}]
    assert isinstance(store, DefaultSessionStore)
