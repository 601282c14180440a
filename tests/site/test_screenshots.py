"""Every page at three widths in both schemes: each looks as it did when somebody last looked and accepted it.

What is kept of a screenshot is its height and a few hundred shades of grey, so that the repository stays small:
a changed sentence passes, a style that is gone, a colour, a box that moved or a page that grew do not.
`FULL_GRID=1 python3 dev.py test -n 0 tests/site/test_screenshots.py --update-examples` accepts what is there now;
without `FULL_GRID=1`, a sample is looked at and accepted.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import pytest
from playwright.sync_api import Browser

from tests.full_grid import FULL_GRID
from tests.site.browser import Reader, View, axe_faults, reader
from tests.site.build import SITE_URL, BuiltSite, page_of, page_sources
from tests.site.looks import FONT_CSS, difference, font, look

ACCEPTED = Path(__file__).parent / "looks.json"
Scheme = Literal["light", "dark"]
WIDTHS = (1280, 768, 390)
SAMPLE = ("index.md", "guarantees/read-fresh.md")
CASES = [
    pytest.param(source, scheme, id=f"{source}-{scheme}")
    for source in page_sources()
    for scheme in get_args(Scheme)
    if FULL_GRID or source in SAMPLE
]
NO_INDEX = {"config": {"lang": ["en"], "separator": " ", "pipeline": [], "fields": {}}, "docs": []}
SHADE = 0.02
"""How far the shades may be apart on average: moved words are within it, a missing style sheet is far beyond."""
GROWTH = 0.05
"""How much a page may grow or shrink: a paragraph, not a picture."""


@pytest.fixture
def accepted() -> dict[str, list[object]]:
    """Give what was accepted last: the height and the shades, by page and view."""
    return json.loads(ACCEPTED.read_text("utf-8"))  # type: ignore[no-any-return]


def opened(it: Reader, address: str) -> None:
    """Open the page, in a font that is the same everywhere."""
    it.page.route(f"{SITE_URL}everywhere.ttf", lambda route: route.fulfill(body=font(), content_type="font/ttf"))
    # Half of the time that a page takes goes into the index of a search that nobody asks here.
    it.page.route("**/search/search_index.json", lambda route: route.fulfill(json=NO_INDEX))
    it.open(address)
    it.page.add_style_tag(content=FONT_CSS.replace("FONT", f"{SITE_URL}everywhere.ttf"))
    it.page.evaluate("() => document.fonts.load('16px Everywhere')")
    assert it.page.evaluate("() => document.fonts.check('16px Everywhere')")


def seen(it: Reader) -> tuple[int, bytes, bytes]:
    """Return the height of the page that is open, its shades, and the screenshot."""
    picture = it.page.screenshot(full_page=True, animations="disabled")
    assert it.take_complaints() == []
    return int.from_bytes(picture[20:24], "big"), look(it.page, picture), picture


@pytest.mark.parametrize(("source", "scheme"), CASES)
def test_a_page_looks_as_accepted(
    browser: Browser,
    built_site: BuiltSite,
    source: str,
    scheme: Scheme,
    accepted: dict[str, list[object]],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """Its height and its shades are what they were, on a desk, a tablet and a phone; axe has nothing against any."""
    wrong: list[str] = []
    with reader(browser, built_site, View(WIDTHS[0], scheme)) as it:
        opened(it, page_of(built_site.folder, source).address)
        for width in WIDTHS:
            it.page.set_viewport_size({"width": width, "height": 900})
            height, shades, picture = seen(it)
            name = f"{source} {View(width, scheme)}"
            if request.config.getoption("update_examples"):
                accepted[name] = [height, base64.b64encode(shades).decode()]
            elif fault := changed(accepted.get(name), height, shades):
                file = tmp_path / f"{width}.png"
                file.write_bytes(picture)
                wrong.append(f"{name}: {fault}, see {file}")
            if width == 768:  # at the other widths it is asked where pages are loaded directly
                wrong += axe_faults(it.page)
    if request.config.getoption("update_examples"):
        kept = {each: accepted[each] for each in sorted(accepted) if each.split()[0] in page_sources()}
        lines = ",\n".join(f"{json.dumps(each)}: {json.dumps(value)}" for each, value in kept.items())
        ACCEPTED.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    assert not wrong, "\n".join(
        [*wrong, f"Look at it, then accept it: the first lines of {Path(__file__).name} say how"]
    )


def changed(before: list[object] | None, height: int, shades: bytes) -> str:
    """Say how a page has changed since it was accepted: nothing, where it has not."""
    if before is None:
        return "was never accepted"
    height_before, shades_before = before
    assert isinstance(height_before, int)
    if abs(height - height_before) > max(40, GROWTH * height_before):
        return f"{height} px high, was {height_before}"
    apart = difference(shades, base64.b64decode(str(shades_before)))
    return f"{apart:.3f} away from what was accepted" if apart > SHADE else ""


FAULTS = {
    "no colours": ":is(.md-header, pre > code, .md-footer) { background: #fff !important; color: #000 !important }",
    "no side bars": ".md-sidebar { display: none !important }",
    "narrow": ".md-typeset { max-width: 20rem }",
    "no diagrams": ".md-typeset .mermaid { display: none }",
    "large": ".md-typeset { font-size: 1rem !important }",
}


@pytest.fixture
def window(browser: Browser, built_site: BuiltSite) -> Iterator[Reader]:
    """Open a wide window in the light scheme."""
    with reader(browser, built_site, View(WIDTHS[0], "light")) as it:
        yield it


@pytest.mark.parametrize("fault", FAULTS)
def test_a_changed_style_is_seen(window: Reader, fault: str) -> None:
    """Each of these is further from the page than what passes."""
    opened(window, "")
    height, shades, _ = seen(window)
    window.page.add_style_tag(content=FAULTS[fault])
    height_now, shades_now, _ = seen(window)
    assert changed([height, base64.b64encode(shades).decode()], height_now, shades_now)


def test_every_page_was_accepted(accepted: dict[str, list[object]]) -> None:
    """Every page was accepted in every view, nothing else is kept, and it is little."""
    wanted = {
        f"{source} {View(width, scheme)}"
        for source in page_sources()
        for width in WIDTHS
        for scheme in get_args(Scheme)
    }
    assert set(accepted) == wanted
    assert ACCEPTED.stat().st_size < 400_000
