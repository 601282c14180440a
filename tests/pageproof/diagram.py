"""Draw a diagram with the real Mermaid, and refuse what Mermaid draws without a word, but wrong.

A sequence diagram is read line by line; a line that is not understood here is refused, so that no fault hides in one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import cache

import mermaidx  # type: ignore[import-untyped]

from .failure import BlockFailed
from .scan import Block

PARTICIPANTS = 4
MESSAGES = 12
KINDS = ("sequenceDiagram", "stateDiagram-v2", "flowchart")

_DECLARATION = re.compile(r"(?:create )?(?:participant|actor) (\w+)(?: as (.+))?")
_MESSAGE = re.compile(r"(\w+) ?(<<-->>|<<->>|-->>|->>|-->|->|--x|-x|--\)|-\)) ?[+-]?(\w+): ?(.+)")
_NOTE = re.compile(r"[Nn]ote (?:over|left of|right of) (\w+)(?:, ?(\w+))?: ?(.+)")
_LIFE = re.compile(r"(?:activate|deactivate|destroy) (\w+)")
_FRAME = re.compile(r"(?:(?:loop|alt|else|opt|par|and|critical|option|break)\b ?(.*)|end|autonumber|rect rgb.*|box.*)")
_COLOUR = re.compile(r"\b(?:fill|stroke|color|background)\s*:|\brgba?\(|\bhsla?\(|^\s*(?:rect|box)\b|%%\{", re.M)
_ENTITY = re.compile(r"#(?:\d+|[a-z]+);")


Draw = Callable[[str], str]
"""Returns the SVG of a diagram, or raises an error whose text is Mermaid's own."""


def mermaid(text: str) -> str:
    """Draw the diagram as Mermaid does where nobody has set it up: half a second for each."""
    return str(mermaidx.render(text).svg())


def check(block: Block, draw: Draw = mermaid) -> None:
    """Lint the diagram, draw it, and look for its words in the drawing."""
    lines = block.text.splitlines()
    kind = lines[0].split(" ")[0] if lines else ""
    if kind not in KINDS:
        raise BlockFailed(block, f"a diagram begins with {', '.join(KINDS)} (nothing above it), not {kind!r}")
    body = [(block.first_line + at, line.strip()) for at, line in enumerate(lines) if at and line.strip()]
    body = [(number, line) for number, line in body if not line.startswith("%%") or line.startswith("%%{")]
    if not body:
        raise BlockFailed(block, "an empty diagram")
    for number, line in body:
        if _COLOUR.search(line):
            raise BlockFailed(block, "a hard-coded colour or theme: unreadable in one of the two schemes", number)
        if "#" in _ENTITY.sub("", line):
            raise BlockFailed(block, "`#`: what follows it is not drawn. Write #35; or leave it out", number)
    labels = _sequence(block, body) if kind == "sequenceDiagram" else _graph(block, body)
    drawn = _drawn(block, draw)
    for number, label in labels:
        if _bare(label) not in drawn:
            raise BlockFailed(block, f"not drawn as it is written: {label}", number)


def _sequence(block: Block, body: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return what has to be readable in the drawing of a sequence diagram."""
    declared: dict[str, int] = {}
    used: set[str] = set()
    labels: list[tuple[int, str]] = []
    messages = 0
    for number, line in body:
        names: list[str | None] = []
        if found := _DECLARATION.fullmatch(line):
            declared[found[1]] = number
            labels.append((number, found[2] or found[1]))
        elif found := _MESSAGE.fullmatch(line):
            names = [found[1], found[3]]
            messages += 1
            labels.append((number, found[4]))
            used |= {found[1], found[3]}
        elif found := _NOTE.fullmatch(line):
            names = [found[1], found[2]]
            labels.append((number, found[3]))
        elif found := _LIFE.fullmatch(line):
            names = [found[1]]
        elif re.match(r"(classDef|class|style)\b", line):
            raise BlockFailed(block, "sequence diagrams know no classDef, class or style", number)
        elif found := _FRAME.fullmatch(line):
            labels += [(number, found[1])] if found[1] else []
        else:
            raise BlockFailed(block, f"not understood: {line}", number)
        for name in names:
            if name and name not in declared:
                raise BlockFailed(block, f"{name} is not declared above: Mermaid draws one more participant", number)
    for name, number in declared.items():
        if name not in used:
            raise BlockFailed(block, f"participant {name} takes part in nothing", number)
    if not messages:
        raise BlockFailed(block, "a sequence diagram without a message")
    if len(declared) > PARTICIPANTS:
        raise BlockFailed(block, f"{len(declared)} participants; at most {PARTICIPANTS} can be followed")
    if messages > MESSAGES:
        raise BlockFailed(block, f"{messages} messages; at most {MESSAGES} can be followed")
    return labels


def _graph(block: Block, body: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return what has to be readable in the drawing of a flowchart or a state diagram."""
    defined = {name for _, line in body for name in re.findall(r"^classDef (\w+)", line)}
    for number, line in body:
        used = re.findall(r":::(\w+)", line) + re.findall(r"^class \S+ (\w+)", line)
        for name in used:
            if name not in defined:
                raise BlockFailed(block, f"class {name} has no classDef", number)
    if not any(re.search(r"--|==|-\.", line) for _, line in body):
        raise BlockFailed(block, "a diagram without an arrow")
    quoted = [(number, label) for number, line in body for label in re.findall(r'"([^"]+)"', line)]
    arrows = [(number, found[1]) for number, line in body if (found := re.search(r"-->[^:]*[^:]: (.+)$", line))]
    piped = [(number, label) for number, line in body for label in re.findall(r"\|([^|\"]+)\|", line)]
    return quoted + arrows + piped


def _bare(text: str) -> str:
    """Leave out what a drawing may change: spaces, line breaks, the marks of entities and Markdown."""
    text = re.sub(r"#(\d+);", lambda entity: chr(int(entity[1])), text)
    text = re.sub(r"#([a-z]+);", lambda entity: html.unescape(f"&{entity[1]};"), text)
    return re.sub(r"\s|[`*]", "", re.sub(r"<br ?/?>", "", text))


def _drawn(block: Block, draw: Draw) -> str:
    """Return the bare text of the drawing."""
    drawn, error = _svg(block.text, draw)
    if error:
        # Mermaid shows the line and a caret below it; the caret's own line says nothing to a page's writer.
        line = re.search(r"line (\d+)", error)
        raise BlockFailed(block, f"Mermaid: {error}", block.first_line + int(line[1]) - 1 if line else None)
    svg = re.sub(r"<style.*?</style>", "", drawn, flags=re.S)
    return _bare(html.unescape(re.sub(r"<[^>]*>", "", svg)))


@cache  # once for each text, however often its page is spoiled
def _svg(text: str, draw: Draw) -> tuple[str, str]:
    try:
        return draw(text), ""
    except Exception as error:  # whatever the engine raises, the diagram cannot be drawn
        return "", str(error) or type(error).__name__
