"""Find every code block of a page, and refuse what merely looks like one.

Rules:

1. A fence is a line of its own: spaces, three or more backticks, a language, and perhaps ``{key="value" …}``.
2. It is closed by a line with the same indent and the same number of backticks.
3. Its indent is that of the text around it: none, or that of the admonition, tab or list item it stands in.
4. Everything else that a reader, or some renderer, might take for a code block is a `Problem` with file and line.

The scanner does not try to be Markdown: `rendered` compares what it claims with what readers see.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "py": frozenset({"session", "raises", "run", "needs"}),
    "console": frozenset({"session", "needs"}),
    "json": frozenset({"session", "file"}),
    "toml": frozenset({"pyproject", "file"}),
    "yaml": frozenset({"file"}),
    "text": frozenset(),
    "mermaid": frozenset({"run", "needs", "unrecorded"}),
}
"""The house grammar: the languages, and what each may say about itself."""
EVERYWHERE = frozenset({"title", "hl_lines", "unrun", "by"})
"""Attributes of every language: two for the eye, a reason not to run, the name of a check that is not ours."""
NEEDED: Mapping[str, tuple[str, ...]] = {"json": ("file",), "toml": ("pyproject", "file"), "yaml": ("file",)}

_FENCE = re.compile(r"( *)(`{3,})(.*)")
_INFO = re.compile(r"([a-z][a-z0-9+-]*)(?: \{(.+)\})?")
_ATTRIBUTE = re.compile(r' *([a-z_]+)="([^"]*)"')
_LOADS = r"^\s*;*-+8<-+"
_SNIPPET = re.compile(r'--8<-- "([^":]+)"')
_CONTAINER = re.compile(r"( *)(?:(?:!!!|\?\?\?\+?|===[!+]?) |[-*+] +\S|\d+[.)] +\S|\[\^[^\]]+\]:|: +\S)")
_DOCSTRING_SECTION = re.compile(r"( *)[A-Z][A-Za-z ]*:$")
_SMELLS = (
    (re.compile(r"^[\s>]*~~~"), "a fence of tildes: use backticks"),
    (re.compile(r"<(pre|code|textarea|xmp|script)\b", re.I), "raw HTML that shows code: use a fence"),
    (re.compile(r"class=[\"'][^\"']*\bmermaid\b"), "a diagram in raw HTML: use a mermaid fence"),
    (re.compile(r"```"), "three backticks that open no fence: a fence stands alone on its line"),
    (re.compile(r"^\s*(>>>|\.\.\.) "), "a doctest prompt: use a py fence"),
    (re.compile(r"^[\s>]*>\s?( {4}|\t)\s*\S"), "indented code in a quote: use a fence outside of the quote"),
    (re.compile(_LOADS), "a snippet outside of a py fence"),
    (re.compile(r"^ *\t"), "a tab at the start of a line: indent with spaces"),
    (re.compile(r"[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"), "a character that some tools take for a line end"),
    (re.compile(r"^\ufeff"), "a byte order mark"),
)


@dataclass(frozen=True)
class Block:
    """One code block: where it stands, what it says about itself, and its text."""

    path: str
    """The page, relative to the root, with forward slashes."""
    line: int
    """The line of the opening fence."""
    language: str
    attributes: Mapping[str, str] = field(hash=False)
    text: str
    """The lines without indent, each with its line end; "" for an empty block."""
    source: str
    """The file that holds the text: the page, or the program that it includes."""
    first_line: int
    """The line in `source` of the first line of the text."""
    indent: int
    """How many spaces stand before each line in `source`."""

    @property
    def name(self) -> str:
        """The page and line, as editors and terminals link them."""
        return f"{self.path}:{self.line}"

    def get(self, attribute: str) -> str | None:
        """Return the value of the attribute, None if the block does not have it."""
        return self.attributes.get(attribute)


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong at a line of a file."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


Found = tuple[list[Block], list[Problem]]
Report = Callable[[int, str], None]


def scan_page(root: Path, path: str) -> Found:
    """Return the blocks of a Markdown file, and all that is not in the house grammar."""
    text = (root / path).read_bytes().decode()
    return scan_text(root, path, text.replace("\r\n", "\n").split("\n"))


def scan_docstrings(root: Path, path: str) -> Found:
    """Return the blocks in the docstrings of a Python file, those below attributes included."""
    blocks: list[Block] = []
    problems: list[Problem] = []
    code = (root / path).read_bytes().decode()
    source = code.split("\n")
    for constant in docstrings(ast.parse(code)):
        lines = str(constant.value).split("\n")
        held = source[constant.lineno - 1 : constant.end_lineno]
        same = len(lines) == len(held) and all(line in row for line, row in zip(lines, held, strict=True))
        if "```" in str(constant.value) and not same:
            problems.append(Problem(path, constant.lineno, "the text differs from the file: make it a raw docstring"))
            continue
        margin = min((_indent(line) for line in lines[1:] if line.strip()), default=0)
        lines = [lines[0], *(line[margin:] for line in lines[1:])]
        found, wrong = scan_text(root, path, lines, (constant.lineno - 1, margin))
        blocks += found
        problems += wrong
    return blocks, problems


def docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield every string that stands alone where documentation does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def scan_text(root: Path, path: str, lines: list[str], docstring: tuple[int, int] | None = None) -> Found:
    """Scan the lines of a page, or of a docstring: how many lines stand above it, and its indent in the file."""
    before, margin = docstring or (0, 0)
    blocks: list[Block] = []
    problems: list[Problem] = []
    containers: list[int] = []  # the indent of the text in each open admonition, tab and list item
    comment = False

    def problem(index: int, message: str) -> None:
        problems.append(Problem(path, before + index + 1, message))

    at = 0 if docstring else _front_matter(lines)
    blank = True
    while at < len(lines):
        line = lines[at]
        indent = _indent(line)
        if comment:
            if "```" in line or "~~~" in line:
                problem(at, "a fence in an HTML comment")
            comment = "-->" not in line
        elif not line.strip():
            blank = True
        else:
            if blank:  # without a blank line, a line of less indent still belongs to its paragraph
                while containers and indent < containers[-1]:
                    containers.pop()
            inner = containers[-1] if containers else 0
            fence = _FENCE.fullmatch(line)
            if fence and "`" not in fence[3]:
                if indent != 0 and indent not in containers:
                    problem(at, f"a fence indented by {indent} where the text around it is indented by {inner}")
                while containers and indent < containers[-1]:
                    containers.pop()
                end = _closing(lines, at, fence, problem)
                if end is None:
                    break
                block = _block(root, path, lines[at + 1 : end], fence, before + at + 1, margin, problem, at)
                if block:
                    blocks.append(block)
                at, blank = end + 1, True
                continue
            for pattern, message in _SMELLS:
                if pattern.search(line):
                    problem(at, message)
                    break
            if blank and indent >= inner + 4:
                problem(at, "indented code, or text that is indented by four too many")
            opener = _CONTAINER.match(line) or (docstring and _DOCSTRING_SECTION.fullmatch(line))
            if opener:
                while containers and len(opener[1]) < containers[-1]:
                    containers.pop()
                containers.append(len(opener[1]) + 4)
            comment = "<!--" in line and "-->" not in line.rpartition("<!--")[2]
            blank = line.lstrip().startswith("#")  # a heading ends its paragraph
        at += 1
    return blocks, problems


def _front_matter(lines: list[str]) -> int:
    if lines[0] == "---" and "---" in lines[1:]:
        return lines.index("---", 1) + 1
    return 0


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _closing(lines: list[str], at: int, fence: re.Match[str], problem: Report) -> int | None:
    """Return the index of the closing fence; None, and a problem, if the block does not end as it began."""
    for index in range(at + 1, len(lines)):
        line = lines[index]
        if line == fence[1] + fence[2]:
            return index
        if line.strip() and (set(line.strip()) == {"`"} and len(line.strip()) >= len(fence[2])):
            problem(index, f"a closing fence that differs from line {at + 1} of the text in indent or length")
            return None
        if line.strip() and _indent(line) < len(fence[1]):
            problem(index, "a line of a block that is indented less than its fence")
            return None
    problem(at, "a fence that is never closed")
    return None


def _block(
    root: Path, path: str, body: list[str], fence: re.Match[str], line: int, margin: int, problem: Report, at: int
) -> Block | None:
    info = _INFO.fullmatch(fence[3])
    if not info:
        problem(at, f'not `lang` or `lang {{key="value"}}`: {fence[3]!r}')
        return None
    language, rest = info[1], info[2] or ""
    attributes = dict(_ATTRIBUTE.findall(rest))
    wrong = _wrong(language, rest, attributes)
    if wrong:
        problem(at, wrong)
        return None
    indent = len(fence[1])
    text = "".join(row[indent:] + "\n" for row in body)
    if "\t" in text:
        problem(at + 1, "a tab in a block: readers would copy spaces")
        return None
    if not re.search(_LOADS, text, re.M):
        return Block(path, line, language, attributes, text, path, line + 1, indent + margin)
    snippet = _SNIPPET.fullmatch(text.rstrip("\n"))
    if language != "py" or not snippet or not (root / snippet[1]).is_file():
        problem(at, 'a snippet that is not one whole existing file in a py fence: --8<-- "examples/x.py"')
        return None
    program = (root / snippet[1]).read_bytes().decode()
    return Block(path, line, language, attributes, program, snippet[1], 1, 0)


def _wrong(language: str, rest: str, attributes: Mapping[str, str]) -> str | None:
    """Say what the house grammar has against this fence."""
    pairs = _ATTRIBUTE.findall(rest)
    if "".join(f' {key}="{value}"' for key, value in pairs) != (f" {rest}" if rest else ""):
        return f'attributes that are not key="value" with one space between: {rest}'
    if len(pairs) != len(attributes):
        return "the same attribute twice"
    if "unrun" in attributes:
        return None if attributes["unrun"].strip() else "unrun without a reason"
    if language not in ATTRIBUTES:
        return f"unknown language {language!r}: {', '.join(ATTRIBUTES)}"
    unknown = attributes.keys() - ATTRIBUTES[language] - EVERYWHERE
    if unknown:
        return f"unknown attribute of {language}: {', '.join(sorted(unknown))}"
    if "by" in attributes:
        return None
    if not attributes.get("needs", "x").strip():
        return "needs without a name"
    if language in NEEDED and not set(NEEDED[language]) & attributes.keys():
        return f"{language} without {' or '.join(NEEDED[language])}: nothing to compare it with"
    if language == "json" and "session" not in attributes:
        return "json without the session that writes the file"
    if language == "text" and attributes.get("title") != "Output":
        return 'text that is nobody\'s output: say title="Output" below a script'
    return _wrong_diagram(attributes) if language == "mermaid" else _wrong_run(attributes)


def _wrong_diagram(attributes: Mapping[str, str]) -> str | None:
    if not attributes.get("unrecorded", "x").strip():
        return "unrecorded without a reason"
    if "unrecorded" in attributes and "run" in attributes:
        return "unrecorded beside the recording that it is"
    if "needs" in attributes and "run" not in attributes:
        return "needs without the recording that needs it"
    return None


def _wrong_run(attributes: Mapping[str, str]) -> str | None:
    run = attributes.get("run")
    if run not in (None, "script", "file"):
        return f'run="{run}": it is "script" or "file"'
    if run and not re.fullmatch(r"[\w-]+(/[\w-]+)*\.py", attributes.get("title", "")):
        return "run without a title that is the program's file name"
    if run and "raises" in attributes:
        return "raises is for blocks that run in process; a script's failure goes into a console block"
    if run == "file" and "session" not in attributes:
        return 'run="file" without the session that uses it'
    return None
