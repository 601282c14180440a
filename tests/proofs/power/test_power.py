"""What a loss of power leaves is what the stores promise, and where it is not, this rung says so."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from readfresh.disk import Disk
from readfresh.files import SessionFiles
from tests.full_grid import FULL_GRID
from tests.no_skips import lacking
from tests.proofs.figures import prove
from tests.proofs.power.model import parent
from tests.proofs.power.parts import PARTS, REAL, WEAKER, full, given_up
from tests.proofs.power.programs import ONE_OF_EACH_CLASS, SESSIONS, each_verb
from tests.proofs.power.real import PROGRAMS, refusal, start
from tests.proofs.power.settings import SETTINGS
from tests.proofs.power.table import rows, rows_of_the_real_disk
from tests.proofs.power.trial import records, try_all
from tests.proofs.rung import Part
from tests.sabotage.faults import all_faults
from tests.store.support import PATIENCE_SECONDS

FAULTS = (
    *(setting.fault for setting in SETTINGS if setting.fault),
    *("fsync-does-nothing", "directory-fsync-does-nothing", "written-behind", "changed-in-two-steps"),
)


@pytest.fixture
def folder_for_mounts(memory_path: Path) -> Path:
    """An empty folder, where the kernel grants loop mounts."""
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        pytest.skip(f"{', '.join(missing)} cannot be found: sudo apt install e2fsprogs mount util-linux")
    asked = memory_path / "asked"
    asked.mkdir()
    if refused := refusal(asked):
        lacking("loop mounts", refused)
    empty = memory_path / "empty"
    empty.mkdir()
    return empty


@pytest.mark.parametrize("part", [*PARTS, WEAKER] if FULL_GRID else PARTS, ids=lambda part: part.key)
def test_what_is_left_is_what_is_promised(part: Part, memory_path: Path, pytestconfig: pytest.Config) -> None:
    """Every disk that a loss of power may leave shows what the setting promises."""
    prove(part, memory_path, pytestconfig)


if FULL_GRID:  # takes as long as all of the simulated ones

    def test_a_real_disk_leaves_what_is_promised(folder_for_mounts: Path, pytestconfig: pytest.Config) -> None:
        """Real processes on a real ext4 lose nothing that has returned, and what it leaves the model knows."""
        prove(REAL, folder_for_mounts, pytestconfig)


def test_a_machine_that_is_killed_leaves_no_mount(folder_for_mounts: Path) -> None:
    """Whoever kills the machine with the real disk has cleaned up: no process, no mount, no loop device."""
    machine = start(folder_for_mounts)
    assert machine.stdout
    with machine.stdout:
        assert machine.stdout.readline()  # it is in the midst of its second experiment
        machine.kill()
        machine.wait()
        machine.stdout.read()  # its last process has ended
    waiting = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if not _backed_by(folder_for_mounts):
            break
        waiting.wait(0.01)
    assert _backed_by(folder_for_mounts) == []
    assert str(folder_for_mounts) not in Path("/proc/self/mounts").read_text()


def _backed_by(folder: Path) -> list[str]:
    loops = Path("/sys/block").glob("loop*/loop/backing_file")
    return [text for loop in loops if (text := _text_of(loop)).startswith(str(folder))]


def _text_of(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # let go of since it was listed
        return ""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str, memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that flushes too little, or writes in place, behind or in two steps, is found, with what it has done."""
    for owner in (Disk, SessionFiles):
        for name, value in vars(owner).items():
            if callable(value):
                monkeypatch.setattr(owner, name, value)  # what the fault assigns is taken back
    all_faults()[fault].apply()
    ran = full(memory_path)
    assert ran.finding
    assert 2 <= len(ran.finding.history) <= 30
    assert ran.finding.what.startswith(("durable: ", "all-or-nothing: "))


def test_a_finding_says_what_was_done_and_what_of_it_is_on_the_disk(
    memory_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader can follow it: the operations, what became of each, and what a store says to that."""
    monkeypatch.setattr(Disk, "fsync", lambda _disk, _descriptor: None)
    said = str(full(memory_path).finding).replace(f"{SESSIONS}/", "")
    assert said.splitlines()[:2] == [
        "all-or-nothing: DefaultSessionStore, power lost when in add_message 'trip': "
        "the session 'trip' is neither old nor new",
        "  from a session 'trip' with two messages, and in a tree a child",
    ]
    for line in (
        "  create trip.json.tmp",
        "  write trip.json.tmp (531 bytes) - none of its unflushed bytes",
        "  rename trip.json.tmp -> trip.json",
        "  the power is lost; names persist ordered",
        "  found: SessionDamaged: ",
    ):
        assert f"\n{line}" in said


def test_what_process_durability_gives_up_is_only_that(memory_path: Path) -> None:
    """What is lost and what is refused as damaged is given up; a session that nobody has changed is not."""
    tally, finding = try_all([next(each_verb())], memory_path, "process")
    assert finding is None
    assert tally.first.keys() == {"lost", "broken"}
    for cut in tally.first.values():
        assert given_up(cut)
        assert not given_up(type(cut)(**{**vars(cut), "touched": False}))
    assert not given_up(type(cut)(**{**vars(tally.first["broken"]), "found": "a mixture"}))


def test_verbs_whose_records_are_alike_are_one_class(memory_path: Path) -> None:
    """What a verb does to the session directory is what one that stands for a class does, from the same start.

    Sessions are told apart by when they are first touched, not by their names.
    """
    shapes: dict[tuple[str, str, str], set[tuple[tuple[str, str], ...]]] = {}
    for record in records(each_verb(), memory_path, "power"):
        numbers: dict[str, int] = {}
        shape = []
        for operation in record.operations:
            if operation.path == SESSIONS or parent(operation.path) == SESSIONS:
                session, _, rest = operation.path.removeprefix(SESSIONS).partition(".")
                shape.append((operation.verb, f"{numbers.setdefault(session, len(numbers))}.{rest}"))
        program = record.program
        shapes.setdefault((program.kind.__name__, program.start, program.calls[0].verb), set()).add(tuple(shape))
    for (kind, begin, verb), found in shapes.items():
        of_classes = {shape for name in ONE_OF_EACH_CLASS for shape in shapes.get((kind, begin, name), ())}
        assert found <= {*of_classes, ()}, f"{verb} of {kind}, {begin}, is like none of {ONE_OF_EACH_CLASS}: {found}"


def test_the_tables_show_every_setting() -> None:
    """A setting that loses nothing has a row as well, and what it was counted over."""
    for setting in SETTINGS:
        assert sum(f"| `{setting.name}` |" in row for row in rows()) == 1
    assert "0 of 3" in rows({"power: sessions kept, weak": 3})[2]
    assert rows_of_the_real_disk({"a: kept": 2, "a: lost": 1})[2:] == ["| a | 3 | 0 | 1 | 2 |"]
