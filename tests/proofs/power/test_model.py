"""The model keeps its rules, and the record holds all that is done."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.proofs.power.model import ORDERS, ROOT, Model, Operation, Order, Tree
from tests.proofs.power.programs import ONE_OF_EACH_CLASS, SESSIONS, each_verb, store_of
from tests.proofs.power.recorded import PastTheRecord, Recorder, tree_of
from tests.proofs.power.simulated import SimulatedDisk
from tests.proofs.power.trial import records

A, B = f"{ROOT}/a", f"{ROOT}/b"
NEW = [Operation("create", A, file=7), Operation("write", A, file=7, data=b"12345678")]
OLD: Tree = {ROOT: None, A: b"old"}


def left(
    operations: Iterable[Operation], order: Order = "weak", tree: Tree = MappingProxyType({ROOT: None})
) -> list[dict[str, bytes | None]]:
    """Return the disks that may be left, each as what it holds beside the directory that is always there."""
    model = Model(tree)
    for operation in operations:
        model.do(operation)
    trees = [dict(each.tree) for each in model.after_a_cut(order)]
    for each in trees:
        assert each.pop(ROOT) is None
    return trees


def test_what_was_not_flushed_is_absent_torn_short_zeroed_or_whole() -> None:
    """Bytes that were written since the last flush may be on the disk in each way that is listed, and in no other."""
    found = left([*NEW, Operation("flush names", ROOT)])
    assert [each[A] for each in found] == [
        b"",
        b"1",
        b"1234",
        b"1234567",
        b"12345678",
        b"1234\0\0\0\0",
        b"\0\0\0\x005678",
        bytes(8),
    ]


def test_what_was_flushed_stays() -> None:
    """A file whose bytes and name were flushed is there as it was then."""
    assert left([*NEW, Operation("flush", A, file=7), Operation("flush names", ROOT)]) == [{A: b"12345678"}]


def test_a_flush_of_a_file_flushes_no_name() -> None:
    """A flushed file whose directory was not flushed may be gone."""
    assert left([*NEW, Operation("flush", A, file=7)]) == [{A: b"12345678"}, {}]


def test_a_file_that_is_overwritten_may_be_old_or_new_or_a_mixture() -> None:
    """What was flushed is taken away by what is written over it, before that is on the disk."""
    over = [Operation("empty", A, file=0), Operation("write", A, file=0, data=b"new!")]
    assert {each[A] for each in left(over, tree=OLD)} == {
        *(b"old", b"", b"n", b"ne", b"new", b"new!"),
        *(b"ne\0\0", b"\0\0w!", bytes(4)),
    }


def test_names_persist_in_their_order_or_in_none() -> None:
    """Ordered: up to some change; weak: any of them. An order leaves no disk that no order would not leave too."""
    two = [Operation("create", A, file=7), Operation("create", B, file=8)]
    assert left(two, "ordered") == [{}, {A: b""}, {A: b"", B: b""}]
    assert sorted(left(two, "weak"), key=str) == sorted([{}, {A: b""}, {B: b""}, {A: b"", B: b""}], key=str)


def test_a_flush_in_one_directory_takes_with_it_what_was_done_before_in_another_when_names_are_ordered() -> None:
    """A journal has one order; without one a directory may be gone with all that was flushed in it."""
    inside = f"{A}/x"
    done = [Operation("make directory", A), Operation("create", inside, file=7), Operation("flush names", A)]
    assert left(done, "ordered") == [{A: None, inside: b""}]
    assert left(done, "weak") == [{A: None, inside: b""}, {}]


def test_a_rename_is_there_or_is_not() -> None:
    """After a rename that was not flushed the old file stands or the new one, and never none."""
    flushed = [*NEW, Operation("flush", A, file=7), Operation("flush names", ROOT)]
    renamed = [*flushed, Operation("rename", A, B, file=7)]
    for order in ORDERS:
        assert sorted(left(renamed, order), key=str) == [{A: b"12345678"}, {B: b"12345678"}]


def test_a_rename_into_another_directory_is_refused() -> None:
    """The model says nothing of what it does not know."""
    with pytest.raises(NotImplementedError):
        left([*NEW, Operation("make directory", B), Operation("rename", A, f"{B}/a", file=7)])


def test_all_subsets_of_the_changes_are_gone_through(memory_path: Path) -> None:
    """The names that are found are those that every subset of the unflushed changes leads to, counted one by one."""
    compared = 0
    for record in itertools.islice(records(each_verb(), memory_path, "process"), 40):
        model = Model(record.start)
        for operation in record.operations:
            model.do(operation)
            expected = set()
            for chosen in itertools.product((False, True), repeat=len(model._pending)):
                names: dict[str, int | None] = {**model._durable}
                for _, _, changed in itertools.compress(model._pending, chosen):
                    names |= changed
                expected.add(frozenset((path, file) for path, file in names.items() if file is not None))
            assert set(model._names_after_a_cut("weak", lambda _path: True)) == expected
            assert set(model._names_after_a_cut("ordered", lambda _path: True)) <= expected
            compared += len(expected)
    assert compared > 1000


def test_the_simulated_disk_leaves_what_the_record_of_the_real_one_leaves(memory_path: Path) -> None:
    """The same calls over the disk in memory and over the real one end at the same disks."""
    for record in records(each_verb(only=ONE_OF_EACH_CLASS), memory_path, "power"):
        if record.program.start == "died":  # its directory is made before the store is
            continue
        disk = SimulatedDisk(tree=record.start)
        store = store_of(record.program, SESSIONS, disk, "power")
        for call in record.program.calls:
            call.to(store)
        model = Model(record.start)
        for operation in record.operations:
            model.do(operation)
        of_the_record = {path: content for path, content in model.now().items() if not path.endswith(".lock")}
        assert {path: content for path, content in disk.tree().items() if not path.endswith(".lock")} == of_the_record


def test_what_is_done_past_the_record_is_seen(tmp_path: Path) -> None:
    """A record that does not lead to what stands in the folder is not trusted."""
    with pytest.raises(PastTheRecord, match=f"{ROOT}/past"), Recorder(tmp_path).recording():
        (tmp_path / "past").write_text("written by the interpreter itself, not through `os`")


def test_a_record_holds_what_was_done(tmp_path: Path) -> None:
    """Each call of the system that changes the folder is one operation; what fails, or is elsewhere, is none."""
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    folder.mkdir()
    recorder = Recorder(folder)
    with recorder.recording():
        elsewhere.mkdir()
        with pytest.raises(FileNotFoundError):
            os.unlink(folder / "nothing")
        descriptor = os.open(folder / "a", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"12")
        os.write(descriptor, b"3")
        os.fsync(descriptor)
        os.close(descriptor)
        os.replace(folder / "a", folder / "b")
        os.close(os.open(folder / "b", os.O_WRONLY | os.O_TRUNC))
        directory = os.open(folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        os.unlink(folder / "b")
    assert list(map(str, recorder.operations)) == [
        f"create {A}",
        f"write {A} (2 bytes)",
        f"write {A} (1 bytes)",
        f"flush {A}",
        f"rename {A} -> {B}",
        f"empty {B}",
        f"flush names {ROOT}",
        f"delete {B}",
    ]
    assert [operation.offset for operation in recorder.operations if operation.verb == "write"] == [0, 2]
    assert recorder.now() == tree_of(folder) == {ROOT: None}
