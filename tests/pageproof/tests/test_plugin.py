"""A run of the whole suite is green when every block was verified exactly once, and red otherwise."""

import re
from importlib.util import find_spec

import pytest

from tests.pageproof.tests.toys import write

pytest_plugins = ["pytester"]

CONFTEST = """
from pathlib import Path
from tests.pageproof.site import Site
pytest_plugins = ["tests.pageproof.plugin"]
def pytest_pageproof_site():
    return Site(root=Path(__file__).parent, unrun_budget={budget})
"""
TESTS = """
import pytest
def test_census(pageproof):
    pageproof.none(pageproof.census.problems)
def test_block(case, pageproof, record_property):
    record_property("other", "claims nothing")
    pageproof.verify(case)
def test_spoiled(case, pageproof):
    pageproof.spoil(case)
"""
PAGE = """
    # Toy

    '''py
    print(1)
    #> 1
    '''

    '''console
    $ echo one
    one
    '''
    """
BLOCKS = "2 blocks in 1 files (1 py, 1 console)"


def run(
    pytester: pytest.Pytester,
    page: str,
    *arguments: str,
    tests: str = TESTS,
    budget: int = 0,
    conftest: str = CONFTEST,
) -> tuple[int, str]:
    """Run pytest in a toy project; return its exit status and what it said."""
    write(pytester.path, page)
    pytester.makeconftest(conftest.format(budget=budget))
    (pytester.path / "test_pages.py").write_text(tests)
    (pytester.path / "pytest.ini").write_text("[pytest]\nempty_parameter_set_mark = fail_at_collect\n")
    # Hypothesis' plugin would import the whole of it for each of these runs, a second every time.
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments)
    said = "\n".join(done.outlines + done.errlines)
    assert "INTERNALERROR" not in said
    return int(done.ret), said


