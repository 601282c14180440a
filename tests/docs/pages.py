"""The Markdown of this project, as the tests of its words and names read it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.docs.proof import ROOT

GUARANTEES = ROOT / "docs/guarantees"


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: str
    """Relative to the root of the project."""

    @cached_property
    def lines(self) -> list[str]:
        """Return its lines; the first is number 1."""
        return (ROOT / self.path).read_text("utf-8").splitlines()

    @cached_property
    def prose(self) -> list[tuple[int, str]]:
        """Return the lines outside of code blocks, with their numbers."""
        found: list[tuple[int, str]] = []
        closing = ""
        for number, line in enumerate(self.lines, 1):
            fence = re.match(r" *`{3,}", line)
            if closing:
                closing = "" if line == closing else closing
            elif fence:
                closing = fence[0]
            else:
                found.append((number, line))
        return found

    @cached_property
    def spans(self) -> list[tuple[int, str]]:
        """Return the text of each piece of inline code, with its line."""
        return [(number, span) for number, line in self.prose for span in re.findall(r"`([^`]+)`", line)]

    @cached_property
    def defined(self) -> set[str]:
        """Return the functions and classes that the programs define which the page includes."""
        included = re.findall(r'^--8<-- "(examples/[^"]+[.]py)"$', "\n".join(self.lines), re.MULTILINE)
        nodes = (node for name in included for node in ast.walk(ast.parse((ROOT / name).read_text("utf-8"))))
        return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}

    @cached_property
    def tables(self) -> list["Table"]:
        """Return its tables."""
        found: list[Table] = []
        heading = ""
        table: Table | None = None
        for number, line in self.prose:
            if line.startswith("#"):
                heading = line.lstrip("# ")
            if not line.lstrip().startswith("|"):
                table = None
                continue
            cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if table is None:
                table = Table(number, heading, cells, [])
                found.append(table)
            elif set("".join(cells)) - set("-: "):
                table.rows.append(cells)
        return found

    def quote(self) -> str:
        """Return its first quotation, as one line."""
        lines = [line for _, line in self.prose]
        start = next((at for at, line in enumerate(lines) if line.startswith("> ")), None)
        if start is None:
            return ""
        end = next((at for at in range(start, len(lines)) if not lines[at].startswith(">")), len(lines))
        return " ".join(line.lstrip("> ") for line in lines[start:end])


@dataclass(frozen=True)
class Table:
    """A table of a page, with the heading that it stands under."""

    line: int
    heading: str
    header: list[str]
    rows: list[list[str]]


def pages(*patterns: str) -> Iterator[Page]:
    """Yield the Markdown files that match, sorted."""
    for file in sorted({file for pattern in patterns for file in ROOT.glob(pattern)}):
        yield Page(file.relative_to(ROOT).as_posix())


SITE = tuple(pages("docs/**/*.md"))
EVERY = tuple(pages("docs/**/*.md", "*.md", "tests/**/README.md"))
