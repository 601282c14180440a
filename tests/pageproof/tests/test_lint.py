"""ruff's findings in blocks have the page's file and line."""

from pathlib import Path

from tests.pageproof.lint import lint
from tests.pageproof.tests.toys import write

PAGE = """
    # Toy

    '''py {session="q"}
    value = 1
    '''

    !!! note

        '''py {session="q"}
        print(value, other)
        '''

    '''py {title="a.py" run="script" session="q"}
    import os
    print(value)
    '''

    '''py {session="q"}
    --8<-- "x.py"
    '''

    '''console {session="q"}
    $ not a program
    '''
    """


def test_findings_have_the_lines_of_the_page(tmp_path: Path) -> None:
    """A session is one program, each script is its own, and an included program has its own file's name."""
    (tmp_path / "x.py").write_text("\nx = y\n")
    found = [(problem.path, problem.line, problem.message[:4]) for problem in lint(write(tmp_path, PAGE))]
    page = "docs/index.md"
    assert found == [(page, 10, "F821"), (page, 14, "F401"), (page, 15, "F821"), ("x.py", 2, "F821")]


def test_no_programs_no_findings(tmp_path: Path) -> None:
    """A page without programs is clean."""
    assert lint(write(tmp_path, "# Toy\n")) == []