@pytest.mark.parametrize("arguments", [[], ["-n2"] if find_spec("xdist") else ["-v"]])
def test_a_true_page_is_green(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """All blocks verified, none missing: the summary says so, with xdist's workers too where it is installed."""
    status, said = run(pytester, PAGE, *arguments)
    assert status == 0, said
    assert re.search(rf"^{re.escape(BLOCKS)}: 2 verified in \d", said, re.M)
    assert "not run" not in said


def test_a_wrong_page_is_red(pytester: pytest.Pytester) -> None:
    """The failure names page and line, the rest of the suite runs on, and the ledger knows what is missing."""
    status, said = run(pytester, PAGE.replace("#> 1", "#> 2"))
    assert status == 1
    assert "docs/index.md:5: the page says otherwise" in said
    assert "docs/index.md:3: verified by no test that passed" in said
    assert "1 verified in" in said


def test_an_exception_in_a_block_does_not_end_the_session(pytester: pytest.Pytester) -> None:
    """Python 3.11 and pytest 8.4 crash over the frames that pytest-examples makes: they are not made."""
    status, said = run(pytester, PAGE.replace("print(1)", "print(1 / 0)"))
    assert status == 1
    assert "docs/index.md:4: raised ZeroDivisionError: division by zero" in said


@pytest.mark.parametrize(
    "arguments", [["-k", "census"], ["test_pages.py::test_census"], ["--deselect", "test_pages.py::test_block"]]
)
def test_a_partial_run_is_not_judged(pytester: pytest.Pytester, arguments: list[str]) -> None:
    """Whoever asks for less than the whole suite is told how much was verified, and no more."""
    status, said = run(pytester, PAGE, *arguments)
    assert status == 0, said
    assert f"partial run: {BLOCKS}: 0 verified" in said


def test_a_plugin_that_leaves_tests_out_makes_a_partial_run(pytester: pytest.Pytester) -> None:
    """However tests were left out, the rest is not judged."""
    deselect = (
        "def pytest_collection_modifyitems(config, items):\n    config.hook.pytest_deselected(items=[items.pop()])\n"
    )
    pytester.makepyfile(extra=deselect)
    pytester.syspathinsert()
    status, said = run(pytester, PAGE, "-p", "extra")
    assert status == 0
    assert f"partial run: {BLOCKS}: 2 verified" in said


def test_a_block_whose_check_cannot_fail_is_red(pytester: pytest.Pytester) -> None:
    """A file that no script imports is green however it is spoiled: that is told."""
    page = """
        '''py {title="helper.py" run="file" session="q"}
        x = 1
        '''

        '''py {title="main.py" run="script" session="q"}
        y = 1
        '''
        """
    status, said = run(pytester, page)
    assert status == 1
    assert "FAILED test_pages.py::test_spoiled[docs/index.md[q]]" in said
    assert "docs/index.md:1: spoiled, and still green" in said


@pytest.mark.parametrize(("argument", "partial"), [("", False), ("more", False), ("more/test_more.py", True)])
def test_the_whole_suite_is_what_testpaths_says(pytester: pytest.Pytester, argument: str, partial: bool) -> None:
    """The folder of `testpaths` is everything, and one of its files is not."""
    (pytester.path / "more").mkdir()
    (pytester.path / "more/test_more.py").write_text(TESTS)
    write(pytester.path, PAGE)
    pytester.makeconftest(CONFTEST.format(budget=0))
    pytester.makeini("[pytest]\ntestpaths = more")
    done = pytester.runpytest_inprocess("-p", "no:hypothesispytest", *filter(None, [argument]))
    assert any(line.startswith(f"{'partial run: ' * partial}{BLOCKS}: 2 verified") for line in done.outlines)


def test_what_is_not_in_the_grammar_is_red(pytester: pytest.Pytester) -> None:
    """The census fails its test, and the ledger repeats it in case nobody has written that test."""
    status, said = run(pytester, PAGE + "\n    ~~~py\n    x\n    ~~~\n")
    assert status == 1
    assert "FAILED test_pages.py::test_census" in said
    assert said.count("docs/index.md:13: a fence of tildes") >= 2


@pytest.mark.parametrize(
    "tests",
    [
        "def test_nothing(): pass",
        TESTS.replace("def test_block", "@pytest.mark.skip\ndef test_block"),
        TESTS.replace("pageproof.verify(case)", "pageproof.verify(case); pytest.xfail('x')"),
        TESTS.replace("pageproof.verify(case)", "pageproof.verify(case); assert False"),
        TESTS.replace("pageproof.verify(case)", "pageproof.verify(case); pytest.skip('x')"),
        TESTS.replace("def test_block(", "def helper("),
        TESTS.replace("def test_block", "@pytest.mark.xfail\ndef test_block"),
    ],
)  # fmt: skip
def test_a_block_that_no_passed_test_verified_is_red(pytester: pytest.Pytester, tests: str) -> None:
    """Skipped, expected to fail, failed, or not there at all: none of these verifies a block."""
    status, said = run(pytester, PAGE, tests=tests)
    assert status == 1
    assert "docs/index.md:3: verified by no test that passed" in said
    assert "docs/index.md:8: verified by no test that passed" in said


def test_collecting_is_not_judged(pytester: pytest.Pytester) -> None:
    """Whoever only asks which tests there are gets them, and no verdict."""
    status, said = run(pytester, PAGE, "--collect-only")
    assert status == 0
    assert "verified" not in said


def test_a_project_that_says_nothing_is_left_alone(pytester: pytest.Pytester) -> None:
    """The plugin without a site proves nothing and is in nobody's way."""
    pytester.makeconftest('pytest_plugins = ["tests.pageproof.plugin"]')
    pytester.makepyfile("def test_nothing(): pass")
    done = pytester.runpytest_inprocess("-p", "no:hypothesispytest", "-k", "nothing")
    assert done.ret == 0
    assert "code blocks" not in done.stdout.str()


def test_a_block_that_is_claimed_twice_is_red(pytester: pytest.Pytester) -> None:
    """Two tests that claim a block hide that one of them lost its own."""
    twice = TESTS + "def test_again(case, pageproof):\n    pageproof.verify(case)\n"
    status, said = run(pytester, PAGE, tests=twice)
    assert status == 1
    assert "docs/index.md:3: claimed 2 times" in said


def test_no_blocks_at_all_is_red(pytester: pytest.Pytester) -> None:
    """A suite that looks at the wrong place finds nothing, and says so."""
    status, said = run(pytester, "# Nothing\n", tests="def test_nothing(): pass")
    assert status == 1
    assert "no code block was found" in said
    assert run(pytester, "# Nothing\n")[0] != 0


@pytest.mark.parametrize(("budget", "status"), [(0, 1), (1, 0), (2, 1)])
def test_a_block_that_is_not_run_says_why(pytester: pytest.Pytester, budget: int, status: int) -> None:
    """The summary lists it; the budget is exact, so that it falls when the number does."""
    page = PAGE + "\n    '''console {unrun=\"needs a network\"}\n    $ ping example\n    '''\n"
    got, said = run(pytester, page, budget=budget)
    assert got == status
    assert "docs/index.md:13: not run: needs a network" in said


def test_a_block_may_name_another_check(pytester: pytest.Pytester) -> None:
    """A block with `by` is verified and claimed by the test that asks for it, and by nobody else."""
    page = PAGE + "\n    '''console {by=\"install\"}\n    $ make install\n    '''\n"
    assert "docs/index.md:13: verified by no test" in run(pytester, page)[1]
    tests = TESTS + "def test_install(pageproof):\n    pageproof.claim(pageproof.by('install'))\n"
    assert run(pytester, page, tests=tests)[0] == 0


def test_update_writes_what_the_run_showed(pytester: pytest.Pytester) -> None:
    """Outputs are rewritten in place, a second time changes nothing, and then the page is green."""
    page = """
        - a list

            '''py {session="q"}
            for n in range(3):
                print(n)
                #> wrong

            from pathlib import Path
            Path("a.json").write_text("[\\n 1\\n]\\n")
            '''

        '''json {session="q" file="a.json"}
        {}
        '''

        '''console
        $ echo one
        two
        $ (exit 2)
        [exit 1]
        '''

        '''py {title="a.py" run="script"}
        print("out")
        '''

        '''text {title="Output"}
        '''

        '''py
        --8<-- "x.py"
        '''
        """
    (pytester.path / "x.py").write_text("print(1)\n")
    status, said = run(pytester, page, "--update-examples", "-k", "test_block")
    assert status == 0, said
    assert said.count("rewritten:") == 5
    text = (pytester.path / "docs/index.md").read_text()
    assert "        print(n)\n        #> 0\n        #> 1\n        #> 2\n\n    from" in text
    assert "\n[\n 1\n]\n```" in text
    assert "$ echo one\none\n$ (exit 2)\n[exit 2]\n```" in text
    assert '{title="Output"}\nout\n```' in text
    assert (pytester.path / "x.py").read_text() == "print(1)\n#> 1\n"
    status, said = run(pytester, text, "--update-examples")
    assert (status, said.count("rewritten:")) == (0, 0)
    assert (pytester.path / "docs/index.md").read_text() == text
    assert run(pytester, text)[0] == 0


def test_update_writes_what_was_recorded(pytester: pytest.Pytester) -> None:
    """A diagram that differs from its recording fails with the lines that differ, and is rewritten with them."""
    page = """
        '''mermaid {run="scene"}
        sequenceDiagram
            participant A
            A->>A: old
        '''
        """
    diagram = "sequenceDiagram\\n    participant A\\n    A->>A: new\\n"
    conftest = CONFTEST.replace("unrun_budget={budget}", f"recordings={{{{'scene': lambda _: '{diagram}'}}}}")
    status, said = run(pytester, page, conftest=conftest)
    assert status == 1
    assert "docs/index.md:4: the page says otherwise than the run" in said
    assert "-    A->>A: old" in said
    assert "+    A->>A: new" in said
    status, said = run(pytester, page, "--update-examples", conftest=conftest)
    assert (status, said.count("rewritten: docs/index.md:1")) == (0, 1)
    text = (pytester.path / "docs/index.md").read_text()
    assert "    A->>A: new" in text
    assert run(pytester, text, conftest=conftest)[0] == 0


@pytest.mark.parametrize(("budget", "status"), [(1, 0), (0, 1)])
def test_a_diagram_may_say_why_it_is_not_recorded(pytester: pytest.Pytester, budget: int, status: int) -> None:
    """It is drawn, listed, and counted against a budget of its own."""
    page = """
        '''mermaid {unrecorded="two people"}
        sequenceDiagram
            participant A
            A->>A: hello
        '''
        """
    conftest = CONFTEST.replace("unrun_budget={budget}", f"recordings={{{{'x': None}}}}, unrecorded_budget={budget}")
    ended, said = run(pytester, page, conftest=conftest)
    assert ended == status
    assert "docs/index.md:1: not recorded: two people" in said
    assert ("1 diagrams say why they are not recorded; the budget is 0" in said) == bool(status)


def test_update_writes_no_failure(pytester: pytest.Pytester) -> None:
    """What fails is no output: the page stays as it was."""
    page = "'''py\nprint(1)\n1 / 0\n'''\n\n'''console\n$ echo x; false\nx\n'''\n"
    status, _ = run(pytester, page, "--update-examples")
    assert status == 1
    assert (pytester.path / "docs/index.md").read_text() == page.replace("'''", "```")


def test_update_refuses_more_than_one_process(pytester: pytest.Pytester) -> None:
    """Workers that rewrite one page at once would corrupt it."""
    # Where xdist is not installed, an option of its name stands in.
    option = "" if find_spec("xdist") else "def pytest_addoption(parser): parser.addoption('-n', dest='numprocesses')"
    pytester.makepyfile(extra=option)
    pytester.syspathinsert()
    status, said = run(pytester, PAGE, "-p", "extra", "-n", "2", "--update-examples")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "--update-examples needs one process" in said
