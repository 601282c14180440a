"""A sequence diagram is what its recording draws: every line of it, in the place where blocks run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pageproof.failure import BlockFailed
from tests.pageproof.mutants import kill
from tests.pageproof.play import play
from tests.pageproof.site import Site
from tests.pageproof.spoil import spoiled, survivors
from tests.pageproof.tests.toys import failure, write

DIAGRAM = """\
sequenceDiagram
    participant A as worker A
    participant F as trip.json
    A->>F: lock
    F-->>A: read, 1 message
    Note over F: the bytes stay
"""
LIBRARY = "def name():\n    return 'worker A'\n"


def page(attributes: str = ' {run="scene"}', diagram: str = DIAGRAM) -> str:
    """Return a page with the diagram."""
    return f"'''mermaid{attributes}\n{diagram}'''\n"


def recorded(root: Path, text: str, diagram: str = DIAGRAM) -> Site:
    """Return a project with this page, and one recording."""
    return replace(write(root, text), recordings={"scene": lambda _folder: diagram})


def test_a_diagram_that_is_what_was_recorded_is_green(tmp_path: Path) -> None:
    """And each of its lines can be spoiled: participants, arrows, texts and notes."""
    site = recorded(tmp_path, page())
    assert failure(site) == ""
    (case,) = site.census.cases
    assert survivors(site, case) == []
    (block,) = case.blocks
    assert "F: lock spoiled\n" in spoiled(block).text


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("as worker A", "as worker B", 3),
        ("    A->>F: lock\n", "", 5),
        ("A->>F", "F->>A", 5),
        ("F-->>A", "F->>A", 6),
        ("1 message", "2 messages", 6),
        ("the bytes stay", "the bytes go", 7),
        ("    Note", "    A->>F: unlock\n    Note", 7),
    ],
)
def test_a_line_that_differs_is_red(tmp_path: Path, old: str, new: str, line: int) -> None:
    """The failure names the first line that differs, and shows both sides."""
    said = failure(recorded(tmp_path, page(diagram=DIAGRAM.replace(old, new))))
    assert said.startswith(f"docs/index.md:{line}: the page says otherwise than the run:")
    assert any(row[0] in "+-" for row in said.splitlines()[2:])


def test_a_recording_that_fails_is_red(tmp_path: Path) -> None:
    """What a scenario raises is no traceback of the machinery, but a block that cannot be held."""

    def broken(_folder: Path) -> str:
        raise TimeoutError("worker A does not end")

    site = replace(write(tmp_path, page()), recordings={"scene": broken})
    assert failure(site) == "docs/index.md:1: its recording raised TimeoutError: worker A does not end"


def test_what_is_written_is_drawn_first(tmp_path: Path) -> None:
    """A recording that Mermaid does not draw as it is written is red, also when the page is to be rewritten."""
    site = recorded(tmp_path, page(), DIAGRAM.replace("lock", "lock #1"))
    (case,) = site.census.cases
    with pytest.raises(BlockFailed, match="what follows it is not drawn"):
        play(site, case, rewrite=True)


def test_a_recording_is_played_where_blocks_run(tmp_path: Path) -> None:
    """In an empty folder, with what the block needs in the environment."""
    seen: list[object] = []

    def look(folder: Path) -> str:
        seen.extend([list(folder.iterdir()), Path.cwd() == folder, os.environ.get("TOY_URL")])
        return DIAGRAM

    @contextmanager
    def toy() -> Iterator[Mapping[str, str]]:
        yield {"TOY_URL": "toy:1"}

    site = write(tmp_path, page(' {run="scene" needs="toy"}'))
    assert failure(replace(site, recordings={"scene": look}, needs={"toy": toy})) == ""
    assert seen == [[], True, "toy:1"]


def mute() -> None:
    """A mutant: the library says another name."""
    import toylib  # type: ignore[import-not-found]

    toylib.name = lambda: "worker Z"


def test_a_mutant_turns_the_diagram_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording sees the library as the mutant has left it, and none of that is left afterwards."""
    (tmp_path / "toylib.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(tmp_path)

    def draw(_folder: Path) -> str:
        import toylib

        return DIAGRAM.replace("worker A", toylib.name())

    site = replace(write(tmp_path, page()), recordings={"scene": draw})
    (case,) = site.census.cases
    assert "+    participant A as worker Z" in (kill(site, case, mute) or "")
    play(site, case)


@pytest.mark.parametrize(
    ("attributes", "diagram", "problem"),
    [
        ("", DIAGRAM, 'a sequence diagram without run="…": nothing holds it to the code'),
        (' {run="scenes"}', DIAGRAM, 'run="scenes": no such recording; there are scene'),
        (' {unrecorded=" "}', DIAGRAM, "unrecorded without a reason"),
        (' {run="scene" unrecorded="no"}', DIAGRAM, "unrecorded beside the recording that it is"),
        (' {needs="toy"}', DIAGRAM, "needs without the recording that needs it"),
        ("", "flowchart LR\n    a --> b\n", ""),
        (' {unrecorded="two people"}', DIAGRAM, ""),
    ],
)
def test_a_sequence_diagram_names_its_recording(tmp_path: Path, attributes: str, diagram: str, problem: str) -> None:
    """Where there are recordings, one that names none is a problem, unless it says why; other diagrams need none."""
    site = recorded(tmp_path, page(attributes, diagram))
    assert [said.message for said in site.census.problems] == [problem] * bool(problem)


def test_without_recordings_none_is_asked_for(tmp_path: Path) -> None:
    """A project that records nothing has its diagrams drawn, and a name means nothing there."""
    assert write(tmp_path, page("")).census.problems == ()
    (said,) = write(tmp_path, page()).census.problems
    assert said.message == 'run="scene": no such recording; there are none'
