"""Every fault is met as it is promised, and a store that meets one otherwise is found."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from readfresh import DefaultSessionStore, OutcomeUnknown, WriteFailed
from readfresh.disk import Disk
from readfresh.files import SessionFiles
from tests.full_grid import FULL_GRID
from tests.no_skips import lacking
from tests.proofs.faults import sweeps
from tests.proofs.faults.calls import Fault, SystemCalls
from tests.proofs.faults.parts import MOUNTING, PARTS
from tests.proofs.faults.real import mounts_refused
from tests.proofs.faults.scene import Scene, scenes
from tests.proofs.figures import prove
from tests.proofs.rung import Part, Ran

# Each system call of each verb is for `FULL_GRID=1`; the normal run has each operation of the seam, and calls for good.
QUICK = [part for part in PARTS if FULL_GRID or part.key != "faults-calls"]


@pytest.mark.parametrize("part", QUICK, ids=lambda part: part.key)
def test_a_fault_is_an_error_by_name(part: Part, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """The old state stands or the error says that nobody knows, and nothing is left open, locked or lying about."""
    if part.key in MOUNTING and (refusal := mounts_refused()):
        lacking("mounts", refusal)
    prove(part, tmp_path, pytestconfig)


# What the rung finds


def _ignored(name: str, error: type[BaseException] = OSError) -> Callable[[pytest.MonkeyPatch], None]:
    """Break a verb of the disk: it passes over what the system refuses."""

    def apply(monkeypatch: pytest.MonkeyPatch) -> None:
        whole = getattr(Disk, name)

        def careless(self: Disk, *arguments: Any) -> Any:
            try:
                return whole(self, *arguments)
            except error:
                return None

        monkeypatch.setattr(Disk, name, careless)

    return apply


def _written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_self: Disk, descriptor: int, data: bytes) -> None:
        os.write(descriptor, data)

    monkeypatch.setattr(Disk, "write", write)


def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Disk.read

    def read(self: Disk, path: str, max_bytes: int) -> bytes | None:
        if whole(self, path, max_bytes) is None:
            return None
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return os.read(descriptor, max_bytes)
        finally:
            os.close(descriptor)

    monkeypatch.setattr(Disk, "read", read)


def _no_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SessionFiles, "_remove_litter", lambda _self, _path: None)


def _closed_only_when_all_went_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def sync_directory(_self: Disk, directory: str) -> None:
        descriptor = os.open(directory, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)

    monkeypatch.setattr(Disk, "sync_directory", sync_directory)


def _failure_said_to_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readfresh.files.OutcomeUnknown", WriteFailed)


def _doubt_said_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readfresh.files.WriteFailed", OutcomeUnknown)


def _bare_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def still_stands(_self: Any) -> bool:
        raise AttributeError("st_ino")

    monkeypatch.setattr("readfresh.disk.HeldLock.still_stands", still_stands)


def _deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readfresh.store.SessionStore._report", lambda _self, _error: None)


def _kept_on_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SessionFiles._replace

    def replace(self: Any, session_id: str, data: bytes, *others: Any) -> None:
        try:
            whole(self, session_id, data, *others)
        except KeyboardInterrupt:
            Path(self._temporary(session_id)).write_bytes(data)
            raise

    monkeypatch.setattr(SessionFiles, "_replace", replace)


BROKEN: tuple[tuple[str, Callable[[pytest.MonkeyPatch], None], Callable[[Path], Ran], str], ...] = (
    ("a failed fsync passed over", _ignored("fsync"), sweeps.calls, "returns though a flush has failed"),
    ("a failed close passed over", _ignored("close", BaseException), sweeps.interrupts, "does not reach the caller"),
    ("written in one call", _written_once, sweeps.short, "it returns, and trip.json is not as it is without a fault"),
    ("read in one call", _read_once, sweeps.short, "it raises SessionDamaged, and nothing of that kind"),
    ("no clean-up", _no_clean_up, sweeps.seam, "it leaves trip.json.tmp"),
    ("closed when all went well", _closed_only_when_all_went_well, sweeps.calls, "a descriptor is left open"),
    ("doubt said to be none", _failure_said_to_be_known, sweeps.calls, "it says that nothing was written, and"),
    ("doubt said too early", _doubt_said_too_early, sweeps.calls, "unknown before the point of no return"),
    ("an error without a name", _bare_error, sweeps.seam, "With no fault at all a store raises AttributeError"),
    ("on_error not told", _deaf, sweeps.seam, "on_error is not told"),
    ("litter after an interrupt", _kept_on_an_interrupt, sweeps.entries, "it leaves trip.json.tmp"),
)


@pytest.mark.parametrize(
    ("apply", "run", "words"), [each[1:] for each in BROKEN], ids=[each[0].replace(" ", "-") for each in BROKEN]
)
def test_a_store_that_meets_a_fault_badly_is_found(
    apply: Callable[[pytest.MonkeyPatch], None],
    run: Callable[[Path], Ran],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The finding names the verb, the step and what is wrong, and its history shows the step that failed."""
    apply(monkeypatch)
    finding = run(tmp_path).finding
    assert finding is not None
    assert words in finding.what
    assert "With no fault" in finding.what or finding.history[-1].strip().startswith(("returned", "raised"))


