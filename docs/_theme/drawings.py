"""Draws the diagrams of the site while it is built, so that a reader's browser needs no Mermaid.

mermaidx runs Mermaid's own file in an embedded JavaScript engine: neither a browser nor Node is needed to build.
`assets/diagrams.js` draws the same in the browser while a writer works, from the same settings.
"""

import html
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.dom.minidom import Element, Text, parseString

from mermaidx.engines import quickjs_engine  # type: ignore[import-untyped]

SETTINGS = Path(__file__).parent.parent / "assets/diagrams.json"
ID = "my-svg"
"""What mermaidx calls each drawing; on a page each gets a name of its own."""

# Most of a drawing is measuring its words, and each time the shim of mermaidx looks for the style sheet in the whole
# document and takes each selector apart. The sheet is there before the first word is measured, and stays as it is.
_REMEMBER = """
(() => {
  const look = __getCssRules, reset = __resetDocument, parse = __parseComplex, split = __splitTopLevel
  let rules = []
  __resetDocument = () => { rules = []; reset() }
  __getCssRules = () => rules.length ? rules : rules = look()
  const remembering = (work, known = new Map()) => text => known.get(text) ?? known.set(text, work(text)).get(text)
  __parseComplex = remembering(parse)
  const parts = remembering(text => split(text.trim(), letter => letter === ",").map(([part]) => part.trim()))
  __matches = (element, text) => parts(text).some(part => __matchesSimple(element, part))
})()
"""


class CannotBeDrawn(Exception):
    """Mermaid refuses the diagram; the message is Mermaid's own."""


class _Engine(quickjs_engine.Engine):  # type: ignore[misc]
    """Keeps its context for all drawings: to load Mermaid takes longer than to draw.

    What Mermaid then numbers on from one drawing to the next is in ids that `_tidy` leaves out.
    """

    def _ensure_fresh_context(self) -> None:
        if self._ctx is None:
            super()._ensure_fresh_context()

    def _build_context(self) -> Any:
        context = super()._build_context()
        context.eval(_REMEMBER)
        return context


@cache
def _engine() -> _Engine:
    engine = _Engine()
    engine.start()
    return engine


def draw(source: str) -> str:
    """Return the drawing as an SVG element that may stand in a page, every id in it beginning with `ID`."""
    settings, colours = _settings()
    try:
        svg = _engine().render_svg(source, settings["theme"], settings, None)
    except quickjs_engine.MermaidRenderError as error:
        raise CannotBeDrawn(str(error)) from None
    return _coloured(_tidy(svg), colours)


def on_page(drawing: str, number: int, label: str, words: str) -> str:
    """Return the drawing as the page's diagram of this number, with what a screen reader says of it."""
    name = f"diagram-{number}"
    said = f'role="img" aria-label="{html.escape(label)}" aria-describedby="{name}-words"'
    first, rest = drawing.replace(ID, name).split(">", 1)
    return f'{first} {said}><desc id="{name}-words">{html.escape(words)}</desc>{rest}'


# Colours: Mermaid calculates with them, so it is given one that stands in for each variable of the page's style sheet.


@cache
def _settings() -> tuple[dict[str, Any], list[str]]:
    """Return Mermaid's settings, and the variables that its colours stand in for."""
    text = SETTINGS.read_text("utf-8")
    colours = list(dict.fromkeys(re.findall(r"var\(--[\w-]+\)", text)))
    for number, colour in enumerate(colours):
        text = text.replace(colour, f"#fe01{number:02x}")
    return json.loads(text), colours


def _coloured(svg: str, colours: list[str]) -> str:
    def variable(found: re.Match[str]) -> str:
        number = int(found["hex"], 16) if found["hex"] else int(found["number"])
        share = float(found["share"] or 1)
        return colours[number] if share == 1 else f"color-mix(in srgb, {colours[number]} {share:.0%}, transparent)"

    numbers = r"rgba?\(254, ?1, ?(?P<number>\d+)(?:, ?(?P<share>[\d.]+))?\)"
    return re.sub(rf"#fe01(?P<hex>[0-9a-f]{{2}})|{numbers}", variable, svg)


# Tidying: two thirds of what Mermaid writes is never seen.


