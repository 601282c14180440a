"""A block that needs a server gets one for each run, and is verified by nobody where there is none."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pageproof.failure import BlockFailed
from tests.pageproof.play import play
from tests.pageproof.site import Site
from tests.pageproof.spoil import survivors
from tests.pageproof.tests.toys import write

pytest_plugins = ["pytester"]


@dataclass
class Toy:
    """A server that counts: each of its databases has the next number."""

    made: list[int] = field(default_factory=list)
    open: list[int] = field(default_factory=list)

    @contextmanager
    def database(self) -> Iterator[Mapping[str, str]]:
        """Make a database, and remove it afterwards."""
        number = len(self.made) + 1
        self.made.append(number)
        self.open.append(number)
        yield {"TOY_URL": f"toy:{number}"}
        self.open.remove(number)


PAGE = """
    '''py {session="q" needs="toy"}
    import os
    print(os.environ["TOY_URL"])
    #> toy:1
    '''

    '''py {title="a.py" run="script" session="q"}
    import os
    print(os.environ["TOY_URL"])
    '''

    '''text {title="Output"}
    toy:1
    '''

    '''console {session="q"}
    $ echo $TOY_URL
    toy:1
    '''

    '''py
    import os
    print(os.environ.get("TOY_URL"))
    #> None
    '''
    """


def toy_site(root: Path, page: str = PAGE) -> tuple[Site, Toy]:
    """Return a project whose site knows one need, and the server behind it."""
    toy = Toy()
    return replace(write(root, page), needs={"toy": toy.database}), toy


def test_a_case_that_needs_something_has_it(tmp_path: Path) -> None:
    """Every block of the case sees its variables: in this process, in scripts and in consoles. No other case does."""
    site, toy = toy_site(tmp_path)
    needy, other = site.census.cases
    play(site, needy)
    assert (toy.made, toy.open) == ([1], [])
    play(site, other)
    assert toy.made == [1]
    assert "TOY_URL" not in os.environ


def test_each_run_has_its_own(tmp_path: Path) -> None:
    """A case that is run again gets another database, and one that fails gives its own back."""
    site, toy = toy_site(tmp_path)
    (needy, _) = site.census.cases
    play(site, needy)
    with pytest.raises(BlockFailed, match="toy:2"):
        play(site, needy)
    assert (toy.made, toy.open) == ([1, 2], [])


def test_a_spoiled_block_has_what_it_needs(tmp_path: Path) -> None:
    """A block that reads what it needs turns red when it is spoiled, as any other."""
    page = "'''py {needs=\"toy\"}\nimport os\nprint(os.environ['TOY_URL'][:3])\n#> toy\n'''"
    site, toy = toy_site(tmp_path, page)
    (case,) = site.census.cases
    assert survivors(site, case) == []
    assert (toy.made, toy.open) == ([1], [])


@pytest.mark.parametrize(
    ("needs", "problem"),
    [("other", 'needs="other": the site knows toy'), (" ", "needs without a name"), ("toy toy", "")],
)
def test_a_need_that_nobody_knows_is_a_problem(tmp_path: Path, needs: str, problem: str) -> None:
    """A name that the site does not know would leave the block without what it needs."""
    site, _ = toy_site(tmp_path, f"'''py {{needs=\"{needs}\"}}\nx = 1\n'''")
    assert [said.message for said in site.census.problems] == [problem][: len(problem)]


def test_only_programs_need_something(tmp_path: Path) -> None:
    """What is not run needs nothing."""
    site, _ = toy_site(tmp_path, "'''mermaid {needs=\"toy\"}\nflowchart LR\n    a\n'''")
    assert [said.message for said in site.census.problems] == ["needs without the recording that needs it"]


CONFTEST = """
from contextlib import contextmanager
from pathlib import Path
import pytest
from tests.pageproof.site import Site
pytest_plugins = ["tests.pageproof.plugin"]
@contextmanager
def absent():
    pytest.skip("there is no toy; buy one")
    yield {}
def pytest_pageproof_site():
    return Site(root=Path(__file__).parent, needs={"toy": absent})
"""
TESTS = """
def test_block(case, pageproof):
    pageproof.verify(case)
"""


@pytest.mark.parametrize("arguments", [[], ["-n2"] if find_spec("xdist") else ["-v"]])
@pytest.mark.parametrize(
    ("tests", "status"),
    [(TESTS, 0), (TESTS.replace("pageproof.verify(case)", "__import__('pytest').skip('no time')"), 1)],
    ids=["the need is missing", "skipped for another reason"],
)
def test_what_cannot_be_had_skips(pytester: pytest.Pytester, arguments: list[str], tests: str, status: int) -> None:
    """Blocks whose need is missing are listed as not verified; a test that skips them for itself is no excuse."""
    write(pytester.path, PAGE)
    pytester.makeconftest(CONFTEST)
    (pytester.path / "test_pages.py").write_text(tests)
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments)
    said = done.stdout.str()
    assert int(done.ret) == status, said
    if status:
        assert "docs/index.md:1: verified by no test that passed" in said
        return
    assert "5 blocks in 1 files (3 py, 1 text, 1 console): 1 verified" in said
    for line in (1, 7, 12, 16):
        assert f"docs/index.md:{line}: not verified: there is no toy; buy one" in said
    assert "docs/index.md:21: not verified" not in said
