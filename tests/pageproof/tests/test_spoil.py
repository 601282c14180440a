"""A check that cannot fail is found: by spoiled blocks, and by a library that is broken on purpose."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pageproof.mutants import MutantBroken, kill
from tests.pageproof.play import play
from tests.pageproof.scan import ATTRIBUTES
from tests.pageproof.site import Case, Site
from tests.pageproof.spoil import spoiled, survivors
from tests.pageproof.tests.toys import write

PAGE = """
    '''py {session="q"}
    import pathlib
    pathlib.Path("a.json").write_text("1\\n")
    '''

    '''py {session="q"}
    print(1)
    #> 1
    '''

    '''json {session="q" file="a.json"}
    1
    '''

    '''py {raises="KeyError"}
    {}[1]
    '''

    '''py {title="helper.py" run="file" session="s"}
    x = 1
    '''

    '''py {title="main.py" run="script" session="s"}
    from helper import x
    print(x)
    '''

    '''text {title="Output"}
    1
    '''

    '''console
    $ true
    '''

    '''toml {pyproject="tool.a"}
    [tool.a]
    b = 1
    '''

    '''yaml {file="a.yml"}
    b: 1
    '''

    '''mermaid
    sequenceDiagram
        participant A
        A->>A: x
    '''

    '''mermaid
    flowchart LR
        a --> b
    '''
    """


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A page with each kind of block."""
    (tmp_path / "pyproject.toml").write_text("[tool.a]\nb = 1\n")
    (tmp_path / "a.yml").write_text("b: 1\n")
    return write(tmp_path, PAGE)


def test_every_kind_of_block_can_be_spoiled(site: Site) -> None:
    """Green as it stands, red when spoiled: for each language of the house grammar."""
    assert {block.language for block in site.census.blocks} == ATTRIBUTES.keys()
    for case in site.census.cases:
        play(site, case)
        assert survivors(site, case) == []


def test_a_check_that_cannot_fail_is_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that looks away keeps spoiled blocks green, and they are named."""
    monkeypatch.setattr("tests.pageproof.spoil.play", lambda *_, **__: {})
    (case, *_) = site.census.cases
    assert survivors(site, case) == [f"docs/index.md:{line}: spoiled, and still green" for line in (6, 11, 1)]


def test_a_neighbour_that_nobody_imports_is_found(tmp_path: Path) -> None:
    """A file that the script does not use shows nothing, so it cannot be verified."""
    site = write(tmp_path, PAGE.replace("from helper import x", "x = 1"))
    case = next(case for case in site.census.cases if case.name.endswith("[s]"))
    assert survivors(site, case) == ["docs/index.md:19: spoiled, and still green"]


def test_a_block_that_fails_for_another_reason_is_no_proof(site: Site) -> None:
    """The block that was spoiled is the one that has to turn red."""
    (case, *_) = site.census.cases
    broken = replace(case.blocks[0], text="1 / 0\n")
    alive = survivors(site, Case(case.name, (broken, *case.blocks[1:])))
    assert [line.split(":")[1] for line in alive] == ["6", "11"]


def test_spoiling_changes_an_expectation_where_there_is_one(site: Site) -> None:
    """The last output of a block is what is changed."""
    assert spoiled(site.census.blocks[1]).text == "print(1)\n#> 1 spoiled\n"


LIBRARY = "def add(n):\n    return n + 1\n"
PROMISES = """
    '''py
    import toylib
    print(toylib.add(1))
    #> 2
    '''

    '''py {title="add.py" run="script"}
    import toylib
    print(toylib.add(1))
    '''

    '''text {title="Output"}
    2
    '''

    '''py
    import toylib
    print(toylib.add(0) >= 0)
    #> True
    '''
    """


def adds_nothing() -> None:
    """A mutant: the sum is what it was given."""
    import toylib  # type: ignore[import-not-found]

    toylib.add = lambda n: n


def does_not_apply() -> None:
    """A mutant of something that is not there."""
    raise AttributeError("no such thing")


@pytest.fixture
def promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A page about a toy library."""
    (tmp_path / "toylib.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    return write(tmp_path, PROMISES)


def test_a_mutant_turns_the_page_red_that_promises_otherwise(promises: Site) -> None:
    """In this process and in a script's; a page that promises less stays green, and that is told."""
    here, script, weak = promises.census.cases
    assert re.search(r"^\+#> 1$", kill(promises, here, adds_nothing) or "", re.M)
    assert re.search(r"^\+1$", kill(promises, script, adds_nothing) or "", re.M)
    assert kill(promises, weak, adds_nothing) is None
    play(promises, here)  # and nothing of the mutant is left


def test_a_mutant_that_cannot_be_applied_proves_nothing(promises: Site) -> None:
    """A page that is red because the mutant crashed says nothing about the page."""
    for case in promises.census.cases:
        with pytest.raises(MutantBroken, match="no such thing"):
            kill(promises, case, does_not_apply)