def _tidy(svg: str) -> str:
    """Leave out rules, markers and names that nothing in the drawing uses, and say how large it is."""
    root = parseString(svg).documentElement
    assert root is not None
    elements = [root, *root.getElementsByTagName("*")]
    for style in root.getElementsByTagName("style"):
        for text in style.childNodes:
            assert isinstance(text, Text)
            text.data = _rules(text.data, elements)
    used = set(re.findall(r"(?:url\(|href=\")#([\w-]+)", root.toxml())) | {ID}
    for element in reversed(elements):  # what stands in another comes before it
        name, parent = element.getAttribute("id"), element.parentNode
        if name and name not in used:
            element.removeAttribute("id")
        unused = name not in used and element.nodeName in ("marker", "symbol", "filter", "linearGradient")
        empty = element.nodeName in ("g", "defs") and not element.hasChildNodes()
        if parent and (unused or empty):
            parent.removeChild(element)
    *_, width, height = root.getAttribute("viewBox").split()
    for attribute in ("aria-roledescription", "role"):  # the page says what it is
        root.removeAttribute(attribute)
    for attribute, value in (("width", width), ("height", height), ("style", f"--natural-width: {width}px")):
        root.setAttribute(attribute, value)
    return str(root.toxml())


def _rules(css: str, elements: list[Element]) -> str:
    """Return the rules that speak of what is in the drawing; `@keyframes` would speak to the whole page."""
    css = re.sub(r"@keyframes[^{]*\{(?:[^{}]*\{[^{}]*\})*\}", "", css)
    attributes = [pair for element in elements for pair in element.attributes.items()]
    words = {word for _, value in attributes for word in value.split()}
    names = words | {name for name, _ in attributes} | {element.nodeName for element in elements}

    def speaks(selector: str) -> bool:
        quoted = re.findall(r'"([^"]*)"', selector)
        bare = re.findall(r"[\w-]+", re.sub(r'"[^"]*"', "", selector))
        ends = (any(word.endswith(each) for word in words) for each in quoted)
        return ":root" not in selector and all(ends) and names.issuperset(bare)

    rules = re.findall(r"([^{}]+)(\{[^{}]*\})", css)
    kept = ((",".join(filter(speaks, selectors.split(","))), body) for selectors, body in rules)
    return "".join(selectors + body for selectors, body in kept if selectors)


# Words: what a screen reader says instead of the drawing.


def kind(source: str) -> str:
    """Return what sort of diagram it is."""
    word = re.match(r"[a-z]+", source.strip())
    kinds = {"sequence": "Sequence diagram", "state": "State diagram", "flowchart": "Flowchart"}
    return kinds.get(word[0], "Diagram") if word else "Diagram"


def describe(source: str) -> str:
    """Return the messages, notes and arrows of a diagram in words, in their order."""
    labels: dict[str, str] = dict(re.findall(r"^ *(?:participant|actor) (\w+) as (.+)$", source, re.M))
    labels |= {name: label for label, name in re.findall(r'^ *state "(.+)" as (\w+)$', source, re.M)}
    labels |= dict(re.findall(r'(\w+)\["([^"]+)"\]', source))
    said = []
    for line in re.sub(r'\["[^"]+"\]', "", source).splitlines():
        arrow = re.fullmatch(r" *(\S+?) ?(?:<?<?-[-.=>x)]+)(?:\|(.+)\|)? ?[+-]?(\S+?)(?:: ?(.+))?", line)
        note = re.fullmatch(r" *[Nn]ote .+?: ?(.+)", line)
        frame = re.fullmatch(r" *((?:loop|alt|else|opt|par|and|critical|option|break) .+)", line)
        if arrow:
            start, end = (labels.get(name, name).replace("[*]", "a point") for name in (arrow[1], arrow[3]))
            label = arrow[2] or arrow[4]
            said.append(f"{start} to {end}" + (f": {label}" if label else ""))
        elif found := note or frame:
            said.append(found[1])
    plain = re.sub(r"<br ?/?>", " ", ". ".join(said) + ".")
    return html.unescape(re.sub(r"#(\w+);", lambda found: f"&{'#' if found[1].isdigit() else ''}{found[1]};", plain))
