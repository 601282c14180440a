"""Two sessions with different ids never share data, and no id reaches outside the session directory.

The tests use ids that file systems mix up, or take for a path, and look at what stands in the directory and around it.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import DefaultSessionStore, HierarchicalSessionStore, SessionMismatch, verify
from readfresh.disk import Disk
from readfresh.disk_windows import WindowsDisk
from readfresh.names import MAX_STEM_BYTES, SUFFIX, file_name, id_of
from tests.guarantees.conftest import StoreType
from tests.guarantees.content import KINDS, Kind, foreign_session, listing, make, mixed, write_file

LONG = "x" * 300
LONG_NAME = file_name(LONG).removesuffix(SUFFIX)

# Each is mixed up with another one by some store, some file system, or some way to quote.
IDS = [
    "a_b", "a/b", "a b", "a.b", "a:b", "a%2Fb", "a%2fb", "a%252Fb", "a\\b", "a+b", "a\nb",
    ".", "..", "../a", "../../a", "./a", "a/", "a/..", "~", "~/a", "$HOME", "-rf", "--", "*", "?", "|", '"', "'", "`",
    ".hidden", ".json", "a", "a.json", "a.json.lock", "a.json.tmp", "a%2Ejson",
    "é", "e\u0301", "É", "ß", "ss", "\u017f", "\u0131", "日本", "☕", "a\u200bb", " a", "a ", "\u202ea",
    "CON", "con", "nul.txt", "COM1", "Trip", "trip", "TRIP",
    LONG, LONG + "y", LONG.upper(), LONG_NAME, "%", "%%", "%sha256-", "a/" * 150,
]  # fmt: skip

BAD_IDS = [
    ("", ValueError),
    ("a\0b", ValueError),
    ("a\ud800", ValueError),
    (None, TypeError),
    (7, TypeError),
    (b"a", TypeError),
    (Path("a"), TypeError),
]


class CaseInsensitiveDisk(Disk):
    """A disk on which ``Trip.json`` and ``trip.json`` are one file, as on macOS and Windows."""

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """Read whichever case the name was written in."""
        return super().read(self._folded(path), max_bytes)

    def exists(self, path: str) -> bool:
        """Look for the name in any case."""
        return super().exists(self._folded(path))

    def replace(self, source: str, target: str) -> None:
        """Take the place of the name in any case."""
        super().replace(source, self._folded(target))

    def unlink(self, path: str) -> None:
        """Delete the name in any case."""
        super().unlink(self._folded(path))

    def _folded(self, path: str) -> str:
        folder, name = os.path.split(path)
        standing = {found.lower(): found for found in os.listdir(folder)} if os.path.isdir(folder) else {}
        return os.path.join(folder, standing.get(name.lower(), name))


@mixed
def test_each_id_has_a_session_of_its_own(one: Kind, other: Kind, tmp_path: Path) -> None:
    """Whatever one store writes under many ids, the other reads under the same ids and no others.

    Kills: ids folded onto one name as PraisonAI does (``a/b`` and ``a_b``); case or Unicode folded; long ids cut.
    """
    folder = tmp_path / "in" / "here" / "sessions"
    writer, reader = make(one, folder), make(other, folder)
    for number, session_id in enumerate(IDS):
        assert not reader.session_exists(session_id)
        writer.add_user_message(session_id, f"message {number}")
        writer.update_session_metadata(session_id, number=number)
    for number, session_id in enumerate(IDS):
        session = reader.get_session(session_id)
        assert [message.content for message in session.messages] == [f"message {number}"]
        assert (session.session_id, session.metadata) == (session_id, {"number": number})
    assert sorted(entry["session_id"] for entry in reader.list_sessions(limit=None)) == sorted(IDS)
    assert all(entry["status"] == "ok" for entry in reader.list_sessions(limit=None))
    assert verify(reader) == ()
    for session_id in IDS[::2]:
        assert reader.delete_session(session_id)
    assert sorted(entry["session_id"] for entry in writer.list_sessions(limit=None)) == sorted(IDS[1::2])


def test_no_id_reaches_outside(store_type: StoreType, tmp_path: Path) -> None:
    """Every file that any id makes stands in the session directory itself; what stands around it keeps its bytes.

    Kills: ids used as paths; a name that begins with a dot or a dash.
    """
    folder = tmp_path / "in" / "here" / "sessions"
    folder.mkdir(parents=True)
    around = [tmp_path / "a.json", tmp_path / "in" / "a.json", folder.parent / "a.json", tmp_path / "absolute.json"]
    for path in around:
        path.write_text('{"session_id": "a", "messages": []}')
    store = make(store_type, folder)
    for session_id in [*IDS, str(tmp_path / "absolute"), "../../../in/here/a", "x/../../a"]:
        store.add_user_message(session_id, "Hello")
        store.delete_session(session_id)
        store.add_user_message(session_id, "Hello again")
    assert all(path.read_text() == '{"session_id": "a", "messages": []}' for path in around)
    assert {path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder} == set(around)
    names = {path.name for path in folder.iterdir()}
    assert all(path.is_file() for path in folder.iterdir())
    assert not [name for name in names if name.startswith(".") or not name.endswith((".json", ".json.lock"))]
    assert all(len(name.encode()) <= 255 for name in names)


def test_plain_ids_keep_plain_names(store_type: StoreType, folder: Path) -> None:
    """An id of ASCII letters, digits, ``-`` and ``_`` is its own file name, as in PraisonAI.

    Kills: an encoding that hides PraisonAI's sessions from us, or ours from it.
    """
    store = make(store_type, folder)
    for session_id in ("trip", "Trip-2_b", "0", "-", "_", "x" * MAX_STEM_BYTES):
        store.add_user_message(session_id, "Hello")
        assert (folder / f"{session_id}.json").is_file()


def test_names_that_windows_gives_to_devices_are_encoded() -> None:
    """Kills: ``con.json`` opened as the console."""
    for session_id in ("con", "CON", "nul", "com1", "LPT9"):
        name = file_name(session_id, WindowsDisk.reserved_names)
        assert name.startswith("%")
        assert id_of(name, WindowsDisk.reserved_names) == session_id


VERBS: list[Callable[[Any, str], object]] = [
    lambda store, session_id: store.get_session(session_id),
    lambda store, session_id: store.get_chat_history(session_id),
    lambda store, session_id: store.add_user_message(session_id, "Hello"),
    lambda store, session_id: store.set_chat_history(session_id, []),
    lambda store, session_id: store.update_session_metadata(session_id, mood="calm"),
    lambda store, session_id: store.set_agent_info(session_id, agent_name="guide"),
    lambda store, session_id: store.clear_session(session_id),
    lambda store, session_id: store.update(session_id, lambda session: session),
    lambda store, session_id: store.session_exists(session_id),
    lambda store, session_id: store.delete_session(session_id),
]
HIERARCHICAL_VERBS: list[Callable[[Any, str], object]] = [
    lambda store, session_id: store.create_session(session_id),
    lambda store, session_id: store.create_session("day-1", parent_id=session_id),
    lambda store, session_id: store.fork_session(session_id),
    lambda store, session_id: store.create_snapshot(session_id),
    lambda store, session_id: store.export_session(session_id),
    lambda store, session_id: store.import_session({"messages": []}, session_id),
]


def verbs_of(kind: StoreType) -> list[Callable[[Any, str], object]]:
    """Return the verbs that the store has."""
    return VERBS + HIERARCHICAL_VERBS if kind is HierarchicalSessionStore else VERBS


def test_ids_that_meet_on_a_disk_are_told_apart(store_type: StoreType, folder: Path) -> None:
    """Where the disk takes two names for one, each verb raises `SessionMismatch`, deleting too, and nothing is changed.

    Kills: the id in the file not compared with the one that was asked for.
    """
    store = make(store_type, folder, disk=CaseInsensitiveDisk())
    store.add_user_message("Trip", "I am Trip.")
    before = listing(folder)
    for call in verbs_of(store_type):
        with pytest.raises(SessionMismatch, match="'Trip'") as raised:
            call(store, "trip")
        assert raised.value.session_id == "trip"
        assert listing(folder) == before
    assert store.get_chat_history("Trip") == [{"role": "user", "content": "I am Trip."}]


def test_a_foreign_file_is_nobodys(store_type: StoreType, folder: Path) -> None:
    """PraisonAI's ``a/b`` in ``a_b.json`` is neither ``a_b`` nor ``a/b``: it is listed as foreign, and stays.

    Kills: a session of one user shown to another one; a foreign file taken over by the first write.
    """
    write_file(folder, foreign_session("a/b"), "a_b.json")
    before = listing(folder)
    store = make(store_type, folder)
    for call in verbs_of(store_type):
        with pytest.raises(SessionMismatch, match="'a/b'"):
            call(store, "a_b")
    assert store.get_chat_history("a/b") == []
    assert [(entry["session_id"], entry["status"], entry["file"]) for entry in store.list_sessions()] == [
        ("a/b", "foreign", "a_b.json")
    ]
    assert store.list_sessions_by_agent("guide") == []
    assert store.get_by_gateway_session("gate-7") is None
    assert listing(folder) == before
    store.add_user_message("a/b", "Mine.")
    assert listing(folder).items() > before.items()
    assert store.get_chat_history("a/b") == [{"role": "user", "content": "Mine."}]


@pytest.mark.parametrize(("bad", "error"), BAD_IDS)
def test_what_is_no_id_is_refused(bad: Any, error: type[Exception], store_type: StoreType, folder: Path) -> None:
    """Each verb raises TypeError or ValueError that names the argument, and nothing is created.

    Kills: an id that is turned into text; NUL, at which the system cuts a name; a surrogate that no file name holds.
    """
    store = make(store_type, folder)
    verbs = verbs_of(store_type)[:-1] if bad is None else verbs_of(store_type)
    for call in verbs:
        if bad is None and call in HIERARCHICAL_VERBS[:2]:
            continue  # None asks for a new id there, or for no parent
        with pytest.raises(error, match=r"session_id|parent_id"):
            call(store, bad)
    assert not folder.exists()


def test_a_name_says_nothing_about_another_store(folder: Path) -> None:
    """Two directories do not share sessions of one id.

    Kills: state of a session kept in the process, by id alone.
    """
    stores = [make(kind, folder / kind.__name__) for kind in KINDS]
    for store, content in zip(stores, ("one", "two"), strict=True):
        store.add_user_message("trip", content)
    found = itertools.chain(*(store.get_chat_history("trip") for store in stores))
    assert [message["content"] for message in found] == ["one", "two"]


@settings(max_examples=300, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=120).filter(lambda text: "\0" not in text), min_size=2, max_size=4))
def test_names_are_apart_for_any_ids(ids: set[str]) -> None:
    """Two ids have two names; each name stays in its directory, fits a file system, and tells its id where it can.

    Kills: an encoding that leaves a character in that means something; one that cannot be read back.
    """
    for reserved in (frozenset[str](), WindowsDisk.reserved_names):
        names = {file_name(session_id, reserved): session_id for session_id in ids}
        assert len(names) == len(ids)
        for name, session_id in names.items():
            assert name.isascii()
            assert name == os.path.basename(name)
            assert not name.startswith(".")
            assert len(name + ".lock") <= 255
            assert id_of(name, reserved) == (None if name.startswith("%sha256-") else session_id)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(min_size=1).filter(lambda text: "\0" not in text), min_size=2, max_size=5, unique=True))
def test_any_ids_hold_their_own(ids: list[str]) -> None:
    """Kills: two ids that meet in a lock, a temporary file, or a session."""
    with tempfile.TemporaryDirectory() as name:
        store = make(DefaultSessionStore, Path(name))
        for session_id in [*ids, *reversed(ids)]:
            store.add_user_message(session_id, session_id)
        for session_id in ids:
            assert store.get_chat_history(session_id) == [{"role": "user", "content": session_id}] * 2
