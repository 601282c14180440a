"""A parent never lists a child that does not exist, a child that has been created or forked is listed by its parent
until it is deleted, and a deleted parent is not brought back by a child.

The tests let a rival act, the disk fail, and the process die before every verb of the disk while a child is made.
"""

from __future__ import annotations

import errno
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readfresh import (
    DefaultSessionStore,
    HierarchicalSessionStore,
    SessionDamaged,
    SessionExists,
    SessionNotFound,
    SessionStoreError,
    verify,
)
from tests.guarantees.content import KINDS, NOW, Kind, foreign_session, listing, make, read_file, write_file
from tests.guarantees.disks import TOLERATED, WatchedDisk

Making = Callable[[Any], str]

MAKINGS: dict[str, Making] = {
    "create_session": lambda tree: tree.create_session("child", parent_id="trip"),
    "fork_session": lambda tree: tree.fork_session("trip"),
}
every_making = pytest.mark.parametrize("making", MAKINGS.values(), ids=MAKINGS)
every_kind = pytest.mark.parametrize("kind", KINDS)


class Killed(BaseException):
    """The process is dead: nothing it would do after this happens."""


class Death:
    """A watch that kills the process before a verb: that verb and all after it do nothing any more."""

    def __init__(self, verbs_before: int) -> None:
        self.left = verbs_before
        self.died = False

    def __call__(self, _verb: str, _file: str) -> None:
        """Count, and die."""
        self.died = self.left == 0
        if self.died:
            raise Killed
        self.left -= 1


class FailAt:
    """A watch that lets one verb fail."""

    def __init__(self, verbs_before: int) -> None:
        self.left = verbs_before
        self.verb = ""

    def __call__(self, verb: str, _file: str) -> None:
        """Count, and fail."""
        self.left -= 1
        if self.left == -1:
            self.verb = verb
            raise OSError(errno.EIO, "Input/output error")


class Nth:
    """A watch that does something else before the n-th time of a verb, counted from 0."""

    def __init__(self, verb: str, number: int, action: Callable[[], object]) -> None:
        self.verb = verb
        self.left = number + 1
        self.action = action
        self.happened = False

    def __call__(self, verb: str, _file: str) -> None:
        """Count, and act."""
        self.left -= verb == self.verb
        if self.left == 0 and not self.happened:
            self.happened = True
            self.action()


def planted(folder: Path, **arguments: Any) -> Any:
    """Return a store on a directory that holds the session ``trip`` with a message."""
    tree = make(HierarchicalSessionStore, folder, **arguments)
    make(HierarchicalSessionStore, folder).create_session("trip")
    make(HierarchicalSessionStore, folder).add_user_message("trip", "Where to?")
    return tree


def recorded(folder: Path) -> list[str]:
    """Return the children that stand in the parent's file."""
    children: list[str] = read_file(folder / "trip.json")["children_ids"]
    return children


@every_making
def test_at_no_moment_is_a_child_listed_that_does_not_exist(making: Making, folder: Path) -> None:
    """Before each verb of the disk, whatever the parent's file lists has a file; one lock is held at a time.

    Kills: the parent written before the child; two locks at once, which two workers can take in opposite orders.
    """
    steps: list[str] = []

    def look(verb: str, file: str) -> None:
        steps.append(f"{verb} {file}")
        assert all((folder / f"{child}.json").is_file() for child in recorded(folder))

    child = making(planted(folder, disk=WatchedDisk(look), durability="power"))
    assert recorded(folder) == [child]
    locks = [step for step in steps if step.startswith(("lock ", "unlock "))]
    assert [f"un{lock}" for lock in locks[::2]] == locks[1::2]
    order = [step for step in steps if step.startswith("replace ")]
    assert order == [f"replace {child}.json", "replace trip.json"]


