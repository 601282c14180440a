"""Each way in which a block can differ from its page is seen, with page and line."""

import os
import sys
from pathlib import Path

import pytest

from tests.pageproof.play import play
from tests.pageproof.tests.toys import failure, write

TOYLIB = """
print("imported")

def shout(what="shouted"):
    print(what)

def values():
    print("begin")
    yield 1
"""

GREEN = {
    "prints": """
        '''py
        # An ordinary comment.
        print("a", {"b": 1}, sep=", ")
        #> a, {'b': 1}
        '''
        """,
    "in a loop, in else and finally, over several lines": """
        '''py
        for n in range(2):
            print(n)
            #> 0
            #> 1
        else:
            print("done")
            #> done
        try:
            pass
        finally:
            print(
                "last",
                end="\\n",
            )
            #> last
        match n:
            case 1:
                print("one")
                #> one
        '''
        """,
    "many lines and empty ones": """
        '''py
        print("a\\n\\nb")
        #> a
        #>
        #> b
        print()
        #>
        '''
        """,
    "spaces at a line end, which editors strip": "'''py\nprint('a ')\n#> a\n'''",
    "a long line": "'''py\nprint('x' * 200)\n#> " + "x" * 200 + "\n'''\n",
    "output marks in a string": "'''py\ntext = \"\"\"\n#> none\n\"\"\"\nprint(len(text))\n#> 9\n'''",
    "a print of a function that is called twice": """
        '''py
        def show(value):
            print(value)
            #> 1
            #> 2
        show(1)
        show(2)
        '''
        """,
    "a print of a module that the block calls": """
        '''py
        import toylib
        #> imported
        for value in toylib.values():
        #> begin
            toylib.shout(
                value,
            )
            #> 1
        '''
        """,
    "a session": """
        '''py {session="q"}
        def greet(name):
            print(f"hello {name}")
            #> hello you
        total = 1
        '''

        '''py {session="q"}
        total += 1
        greet("you")
        print(total, __name__)
        #> 2 __main__
        '''
        """,
    "a function sees what a later block of its session assigns": """
        '''py {session="q"}
        def read():
            return value
        '''

        '''py {session="q"}
        value = 3
        print(read())
        #> 3
        '''
        """,
    "a file of the session": """
        '''py {session="q"}
        from pathlib import Path
        Path("a").mkdir()
        Path("a/b.json").write_text('{"a":1}\\n')
        '''

        '''json {session="q" file="a/b.json"}
        {"a":1}
        '''
        """,
    "an error that is announced": """
        '''py {raises="ZeroDivisionError"}
        print("before")
        #> before
        1 / 0
        '''
        """,
    "a session goes on after an announced error": """
        '''py {session="q" raises="KeyError"}
        found = {}
        found["a"]
        '''

        '''py {session="q"}
        print(found)
        #> {}
        '''
        """,
    "threads": """
        '''py
        from threading import Thread
        def work():
            print("worked")
            #> worked
        thread = Thread(target=work)
        thread.start()
        thread.join()
        '''
        """,
    "a dataclass, pickled": """
        '''py
        import pickle
        from dataclasses import dataclass
        @dataclass
        class Point:
            x: int
        print(pickle.loads(pickle.dumps(Point(1))))
        #> Point(x=1)
        '''
        """,
    "a print to a file": """
        '''py
        import io
        buffer = io.StringIO()
        print("a", "b", file=buffer)
        print(repr(buffer.getvalue()))
        #> 'a b\\n'
        '''
        """,
    "a script": """
        '''py {title="race.py" run="script"}
        import multiprocessing

        def work(n):
            print(n, flush=True)

        if __name__ == "__main__":
            for n in range(2):
                child = multiprocessing.get_context("spawn").Process(target=work, args=(n,))
                child.start()
                child.join()
        '''

        '''text {title="Output"}
        0
        1
        '''
        """,
    "a silent script": """
        '''py {title="quiet.py" run="script"}
        x = 1
        '''
        """,
    "a script with a neighbour": """
        '''py {title="tools/helper.py" run="file" session="q"}
        value = 5
        '''

        '''py {title="main.py" run="script" session="q"}
        from tools.helper import value
        print(value)
        '''

        '''text {title="Output"}
        5
        '''

        '''console {session="q"}
        $ python main.py
        5
        '''
        """,
    "a console": """
        '''console
        $ echo one; echo two >&2
        one
        two
        $ printf 'no line end'
        no line end
        $ (exit 3)
        [exit 3]
        $ python3 -c 'import sys; sys.exit("bad")'
        bad
        [exit 1]
        $ echo \\
          on
        on
        '''
        """,
    "nothing of the home of whoever runs the tests": """
        '''console
        $ ls -A ~
        $ ls -A
        $ echo $COLUMNS $TZ
        80 UTC
        '''
        """,
    "settings": """
        '''toml {pyproject="tool.toy"}
        [tool.toy]
        strict = true
        '''

        '''yaml {file="mkdocs.yml"}
        theme:
          name: material
        '''
        """,
    "a program that is included in a session": """
        '''py {session="q"}
        --8<-- "examples/x.py"
        '''

        '''py {session="q"}
        x = 2

        print(x)
        #> 2
        '''
        """,
    "a program that is included": """
        '''py
        --8<-- "examples/x.py"
        '''
        """,
}

