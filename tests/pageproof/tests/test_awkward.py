"""Awkward but legal Markdown: each case is found as readers see it, or refused with its line. None is missed."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pageproof.rendered import compare_examples, compare_html, compare_markdown, shown
from tests.pageproof.scan import scan_text
from tests.pageproof.site import Site

CONFIG = """
site_name: toy
plugins:
  - mermaid2: {javascript: none.js}
  - mkdocstrings:
      handlers: {python: {paths: [src], options: {show_source: true, separate_signature: true}}}
theme: {name: material, font: false}
markdown_extensions:
  - abbr
  - admonition
  - attr_list
  - def_list
  - footnotes
  - md_in_html
  - tables
  - toc
  - pymdownx.details
  - pymdownx.highlight: {anchor_linenums: true}
  - pymdownx.inlinehilite
  - pymdownx.snippets: {base_path: ["."], check_paths: false}
  - pymdownx.tabbed: {alternate_style: true}
  - pymdownx.superfences:
      custom_fences:
        - name: mermaid
          class: mermaid
          format: !!python/name:pymdownx.superfences.fence_div_format
"""

# Written with ''' for the backticks of a fence, so that this file can be read.
EXACT = {
    "plain": (1, "'''py\nx = 1\n'''"),
    "no blank lines around": (1, "above\n'''py\nx = 1\n'''\nbelow"),
    "two in a row": (2, "'''py\nx = 1\n'''\n'''py\nx = 2\n'''"),
    "the same twice": (2, "'''py\nx = 1\n'''\n\n'''py\nx = 1\n'''"),
    "attributes": (1, "'''py {title=\"a b.py\" hl_lines=\"1\"}\nx = 1\n'''"),
    "an unknown language with a reason": (1, "'''ini {unrun=\"no such program\"}\n[a]\n'''"),
    "four backticks": (1, "''''py\nx = 1\n''''"),
    "five backticks around four": (1, "'''''text {unrun=\"about fences\"}\n''''py\nx\n''''\n'''''"),
    "three backticks inside of four": (1, "''''text {unrun=\"about fences\"}\n'''py\nx\n'''\n''''\n"),
    "after a block about fences": (2, "''''text {unrun=\"about fences\"}\n'''py\nx\n'''\n''''\n\n'''py\nx = 1\n'''"),
    "empty": (2, "'''text {unrun=\"nothing\"}\n'''\n\n'''py\nx = 1\n'''"),
    "blank lines inside": (1, "'''py\nx = 1\n\n\ny = 2\n'''"),
    "blank lines at both ends": (1, "'''py\n\nx = 1\n\n'''"),
    "backticks in the code": (1, "'''py\nx = '`' + \"```\"\n'''"),
    "markup in the code": (1, "'''py\nx = '<b>&amp;</b> <!-- no --> &lt; {{ y }}'\n'''"),
    "a tilde fence in the code": (1, "'''text {unrun=\"about fences\"}\n~~~py\nx\n~~~\n'''"),
    "a heading in the code": (1, "'''py\n# not a heading\nx = 1\n'''"),
    "deep indent in the code": (1, "'''py\nif 1:\n    if 2:\n        x = 1\n'''"),
    "unicode": (1, "'''py\nx = 'ÄÖ→'\n'''"),
    "in an admonition": (1, "!!! note\n\n    '''py\n    x = 1\n    '''"),
    "in an admonition, no blank line": (1, "!!! note\n    '''py\n    x = 1\n    '''"),
    "in a titled admonition, after text": (
        1,
        "!!! note \"A title\"\n    Text.\n\n    '''py\n    x = 1\n\n    y = 2\n    '''",
    ),
    "in details": (1, "??? note\n\n    '''py\n    x = 1\n    '''"),
    "in open details": (1, "???+ note \"x\"\n\n    '''py\n    x = 1\n    '''"),
    "in tabs": (2, "=== \"A\"\n\n    '''py\n    x = 1\n    '''\n\n=== \"B\"\n\n    '''py\n    x = 2\n    '''"),
    "in a tab in an admonition": (
        1,
        "!!! note\n\n    === \"A\"\n\n        '''py\n        if 1:\n            x = 1\n        '''",
    ),
    "in a list": (1, "- item\n\n    '''py\n    x = 1\n    '''"),
    "in a list, no blank line": (1, "- item\n    '''py\n    x = 1\n    '''"),
    "in a numbered list": (2, "1. one\n\n    '''py\n    x = 1\n    '''\n\n2. two\n\n    '''py\n    x = 2\n    '''"),
    "in a nested list": (1, "- a\n    - b\n\n        '''py\n        x = 1\n        '''"),
    "after a list": (1, "- a\n- b\n\n'''py\nx = 1\n'''"),
    "after a list in the item above": (1, "- a\n    - b\n\n    '''py\n    x = 1\n    '''"),
    "in a footnote": (1, "Text[^1].\n\n[^1]: Note.\n\n    '''py\n    x = 1\n    '''"),
    "in a definition": (1, "Word\n\n:   Meaning.\n\n    '''py\n    x = 1\n    '''"),
    "in a div": (1, "<div markdown>\n\n'''py\nx = 1\n'''\n\n</div>"),
    "a whole program": (1, "'''py\n--8<-- \"examples/x.py\"\n'''"),
    "a whole program in an admonition": (1, "!!! note\n\n    '''py\n    --8<-- \"examples/x.py\"\n    '''"),
    "inline code": (0, "Some `code` and ``two ` backticks`` and `'''`."[:40]),
    "front matter": (1, "---\ntitle: x\nhide:\n    - toc\n---\n\n'''py\nx = 1\n'''"),
    "a comment": (1, "<!-- a comment -->\n\n'''py\nx = 1\n'''"),
    "a long comment": (1, "<!--\na comment\n-->\n\n'''py\nx = 1\n'''"),
    "Windows line ends": (1, "'''py\r\nx = 1\r\n'''"),
    "no line end at the end": (1, "'''py\nx = 1\n'''"),
    "a hanging indent": (0, "A sentence\n    that hangs over."),
    "a table": (1, "| a | b |\n|---|---|\n| `x` | y |\n\n'''py\nx = 1\n'''"),
    "a diagram": (1, "'''mermaid\nsequenceDiagram\n    A->>B: <id> & \"x\"\n'''"),
    "a diagram in a tab": (1, "=== \"A\"\n\n    '''mermaid\n    flowchart LR\n        a --> b\n    '''"),
    "an image beside": (1, "![x](x.png)\n<br>\n\n'''py\nx = 1\n'''"),
    "a docstring's blocks": (1, "::: toy\n\n'''py\nx = 1\n'''"),
}

REFUSED = {
    "tildes": (1, "~~~py\nx = 1\n~~~"),
    "tildes in a list": (3, "- a\n\n    ~~~py\n    x = 1\n    ~~~"),
    "annotate braces": (1, "''' { .py .annotate }\nx = 1\n'''"),
    "id braces": (1, "'''{#id .python}\nx = 1\n'''"),
    "dot braces": (1, "'''{.py}\nx = 1\n'''"),
    "a space before the language": (1, "''' py\nx = 1\n'''"),
    "a space after the language": (1, "'''py \nx = 1\n'''"),
    "no language": (1, "'''\nx = 1\n'''"),
    "an unknown language": (1, "'''python\nx = 1\n'''"),
    "capitals": (1, "'''PY\nx = 1\n'''"),
    "attributes without braces": (1, "'''py test=\"skip\"\nx = 1\n'''"),
    "no quotes": (1, "'''py {title=x}\nx = 1\n'''"),
    "a typo in an attribute": (1, "'''py {sesion=\"q\"}\nx = 1\n'''"),
    "the same attribute twice": (1, "'''py {title=\"a\" title=\"b\"}\nx = 1\n'''"),
    "an attribute of another language": (1, "'''py {file=\"x.json\"}\nx = 1\n'''"),
    "unrun without a reason": (1, "'''py {unrun=\" \"}\nx = 1\n'''"),
    "run without a title": (1, "'''py {run=\"script\"}\nx = 1\n'''"),
    "run with a title that leads out": (1, "'''py {title=\"../x.py\" run=\"script\"}\nx = 1\n'''"),
    "an unknown way to run": (1, "'''py {title=\"x.py\" run=\"later\"}\nx = 1\n'''"),
    "a file without a session": (1, "'''py {title=\"x.py\" run=\"file\"}\nx = 1\n'''"),
    "text that is nobody's": (1, "'''text\nx\n'''"),
    "json that is nobody's": (1, "'''json\n{}\n'''"),
    "json without a session": (1, "'''json {file=\"x.json\"}\n{}\n'''"),
    "toml that is nobody's": (1, "'''toml\na = 1\n'''"),
    "yaml that is nobody's": (1, "'''yaml\na: 1\n'''"),
    "in a quote": (1, "> '''py\n> x = 1\n> '''"),
    "indented code in a quote": (3, "> a\n>\n>     x = 1"),
    "on the line of a list item": (1, "- '''py\n  x = 1\n  '''"),
    "indented by two in a list": (3, "- a\n\n  '''py\n  x = 1\n  '''"),
    "indented by three": (1, "   '''py\n   x = 1\n   '''"),
    "indented code": (3, "Text.\n\n    x = 1"),
    "indented code at the start": (1, "    x = 1"),
    "indented code below a heading": (2, "# Title\n    x = 1"),
    "indented code in a list": (3, "- a\n\n        x = 1"),
    "indented code in an admonition": (3, "!!! note\n\n        x = 1"),
    "a fence in indented code": (3, "Text.\n\n    '''py\n    x = 1\n    '''"),
    "a tab before the fence": (3, "!!! note\n\n\t'''py\n\tx = 1\n\t'''"),
    "a tab in the code": (2, "'''text {unrun=\"a tab\"}\na\tb\n'''"),
    "indented by a tab": (3, "Text.\n\n\tx = 1"),
    "in a comment": (2, "<!--\n'''py\nx = 1\n'''\n-->"),
    "in a comment on one line": (1, "<!-- '''py -->\n"),
    "raw pre": (1, "<pre>x = 1</pre>"),
    "raw pre with code": (1, "<pre><code>x = 1\n</code></pre>"),
    "raw code": (1, "A <code>x = 1</code> here."),
    "a raw diagram": (1, "<div class=\"mermaid\">\nflowchart LR\na-->b\n</div>"),
    "a script": (1, "<script>x = 1</script>"),
    "inline triple backticks at the start": (1, "'''x = 1''' is code.\n\n'''py\nx = 1\n'''"),
    "inline triple backticks": (1, "See '''x = 1''' here."),
    "escaped backticks": (1, "\\'''py\nx = 1\n\\'''"),
    "a closer with another indent": (3, "'''py\nx = 1\n  '''\n\n'''py\ny = 1\n'''"),
    "a closer with less indent": (5, "!!! note\n\n    '''py\n    x = 1\n'''\n"),
    "a longer closer": (3, "'''py\nx = 1\n''''\n"),
    "never closed": (1, "'''py\nx = 1\n"),
    "a line that is indented less": (5, "!!! note\n\n    '''py\n    x = 1\n  y = 1\n    '''"),
    "a doctest": (1, ">>> x = 1"),
    "a doctest in a paragraph": (2, "Text\n>>> x = 1"),
    "a snippet in text": (1, "--8<-- \"examples/x.py\""),
    "lines of a snippet": (1, "'''py\n--8<-- \"examples/x.py:1:2\"\n'''"),
    "a part of a snippet": (1, "'''py\nx = 1\n--8<-- \"examples/x.py\"\n'''"),
    "a missing snippet": (1, "'''py\n--8<-- \"examples/none.py\"\n'''"),
    "a snippet that is no program": (1, "'''json {file=\"x.json\" session=\"q\"}\n--8<-- \"examples/x.py\"\n'''"),
    "a byte order mark": (1, "\ufeff'''py\nx = 1\n'''"),
    "a no-break space": (1, "\u00a0'''py\nx = 1\n'''"),
    "a line separator": (1, "Text.\u2028'''py\nx = 1"),
}  # fmt: skip


def _text(case: str) -> str:
    return re.sub("'{3,}", lambda quotes: "`" * len(quotes[0]), case)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Path]:
    """A site with a page for each case, built by mkdocs."""
    root = tmp_path_factory.mktemp("toy")
    for folder in ("docs", "examples", "src"):
        (root / folder).mkdir()
    (root / "mkdocs.yml").write_text(CONFIG)
    (root / "docs/none.js").touch()
    (root / "examples/x.py").write_text('"""A program."""\n\nprint(1)\n#> 1\n')
    (root / "src/toy.py").write_text('def f(x: int) -> int:\n    """One.\n\n    ```py\n    x = 2\n    ```\n    """\n')
    for name, (_, text) in [*EXACT.items(), *REFUSED.items()]:
        (root / "docs" / _file(name)).write_bytes(_text(text).encode())
    command = [sys.executable, "-m", "mkdocs", "build", "-q"]
    done = subprocess.run(command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return Site(root=root), root / "site"


def _file(name: str) -> str:
    return name.translate({ord(" "): "-", ord("'"): "", ord(","): ""}) + ".md"


def test_there_are_enough_cases() -> None:
    """Forty-eight awkward cases are what other tools were measured on."""
    assert len(EXACT) >= 48
    assert len(REFUSED) >= 48


@pytest.mark.parametrize("name", EXACT)
def test_exact(toy: tuple[Site, Path], name: str) -> None:
    """The scan, the built page and, where it applies, pytest-examples agree on every block."""
    site, built = toy
    path = f"docs/{_file(name)}"
    one = Site(root=site.root, pages=(path,))
    assert [str(problem) for problem in one.census.problems] == []
    assert len([block for block in one.census.blocks if block.path == path]) == EXACT[name][0]
    problems = [problem for problem in compare_html(one, built) if problem.path == path]
    assert [str(problem) for problem in problems + compare_examples(one)] == []


@pytest.mark.parametrize("name", REFUSED)
def test_refused(toy: tuple[Site, Path], name: str) -> None:
    """What is not in the house grammar is refused, and the first line named is the one to mend."""
    site, _ = toy
    one = Site(root=site.root, pages=(f"docs/{_file(name)}",), sources=())
    assert [problem.line for problem in one.census.problems][:1] == [REFUSED[name][0]]


def test_a_reader_who_sees_more_or_less_is_believed(toy: tuple[Site, Path]) -> None:
    """The built page overrules the scan: an extra block and a missing one are problems, with the page's name."""
    site, built = toy
    path = f"docs/{_file('plain')}"
    one = Site(root=site.root, pages=(path,), sources=())
    file = built / "plain/index.html"
    html = file.read_text()
    try:
        file.write_text(html.replace("</article>", "<pre>more</pre></article>"))
        assert [p.message[:11] for p in compare_html(one, built) if p.path == path] == ["seen 1 time"]
        file.write_text(re.sub("<pre>.*?</pre>", "", html, flags=re.S))
        assert [p.message[:7] for p in compare_html(one, built) if p.path == path] == ["scanned"]
        file.unlink()
        assert [p.message for p in compare_html(one, built) if p.path == path] == ["was not built"]
    finally:
        file.write_text(html)


