"""Compare what the scan claims with what readers see.

Three second opinions: the HTML that mkdocs built (for the pages that become HTML), markdown-it-py (for the README
and for docstrings, which code hosts and editors show), and pytest-examples (for `py` blocks of pages that do not
confuse it).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable
from html.parser import HTMLParser
from inspect import cleandoc
from pathlib import Path

from markdown_it import MarkdownIt
from pytest_examples import find_examples

from .scan import Problem, docstrings
from .site import Site

_NOT_OURS = {"doc-signature", "mkdocstrings-source", "linenos"}
"""Code that mkdocstrings and line numbers add: no author wrote it as a block."""
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_SECTION = re.compile(r"[A-Z][A-Za-z ]*:")


class _Shown(HTMLParser):
    """Collects the text of each code and diagram element of an article."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.article = False
        self._open: list[tuple[str, str]] = []  # the tag, and what it is to us: "", "skip", "block", "inline"
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            if tag == "br":
                self.handle_data("\n")
            return
        classes = set((dict(attrs).get("class") or "").split())
        kinds = {kind for _, kind in self._open}
        kind = ""
        if classes & _NOT_OURS:
            kind = "skip"
        elif self.article and not kinds & {"skip", "block", "inline"}:
            kind = "block" if tag in ("pre", "textarea", "xmp") or "mermaid" in classes else ""
            kind = kind or ("inline" if tag == "code" else "")
        self.article = self.article or tag == "article"
        self._open.append((tag, kind))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # HTML has no self-closing elements: the slash of `<input/>` means nothing.
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if {kind for _, kind in self._open} & {"block", "inline"}:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            opened, kind = self._open.pop()
            text = "".join(self._text)
            if kind in ("block", "inline"):
                self._text = []
                # One line of inline code is prose. More lines are what a broken fence becomes.
                if kind == "block" or "\n" in text:
                    self.texts.append(text)
            if opened == tag:
                break
        self.article = any(opened == "article" for opened, _ in self._open)


def shown(html: str) -> list[str]:
    """Return the text of every block that a reader of this page sees."""
    parser = _Shown()
    parser.feed(html)
    parser.close()
    return parser.texts


def compare_html(site: Site, built: Path) -> list[Problem]:
    """Compare the pages with the HTML in `built`, in both directions."""
    pages = {path: f"{path.removeprefix(site.docs + '/').removesuffix('.md')}" for path in _html_pages(site)}
    files = {path: built / _html_name(name) for path, name in pages.items()}
    problems = [Problem(path, 1, "was not built") for path, file in files.items() if not file.is_file()]
    known = set(files.values()) | {built / "404.html"}
    for extra in sorted(set(built.rglob("*.html")) - known):
        problems.append(Problem(extra.relative_to(built).as_posix(), 1, "a page that was not scanned"))
    of_docstrings = {_plain(block.text) for block in site.census.blocks if block.path.endswith(".py")}
    for path, file in files.items():
        if not file.is_file():
            continue
        html = file.read_text("utf-8")
        if "<article" not in html:
            problems.append(Problem(path, 1, "the built page has no article: nothing to compare"))
        generated = bool(re.search(r"^::: ", (site.root / path).read_text("utf-8"), re.M))
        problems += _compare(site, path, shown(html), of_docstrings if generated else set())
    if not files:
        problems.append(Problem(site.docs, 1, "no page was compared"))
    return problems


def compare_markdown(site: Site) -> list[Problem]:
    """Compare the other pages and the docstrings with what markdown-it-py sees in them."""
    problems: list[Problem] = []
    for path in sorted(set(site.paths(site.pages)) - set(_html_pages(site))):
        problems += _compare(site, path, _seen((site.root / path).read_text("utf-8")))
    for path in site.paths(site.sources):
        tree = ast.parse((site.root / path).read_text("utf-8"))
        texts = [text for string in docstrings(tree) for text in _seen(_without_sections(str(string.value)))]
        problems += _compare(site, path, texts)
    return problems


def compare_examples(site: Site) -> list[Problem]:
    """Compare the `py` blocks of each page with those that pytest-examples finds.

    Left out are pages with a block that confuses its regular expression: an empty one, or longer fences.
    """
    problems: list[Problem] = []
    for path in site.paths(site.pages):
        blocks = [block for block in site.census.blocks if block.path == path]
        if any(not block.text for block in blocks) or "````" in (site.root / path).read_text("utf-8"):
            continue
        lines = {block.line for block in blocks}
        found = {example.start_line for example in find_examples(site.root / path)}
        ours = {block.line for block in blocks if block.language == "py"}
        problems += [
            Problem(path, line, "pytest-examples finds a block that the scan does not") for line in found - lines
        ]
        problems += [Problem(path, line, "pytest-examples does not find this block") for line in ours - found]
    return problems


def _html_pages(site: Site) -> list[str]:
    return [path for path in site.paths(site.pages) if path.startswith(site.docs + "/")]


def _html_name(name: str) -> str:
    folder, _, last = name.rpartition("/")
    above = folder + "/" if folder else ""
    return f"{above}index.html" if last in ("index", "README") else f"{above}{last}/index.html"


def _plain(text: str) -> str:
    # Highlighters drop blank lines at both ends, and editors drop spaces at line ends.
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _compare(site: Site, path: str, texts: Iterable[str], also: set[str] | None = None) -> list[Problem]:
    blocks = [block for block in site.census.blocks if block.path == path]
    claimed = Counter(_plain(block.text) for block in blocks)
    seen = Counter(_plain(text) for text in texts)
    problems = [
        Problem(path, _line(site.root / path, text), f"seen {count} times more by a reader than by the scan:\n{text}")
        for text, count in (seen - claimed).items()
        if text not in (also or ())
    ]
    lines = {_plain(block.text): block.line for block in blocks}
    problems += [Problem(path, lines[text], "scanned, but no reader sees it as a block") for text in claimed - seen]
    return problems


def _line(page: Path, text: str) -> int:
    """Return the line on which the text begins; 1 where the page does not hold it as it is."""
    first = text.partition("\n")[0].strip()
    lines = enumerate(page.read_text("utf-8").splitlines(), 1)
    return next((number for number, line in lines if first and first in line), 1)


def _seen(markdown: str) -> list[str]:
    texts: list[str] = []
    for token in MarkdownIt("commonmark").parse(markdown):
        raw = token.type == "html_block" and re.search(r"<(pre|code|textarea)\b", token.content)
        if raw or token.type in ("fence", "code_block"):
            texts.append(token.content)
    return texts


def _without_sections(docstring: str) -> str:
    """Return the docstring with the text of its `Args:` and `Examples:` at the left, as it is rendered."""
    lines: list[str] = []
    section = False
    for line in cleandoc(docstring).split("\n"):
        section = bool(_SECTION.fullmatch(line)) or (section and (not line or line.startswith("    ")))
        lines.append(line.removeprefix("    ") if section else line)
        if _SECTION.fullmatch(line):
            lines.append("")
    return "\n".join(lines)