@every_making
def test_a_child_is_listed_when_its_creation_has_returned(making: Making, folder: Path) -> None:
    """Every other store object lists it at once, whoever asks.

    Kills: a child that is listed by the store that made it alone.
    """
    tree = planted(folder)
    other = make(HierarchicalSessionStore, folder)
    assert other.get_children("trip") == []
    child = making(tree)
    assert other.get_children("trip") == [child]
    assert other.get_parent(child) == "trip"
    assert [node["session_id"] for node in other.get_session_tree("trip")["children"]] == [child]
    assert verify(other) == ()


@every_kind
@every_making
def test_a_deleted_child_is_not_listed(making: Making, kind: Kind, folder: Path) -> None:
    """A child that any store has deleted is in no answer; a new session of its id is nobody's child.

    Kills: answers that are the record, without asking whether the children exist.
    """
    tree = planted(folder)
    child = making(tree)
    other = tree.create_session("other", parent_id="trip")
    assert make(kind, folder).delete_session(child)
    assert tree.get_children("trip") == [other]
    assert [node["session_id"] for node in tree.get_session_tree("trip")["children"]] == [other]
    make(kind, folder).add_user_message(child, "I am new.")
    assert tree.get_children("trip") == [other]
    assert tree.get_parent(child) is None


@every_kind
def test_a_deleted_parent_leaves_its_children(kind: Kind, folder: Path) -> None:
    """They keep `parent_id` as a record of origin, have no parent, and no write of theirs brings it back.

    Kills: children deleted with their parent; a parent that is created by being looked up.
    """
    tree = planted(folder)
    child = tree.create_session("child", parent_id="trip")
    grandchild = tree.fork_session(child)
    assert make(kind, folder).delete_session("trip")
    tree.add_user_message(child, "Go on.")
    tree.fork_session(child)
    make(kind, folder).update_session_metadata(child, mood="calm")
    assert tree.get_parent(child) is None
    assert tree.get_session(child).parent_id == "trip"
    assert tree.get_parent(grandchild) == child
    assert tree.get_children("trip") == []
    assert not tree.session_exists("trip")
    later = make(HierarchicalSessionStore, folder, now=lambda: NOW + 1)
    later.create_session("trip")
    assert later.get_children("trip") == []
    assert later.get_parent(child) is None
    assert verify(later) == ()


@every_making
def test_two_children_at_once_are_both_listed(making: Making, folder: Path) -> None:
    """A rival forks between the two writes of a creation: the parent lists both children.

    Kills: a parent that is written as it was when the creation began.
    """
    rival = make(HierarchicalSessionStore, folder, new_id=lambda: "rival")
    child = making(planted(folder, disk=WatchedDisk(Nth("lock", 1, lambda: rival.fork_session("trip")))))
    assert rival.get_children("trip") == ["rival", child]


@every_kind
@every_making
def test_a_parent_that_is_deleted_meanwhile_stays_deleted(making: Making, kind: Kind, folder: Path) -> None:
    """The parent is deleted between the child's writing and its own: it is not brought back, and the child stays.

    Kills: a deleted parent brought back, with its id and one child alone, by the second write of a creation.
    """
    rival = make(kind, folder)
    interruption = Nth("lock", 1, lambda: rival.delete_session("trip"))
    child = making(planted(folder, disk=WatchedDisk(interruption)))
    assert interruption.happened
    assert not rival.session_exists("trip")
    tree = make(HierarchicalSessionStore, folder)
    assert tree.session_exists(child)
    assert tree.get_session(child).parent_id == "trip"
    assert tree.get_parent(child) is None
    assert tree.add_user_message(child, "Go on.")
    assert not rival.session_exists("trip")
    assert verify(tree) == ()