def test_a_page_that_nobody_scanned_is_noticed(toy: tuple[Site, Path]) -> None:
    """HTML without a scanned page is a problem."""
    site, built = toy
    one = Site(root=site.root, pages=(f"docs/{_file('plain')}",))
    assert "empty/index.html" in [problem.path for problem in compare_html(one, built)]


def test_a_site_without_pages_is_no_success(tmp_path: Path) -> None:
    """Comparing nothing is a problem."""
    assert [problem.message for problem in compare_html(Site(root=tmp_path), tmp_path)] == ["no page was compared"]


def test_code_of_mkdocstrings_is_not_a_block() -> None:
    """Signatures, sources and line numbers are left out; inline code counts when it runs over lines."""
    html = """<article><div class="doc-signature"><pre>f(x)</pre></div><td class="linenos"><pre>1</pre></td>
    <details class="mkdocstrings-source"><pre>def f</pre></details><p><code>one</code> <input checked/>
    <code>py x="1"
    two</code></p><pre>three<br/>four</pre></article><pre>footer</pre>"""
    assert [dedent(text).split() for text in shown(html)] == [["py", 'x="1"', "two"], ["three", "four"]]


@pytest.mark.parametrize(
    ("docstring", "lines", "problem"),
    [
        ('"""One.\n\n    ```py\n    x = 1\n    ```\n    """', [4], ""),
        ("'''One.\n\n    ```py\n    x = 1\n    ```\n    '''", [4], ""),
        ('R"""One.\n\n    ```py\n    x = "\\n"\n    ```\n    """', [4], ""),
        ('"""One.\n\n    ```py\n    x = "\\n"\n    ```\n    """', [], "raw docstring"),
        ('"""One.\n\n    Examples:\n        ```py\n        x = 1\n        ```\n    """', [5], ""),
        ('"""One.\n\n    Args:\n        x: one\n            more\n    """', [], ""),
        ('"""One.\n\n    >>> x\n    """', [], "doctest"),
        ('"""One::\n\n        x = 1\n\n    Two.\n    """', [], "indented code"),
    ],
)
def test_docstrings(tmp_path: Path, docstring: str, lines: list[int], problem: str) -> None:
    """Every docstring is read, however it is quoted and whatever string stands above it."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src/m.py").write_text(f'SQL = """x"""\ndef f(x):\n    {docstring}\n')
    site = Site(root=tmp_path)
    assert [block.line for block in site.census.blocks] == [line + 1 for line in lines]
    said = [str(found) for found in site.census.problems]
    assert len(said) == bool(problem)
    assert all(problem in line for line in said)
    if not problem:
        assert compare_markdown(site) == []


def test_the_readme_is_read_as_code_hosts_read_it(tmp_path: Path) -> None:
    """markdown-it-py is the second opinion for pages that do not become HTML."""
    (tmp_path / "README.md").write_text("# Title\n\n```py\nx = 1\n```\n\n1. one\n\n    ```py\n    x = 2\n    ```\n")
    assert compare_markdown(Site(root=tmp_path)) == []
    # A code host ends the list here, where Python-Markdown does not: the fence would be indented code.
    (tmp_path / "README.md").write_text("!!! note\n\n    ```py\n    x = 2\n    ```\n")
    found = [(problem.line, problem.message[:4]) for problem in compare_markdown(Site(root=tmp_path))]
    assert found == [(3, "seen"), (3, "scan")]


def test_lines_of_a_docstring_are_those_of_its_file(tmp_path: Path) -> None:
    """A problem in a docstring names the line of the Python file."""
    lines = ["One.", "", "~~~py", "x", "~~~"]
    assert [problem.line for problem in scan_text(tmp_path, "m.py", lines, (10, 4))[1]] == [13, 15]