# What the rung tries


def _scene(folder: Path, name: str) -> Scene:
    return next(scenes(folder, lambda kind, verb: verb.name == name and kind is DefaultSessionStore))


def test_the_system_calls_of_a_write_are_these(tmp_path: Path) -> None:
    """All that a change asks of the system about its folder is met: to lock, read, write, flush, rename, let go."""
    asked = sweeps.under(_scene(tmp_path, "add_message"), Fault(), "nothing").steps
    names = [name for name, _ in asked]
    for name in ("stat", "lstat", "open", "flock", "fstat", "read", "write", "fsync", "replace", "close"):
        assert name in names
    temporary = [name for name, file in asked if file == "trip.json.tmp"]
    assert temporary == ["lstat", "open", "write", "fsync", "close", "open", "fstat"]
    after = asked[names.index("replace") :]
    assert after == [
        ("replace", "trip.json"),
        *[(name, "sessions") for name in ("open", "fsync", "close")],
        *[(name, "trip.json.lock") for name in ("flock", "close")],
    ]


def test_what_concerns_other_folders_is_left_alone(tmp_path: Path) -> None:
    """Calls that touch nothing of the folder meet no fault and are not counted, and all is as it was afterwards."""
    (tmp_path / "inside").mkdir()
    real = os.open
    with SystemCalls(tmp_path / "inside", Fault()) as calls:
        (tmp_path / "other").write_text("x")
        descriptor = os.open(tmp_path / "other", os.O_RDONLY)
        assert os.read(descriptor, 1) == b"x"
        os.close(descriptor)
        assert calls.steps == []
        os.listdir(tmp_path / "inside")
    assert calls.steps == [("listdir", "inside")]
    assert os.open is real


def test_verbs_that_ask_for_the_same_share_the_faults(tmp_path: Path) -> None:
    """Each verb is in one class, and those of a class make the same calls, to their own files."""
    classes = list(sweeps.classes(tmp_path))
    names = [scene.name for alike in classes for scene in alike]
    assert len(names) == len(set(names))
    (writes,) = [alike for alike in classes if "plain add_message" in [scene.name for scene in alike]]
    assert {scene.verb.name for scene in writes} >= {"add_user_message", "set_agent_info", "update", "set_chat_history"}
    assert all(scene.verb.writes for scene in writes)


def test_a_fault_is_tried_at_each_step_until_there_is_none(tmp_path: Path) -> None:
    """The trial is asked for step after step, and the sweep ends with the first that met no fault."""
    tried: list[tuple[str, int]] = []

    def trial(scene: Scene, at: int) -> Any:
        tried.append((scene.name, at))
        return sweeps._refused((errno.EIO,), False, scene, at)

    ran = sweeps.sweep(tmp_path, [trial], "system calls", lambda _, verb: verb.name == "session_exists")
    assert ran.finding is None
    for name in ("plain session_exists", "hierarchical session_exists"):
        steps = [at for each, at in tried if each == name]
        assert steps == list(range(len(steps)))
    assert ran.counts == {"verbs": 2, "system calls": len(tried) - 2, "faults": len(tried) - 2}