@every_making
def test_a_disk_that_fails_leaves_a_sound_tree(making: Making, tmp_path: Path) -> None:
    """Whatever verb fails, an error that says "nothing was written" means that there is no child, listed or not.

    Kills: a child that is left behind when its parent cannot list it.
    """
    for verbs_before in itertools.count():
        place = tmp_path / str(verbs_before)
        failing = FailAt(verbs_before)
        tree = planted(place, disk=WatchedDisk(failing), durability="power")
        before = listing(place)
        try:
            making(tree)
        except SessionStoreError as error:
            written = error.written
        else:
            if failing.verb not in TOLERATED:
                break
            continue
        if written == "nothing":
            assert listing(place) == before, failing.verb
        else:
            assert failing.verb in ("sync_directory", "unlock")
        other = make(HierarchicalSessionStore, place)
        assert all(other.session_exists(child) for child in recorded(place))
    assert verbs_before > 10


@every_making
def test_a_process_that_dies_leaves_a_sound_tree(making: Making, tmp_path: Path) -> None:
    """Wherever it dies, the parent lists no child that is missing; an unlisted child is reported, and can be deleted.

    Kills: a record of the child that comes before it; a remainder that nobody reports.
    """
    seen: set[str] = set()
    for verbs_before in itertools.count():
        place = tmp_path / str(verbs_before)
        death = Death(verbs_before)
        tree = planted(place, disk=WatchedDisk(death), durability="power")
        child = "child" if making is MAKINGS["create_session"] else "new-1"
        try:
            making(tree)
        except Killed:
            returned = False
        else:
            returned = True
        other = make(HierarchicalSessionStore, place)
        exists, listed = other.session_exists(child), recorded(place)
        assert listed in ([], [child])
        assert exists or not listed
        assert other.get_children("trip") == listed
        assert other.get_parent(child) == ("trip" if listed else None)
        findings = [(finding.session_id, finding.kind) for finding in verify(other)]
        litter = (place / f"{child}.json.tmp").exists()
        assert not (exists and litter)
        unlisted = exists and not listed
        assert findings == ([(child, "litter")] if litter else [(child, "unlisted-child")] if unlisted else [])
        seen.add(f"{exists} {bool(listed)}")
        if returned:
            assert listed == [child]
            break
        if findings:
            assert other.delete_session(child) == exists
            assert verify(other) == ()
        assert other.add_user_message("trip", "Go on.")
    assert seen == {"False False", "True False", "True True"}


@every_making
def test_a_parent_that_is_made_anew_meanwhile_is_another(making: Making, folder: Path) -> None:
    """A new session that took the parent's id has no children that it never made.

    Kills: a child that is entered in whatever has the parent's id by then.
    """
    later = make(HierarchicalSessionStore, folder, now=lambda: 2_000_000_000.0)

    def anew() -> None:
        later.delete_session("trip")
        later.create_session("trip")

    child = making(planted(folder, disk=WatchedDisk(Nth("lock", 1, anew))))
    assert later.get_children("trip") == []
    assert later.get_parent(child) is None


@every_kind
def test_other_verbs_leave_the_children(kind: Kind, folder: Path) -> None:
    """Kills: a plain store that wipes the children of a session that it changes."""
    tree = planted(folder)
    children = [making(tree) for making in MAKINGS.values()]
    store = make(kind, folder)
    for session_id in ("trip", *children):
        store.add_user_message(session_id, "More.")
        store.clear_session(session_id)
        store.set_chat_history(session_id, [])
        store.update_session_metadata(session_id, mood="calm")
    assert tree.get_children("trip") == children


WRONG: list[tuple[str, Callable[[Any], object], type[Exception]]] = [
    ("a child of nothing", lambda tree: tree.create_session("child", parent_id="gone"), SessionNotFound),
    ("a fork of nothing", lambda tree: tree.fork_session("gone"), SessionNotFound),
    ("a child of itself", lambda tree: tree.create_session("child", parent_id="child"), ValueError),
    ("a child whose id is taken", lambda tree: tree.create_session("other", parent_id="trip"), SessionExists),
    ("a parent of its parent", lambda tree: tree.create_session("trip", parent_id="trip-child"), SessionNotFound),
    ("a fork from too far", lambda tree: tree.fork_session("trip", 1), ValueError),
    ("a fork from below zero", lambda tree: tree.fork_session("trip", -1), ValueError),
    ("a child of damage", lambda tree: tree.create_session("child", parent_id="damaged"), SessionDamaged),
]