RED = {
    "another output": ("3: the page says otherwise", "'''py\nprint(1)\n#> 2\n'''"),
    "a missing output": ("3: the page says otherwise", "'''py\nprint(1)\n'''"),
    "an output too many": ("4: the page says otherwise", "'''py\nprint(1)\n#> 1\n#> 1\n'''"),
    "an output after no print": ("3: the page says otherwise", "'''py\nx = 1\n#> 1\n'''"),
    "an output after a print that never ran": ("4: the page says", "'''py\nif not 1:\n    print(1)\n    #> 1\n'''"),
    "an output of a function that never ran": ("3: the page", "'''py\ndef f(): print(1)\n#> 1\n'''"),
    "an output in a comment": ("2: an output stands on a line", "'''py\nprint(1)  #> 1\n'''"),
    "a mark that a formatter broke": ("3: an output stands on a line", "'''py\nprint(1)\n# > 1\n'''"),
    "a write": ("1: wrote to stdout", "'''py\nimport sys\nsys.stdout.write('x')\n'''"),
    "a warning on stderr": ("1: wrote to stderr", "'''py\nimport sys\nprint(1, file=sys.stderr)\n'''"),
    "a log record": ("1: wrote to stderr", "'''py\nimport logging\nlogging.getLogger('x').warning('x')\n'''"),
    "an exception in a thread": (
        "1: wrote to stderr",
        "'''py\nfrom threading import Thread\nt = Thread(target=int, args=('x',))\nt.start()\nt.join()\n'''",
    ),
    "a print of nobody's": (
        "1: printed from no line of the page",
        "'''py\nfrom threading import Thread\nimport toylib\n#> imported\n"
        "t = Thread(target=toylib.shout)\nt.start()\nt.join()\n'''",
    ),
    "a file that is not closed": ("1: wrote to stderr", "'''py\nopen('a', 'w').write('x')\n'''"),
    "a warning": ("3: raised UserWarning", "'''py\nimport warnings\nwarnings.warn('x')\n'''"),
    "an end that no line can show": ("2: raised ValueError", "'''py\nprint(1, end='')\n'''"),
    "an exception": ("3: raised ZeroDivisionError", "'''py\nx = 0\n1 / x\nx = 2\n'''"),
    "an exception in a function": ("3: raised", "'''py\ndef f():\n    1 / 0\nx = 1\nf()\n'''"),
    "a syntax error": ("3: SyntaxError", "'''py\nx = 1\nx = (\n'''"),
    "an odd string": ("3: SyntaxError", "'''py\nx = 1\nx = \"\n'''"),
    "KeyboardInterrupt": ("1: left before its end", "'''py\nprint(1)\n#> 1\nraise KeyboardInterrupt\nprint(2)\n'''"),
    "an early exit": ("4: raised SystemExit", "'''py\nimport sys\nx = 1\nsys.exit(0)\nprint(2)\n'''"),
    "a hard exit": ("3: raised SystemExit", "'''py\nimport os\nos._exit(0)\n'''"),
    "an assertion": ("2: raised AssertionError", "'''py\nassert 1 == 2\n'''"),
    "another error than announced": ("2: raised ZeroDivisionError", "'''py {raises=\"KeyError\"}\n1 / 0\n'''"),
    "no error": ("1: did not raise KeyError", "'''py {raises=\"KeyError\"}\nx = 1\n'''"),
    "an error too early": ("2: raised KeyError", "'''py {raises=\"KeyError\"}\n{}[1]\nx = 1\n'''"),
    "processes in this process": ("2: starts processes", "'''py\nimport multiprocessing.pool\n'''"),
    "processes, imported from": ("2: starts processes", "'''py\nfrom subprocess import run\n'''"),
    "its own file": ("2: raised NameError", "'''py\nx = __file__\n'''"),
    "a block before it": ("6: raised NameError", "'''py\nx = 1\n'''\n\n'''py\nx\n'''"),
    "a file of another block": (
        "8: raised FileNotFoundError",
        "'''py\nfrom pathlib import Path\nPath('a').touch()\n'''\n\n"
        "'''py\nfrom pathlib import Path\nPath('a').read_text()\n'''",
    ),
    "an output in an earlier block's function": (
        "8: the page says otherwise",
        "'''py {session=\"q\"}\ndef f():\n    print(1)\n    #> 1\n'''\n'''py {session=\"q\"}\nf()\n#> 1\n'''",
    ),
    "another file": (
        "6: the page says otherwise",
        "'''py {session=\"q\"}\nimport pathlib\npathlib.Path('a').write_text('{}\\n')\n'''\n"
        "'''json {session=\"q\" file=\"a\"}\n{ }\n'''",
    ),
    "no file": (
        "4: the session wrote no a",
        "'''py {session=\"q\"}\nx = 1\n'''\n'''json {session=\"q\" file=\"a\"}\n{}\n'''",
    ),
    "a file outside": (
        "4: '../a' leads out",
        "'''py {session=\"q\"}\nx = 1\n'''\n'''json {session=\"q\" file=\"../a\"}\n{}\n'''",
    ),
    "a script's error": ("3: a.py ended with 1", "'''py {title=\"a.py\" run=\"script\"}\nx = 0\n1 / x\n'''"),
    "a script's stderr": (
        "1: a.py ended with 0",
        "'''py {title=\"a.py\" run=\"script\"}\nimport os\nos.write(2, b'x')\n'''",
    ),
    "a script's exit": ("1: a.py ended with 3", "'''py {title=\"a.py\" run=\"script\"}\nraise SystemExit(3)\n'''"),
    "a script's warning": (
        "3: a.py ended with 1",
        "'''py {title=\"a.py\" run=\"script\"}\nimport warnings\nwarnings.warn('x')\n'''",
    ),
    "a script's output that nobody shows": (
        "1: printed what no text",
        "'''py {title=\"a.py\" run=\"script\"}\nprint(1)\n'''",
    ),
    "a script's other output": (
        "5: the page says otherwise",
        "'''py {title=\"a.py\" run=\"script\"}\nprint(1)\n'''\n'''text {title=\"Output\"}\n2\n'''",
    ),
    "a script's output that a later script hides": (
        "1: printed what no text",
        "'''py {title=\"a.py\" run=\"script\" session=\"q\"}\nprint(1)\n'''\n"
        "'''py {title=\"b.py\" run=\"script\" session=\"q\"}\nx = 1\n'''",
    ),
    "a script's space at a line end": (
        "5: the page says otherwise",
        "'''py {title=\"a.py\" run=\"script\"}\nprint('a ')\n'''\n'''text {title=\"Output\"}\na\n'''",
    ),
    "the exit of a script in a file": (
        "1: a.py ended with 3",
        "'''py {title=\"a.py\" run=\"script\"}\n--8<-- \"examples/exits.py\"\n'''",
    ),
    "a mark in a script": ("1: `#>` in a file", "'''py {title=\"a.py\" run=\"script\"}\nprint(1)\n#> 1\n'''"),
    "a console's other output": ("3: the page says otherwise", "'''console\n$ echo 1\n2\n'''"),
    "a console's failure": ("3: ended with 1: false", "'''console\n$ true\n$ false\n'''"),
    "a console's failure before the end of a line": ("2: ended with 1", "'''console\n$ false; true\n'''"),
    "a console's failure in a pipe": ("2: ended with 1", "'''console\n$ false | true\n'''"),
    "a console's other exit": ("3: the page says otherwise", "'''console\n$ (exit 2)\n[exit 3]\n'''"),
    "a console that leaves": ("1: a command left the shell", "'''console\n$ exit 0\n$ echo 1\n'''"),
    "a console without a prompt": ("2: a console begins with", "'''console\necho 1\n'''"),
    "an empty console": ("1: a console without", "'''console\n'''"),
    "another setting": ("1: pyproject.toml has True", "'''toml {pyproject=\"tool.toy\"}\n[tool.toy]\nstrict = 1\n'''"),
    "a setting that is not there": (
        "1: pyproject.toml has no",
        "'''toml {pyproject=\"tool.toy\"}\n[tool.toy]\nloose = 1\n'''",
    ),
    "a setting that is a table": ("1: mkdocs.yml has {", "'''yaml {file=\"mkdocs.yml\"}\ntheme: material\n'''"),
    "a table that is a setting": (
        "1: pyproject.toml has True",
        "'''toml {pyproject=\"tool.toy.strict\"}\n[tool.toy.strict]\nx = 1\n'''",
    ),
    "settings beside": ("1: shows something beside", "'''toml {pyproject=\"tool.toy\"}\n[tool.a]\nb = 1\n'''"),
    "no settings": ("1: shows nothing", "'''yaml {file=\"mkdocs.yml\"}\n{}\n'''"),
    "no such settings": ("1: there is no", "'''yaml {file=\"none.yml\"}\na: 1\n'''"),
    "broken settings": ("1: not yaml", "'''yaml {file=\"mkdocs.yml\"}\na: [\n'''"),
    "an included program": ("2: the page says otherwise", "'''py\n--8<-- \"examples/wrong.py\"\n'''"),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A toy project's folder, with what its pages may ask for."""
    (tmp_path / "toylib.py").write_text(TOYLIB)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/x.py").write_text('"""A program."""\n\nprint(1)\n#> 1\n')
    (tmp_path / "examples/wrong.py").write_text("print(1)\n#> 2\n")
    (tmp_path / "examples/exits.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "pyproject.toml").write_text("[tool.toy]\nstrict = true\nmore = 1\n[tool.a]\nb = 1\n")
    (tmp_path / "mkdocs.yml").write_text("theme:\n  name: material\n  x: !ENV [A, b]\n  y: !!python/name:a.b\n")
    return tmp_path


@pytest.mark.parametrize("name", GREEN)
def test_green(root: Path, name: str) -> None:
    """A page that tells the truth is green."""
    assert failure(write(root, GREEN[name])) == ""


@pytest.mark.parametrize("name", RED)
def test_red(root: Path, name: str) -> None:
    """A page that does not is red, and the failure names the file and the line."""
    said = failure(write(root, RED[name][1]))
    path = "examples/wrong.py" if "included" in name else "docs/index.md"
    assert said.startswith(f"{path}:{RED[name][0]}")


@pytest.mark.parametrize(
    ("page", "line", "problem"),
    [
        ("'''py\nx = 1\n'''\n'''text {title=\"Output\"}\nx\n'''", 4, "an output without a script"),
        ("'''text {title=\"Output\"}\nx\n'''", 1, "an output without a script"),
        ("'''py {title=\"a.py\" run=\"file\" session=\"q\"}\nx = 1\n'''", 1, "nothing runs the files of"),
        ("'''json {file=\"a\" session=\"q\"}\n1\n'''\n'''py {session=\"q\"}\nx = 1\n'''", 1, "no block of"),
        (
            "'''py {title=\"a.py\" run=\"script\"}\nprint(1)\n'''\n'''console {unrun=\"x\"}\n$ x\n'''\n"
            "'''text {title=\"Output\"}\n1\n'''",
            7,
            "an output without a script",
        ),
    ],
)
def test_a_block_that_belongs_to_none_is_a_problem(root: Path, page: str, line: int, problem: str) -> None:
    """An output needs its script right above, a file something that runs it, and JSON a block that wrote it."""
    (said,) = write(root, page).census.problems
    assert (said.line, said.message[: len(problem)]) == (line, problem)


def test_an_output_belongs_to_a_script_of_its_own_page(root: Path) -> None:
    """The last script of one page is not above the first output of the next."""
    write(root, "'''py {title=\"a.py\" run=\"script\"}\nprint(1)\n'''", "docs/a.md")
    (said,) = write(root, "'''text {title=\"Output\"}\n1\n'''", "docs/b.md").census.problems
    assert said.path == "docs/b.md"


def test_a_block_of_a_docstring_names_the_line_of_its_file(tmp_path: Path) -> None:
    """The text of a docstring's block has the line numbers of the Python file."""
    site = write(
        tmp_path, "def f():\n    \"\"\"One.\n\n    '''py\n    x = 1\n    1 / 0\n    '''\n    \"\"\"", "src/m.py"
    )
    assert failure(site).startswith("src/m.py:6: raised ZeroDivisionError")


def test_each_case_imports_the_library_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one case leaves in a module of the library, no other case sees, nor whoever runs the tests."""
    (tmp_path / "toylib.py").write_text("state = 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    block = "'''py\nimport toylib\ntoylib.state += 1\nprint(toylib.state)\n#> 1\n'''\n"
    import toylib  # type: ignore[import-not-found]

    assert failure(write(tmp_path, block + "\n" + block)) == ""
    assert toylib.state == 0
    assert sys.modules["toylib"] is toylib


def test_everything_is_put_back(tmp_path: Path) -> None:
    """The folder, the environment, the path and `__main__` are after a case what they were before."""
    before = (Path.cwd(), dict(os.environ), list(sys.path), sys.modules["__main__"], print)
    page = "'''py\nimport os, sys\nos.environ['A'] = 'b'\nsys.path.append('c')\nos.chdir('/')\n1 / 0\n'''"
    assert "ZeroDivisionError" in failure(write(tmp_path, page))
    assert (Path.cwd(), dict(os.environ), list(sys.path), sys.modules["__main__"], print) == before


def test_what_a_block_says_about_logging_is_put_back(tmp_path: Path) -> None:
    """A page that quiets a logger, or the log as a whole, quiets it for itself alone."""
    name = f"toy of {tmp_path}"
    loud = f"""
        '''py
        import logging
        class Printing(logging.Handler):
            def emit(self, record):
                print(record.getMessage())
                #> heard
        logging.getLogger({name!r}).addHandler(Printing())
        logging.getLogger({name!r}).warning("heard")
        '''
        """
    quiet = f"""
        '''py
        import logging
        logging.getLogger({name!r}).setLevel(logging.ERROR)
        logging.getLogger({name!r}).propagate = False
        logging.disable(logging.CRITICAL)
        '''
        """
    for number, text in enumerate((quiet, loud, loud)):
        site = write(tmp_path / str(number), text)
        play(site, site.census.cases[0])


def test_a_block_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that waits for ever fails, in this process, in a script and in a console."""
    monkeypatch.setattr("tests.pageproof.process.SECONDS", 0.2)
    wait = "import threading\nthreading.Event().wait()\n"
    for fence, text in (
        ("py", wait),
        ('py {title="a.py" run="script"}', wait),
        ("console", "$ cat <(tail -f /dev/null)\n"),
    ):
        assert "still running after" in failure(write(tmp_path, f"'''{fence}\n{text}'''"))


def test_rewrite_returns_what_the_page_has_to_show(tmp_path: Path) -> None:
    """With `rewrite`, a difference in output is an answer instead of a failure."""
    site = write(tmp_path, "'''py\nprint(1)\n#> 2\n#> 3\n'''")
    (case,) = site.census.cases
    assert list(play(site, case, rewrite=True).values()) == ["print(1)\n#> 1\n"]
