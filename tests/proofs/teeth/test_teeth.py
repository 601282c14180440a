"""Each fault is found by the kind of test that it takes; which other kinds find it too stands in a matrix."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.full_grid import FULL_GRID
from tests.proofs.rungs import PARTS
from tests.proofs.teeth.cell import Column, look
from tests.proofs.teeth.matrix import COLUMNS, record, recorded, shown, teeth
from tests.store.support import LONG

# Every fourth one in the run for people; `FULL_GRID=1`, which .ci/run sets, takes all.
NAMED = [(name, fault.found_by) for name, fault in teeth().items()][:: 1 if FULL_GRID else 4]
CELLS = [(name, column) for name in teeth() for column in COLUMNS]


@pytest.mark.parametrize(("fault", "part"), NAMED, ids=[f"{fault} by {part}" for fault, part in NAMED])
def test_a_fault_is_found_by_the_part_that_it_names(fault: str, part: str, memory_path: Path) -> None:
    """A rung that does not find what it is there for says nothing when it is green."""
    cell = look(fault, (part,), memory_path)
    assert cell.how == "found", cell


if LONG:

    @pytest.mark.parametrize(("fault", "column"), CELLS, ids=[f"{fault}-{column.name}" for fault, column in CELLS])
    def test_the_matrix_is_as_its_page_says(
        fault: str, column: Column, memory_path: Path, pytestconfig: pytest.Config
    ) -> None:
        """Each kind of test finds what it found when the page was written, and nothing else; luck apart."""
        cell = look(fault, column.parts, memory_path)
        assert cell.how in ("found", "not found"), cell
        if pytestconfig.getoption("--update-examples"):
            record(fault, column, cell)
        if not column.lucky:
            assert cell.how == recorded()[fault][column.name]["how"], cell


def test_without_a_fault_nothing_is_found(memory_path: Path) -> None:
    """What a cell finds, it finds for the fault's sake: the same process finds nothing without one."""
    assert look("", ("orders-pairs",), memory_path).how == "not found"


def test_a_part_that_crashes_has_found_nothing(memory_path: Path) -> None:
    """A cell whose process fails, or is asked for a part that does not exist, does not count as found."""
    cell = look("", ("no-such-part",), memory_path)
    assert cell.how == "crashed"
    assert "no-such-part" in cell.said


def test_the_matrix_is_whole() -> None:
    """There are at least twelve faults, each column has parts, and each fault is found by a part that there is."""
    assert len(teeth()) >= 12
    assert {fault.found_by for fault in teeth().values()} <= PARTS.keys()
    assert recorded().keys() == teeth().keys()
    assert shown()
    assert all(cells.keys() >= {column.name for column in shown()} for cells in recorded().values())