@pytest.mark.parametrize(("call", "error"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_cannot_be_in_a_tree_is_refused(
    call: Callable[[Any], object], error: type[Exception], folder: Path
) -> None:
    """The error is raised before anything is written; no cycle can be made.

    Kills: a child that is written first and found to have no parent later.
    """
    tree = planted(folder)
    tree.create_session("other")
    (folder / "damaged.json").write_text("{")
    before = listing(folder)
    with pytest.raises(error):
        call(tree)
    assert listing(folder) == before


def test_an_import_brings_no_relatives(folder: Path) -> None:
    """Kills: a copy that lists the children of the original, or is listed nowhere and has a parent."""
    tree = planted(folder)
    tree.create_session("child", parent_id="trip")
    tree.import_session(tree.export_session("trip"), "copy")
    tree.import_session(tree.export_session("child"), "child-copy")
    assert tree.get_children("copy") == []
    assert tree.get_parent("child-copy") is None
    assert tree.get_children("trip") == ["child"]
    assert verify(tree) == ()


def test_a_cycle_in_foreign_files_ends(folder: Path) -> None:
    """Files that another program wrote in a circle make a tree that ends.

    Kills: a walk without an end.
    """
    for session_id, parent_id in (("a", "c"), ("b", "a"), ("c", "b")):
        child = {"a": "b", "b": "c", "c": "a"}[session_id]
        write_file(folder, {**foreign_session(session_id), "parent_id": parent_id, "children_ids": [child]})
    tree = make(HierarchicalSessionStore, folder)
    found = tree.get_session_tree("a")
    assert [found["session_id"], found["children"][0]["session_id"]] == ["a", "b"]
    assert found["children"][0]["children"][0]["children"] == []


ACTIONS = ("create", "child", "fork", "delete", "delete-plain", "write-plain", "recreate")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9)), min_size=3, max_size=14))
def test_any_order_of_verbs_against_a_model(actions: list[tuple[str, int]]) -> None:
    """After any verbs, each session lists the children that were made of it and not deleted, and no others.

    Kills: whatever of the above happens in an order that nobody has thought of.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ticks = itertools.count(1)
        tree = make(HierarchicalSessionStore, folder, now=lambda: float(next(ticks)))
        plain = make(DefaultSessionStore, folder, now=lambda: float(next(ticks)))
        children: dict[str, list[str]] = {}
        deleted: list[str] = []
        for number, (action, which) in enumerate(actions):
            standing = sorted(children)
            if action == "create" or not standing:
                children[tree.create_session(f"s{number}")] = []
                continue
            target = standing[which % len(standing)]
            if action == "recreate":
                if deleted:
                    again = deleted.pop(which % len(deleted))
                    children[tree.create_session(again)] = []
            elif action in ("child", "fork"):
                make_child = tree.fork_session if action == "fork" else _child_of(tree, f"s{number}")
                made = make_child(target)
                children[target].append(made)
                children[made] = []
            elif action == "write-plain":
                plain.add_user_message(target, "Hello")
            else:
                (plain if action == "delete-plain" else tree).delete_session(target)
                del children[target]
                for listed in children.values():
                    if target in listed:
                        listed.remove(target)
                deleted.append(target)
            for session_id, expected in children.items():
                assert tree.get_children(session_id) == expected
                assert all(tree.get_parent(child) == session_id for child in expected)
            assert not any(tree.session_exists(gone) for gone in deleted)
        assert verify(tree) == ()


def _child_of(tree: Any, session_id: str) -> Making:
    return lambda parent_id: str(tree.create_session(session_id, parent_id=parent_id))
