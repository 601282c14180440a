"""A sample of pages, widths and schemes: each looks as it did when somebody last looked and accepted it.

What is kept of a screenshot is its height and a few hundred shades of grey, so that the repository stays small:
a changed sentence passes, a style that is gone, a colour, a box that moved or a page that grew do not.
`python3 dev.py test -n 0 tests/site/test_screenshots.py --update-examples` accepts what is there now.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.site.browser import Reader, View, reader
from tests.site.build import SITE_URL, BuiltSite, page_of, page_sources
from tests.site.looks import FONT_CSS, difference, font, look

ACCEPTED = Path(__file__).parent / "looks.json"
VIEWS = [View(width, scheme) for width in (1280, 768, 390) for scheme in ("light", "dark")]
SAMPLE = {
    "index.md": (0, 5),
    "guarantees/read-fresh.md": (1, 4),
    "how-it-works/anomalies.md": (3,),
    "glossary.md": (2,),
}
CASES = [
    pytest.param(source, view, id=f"{source}-{view}")
    for source in page_sources()
    for number, view in enumerate(VIEWS)
    if number in SAMPLE.get(source, ())
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


def seen(it: Reader, address: str, css: str = "") -> tuple[int, bytes, bytes]:
    """Open the page, and return its height, its shades, and the screenshot."""
    it.page.route(f"{SITE_URL}everywhere.ttf", lambda route: route.fulfill(body=font(), content_type="font/ttf"))
    # Half of the time that a page takes goes into the index of a search that nobody asks here.
    it.page.route("**/search/search_index.json", lambda route: route.fulfill(json=NO_INDEX))
    it.open(address)
    it.page.add_style_tag(content=FONT_CSS.replace("FONT", f"{SITE_URL}everywhere.ttf") + css)
    it.page.evaluate("() => document.fonts.load('16px Everywhere')")
    assert it.page.evaluate("() => document.fonts.check('16px Everywhere')")
    picture = it.page.screenshot(full_page=True, animations="disabled")
    assert it.take_complaints() == []
    return int.from_bytes(picture[20:24], "big"), look(it.page, picture), picture


@pytest.mark.parametrize(("source", "view"), CASES)
def test_a_page_looks_as_accepted(
    browser: Browser,
    built_site: BuiltSite,
    source: str,
    view: View,
    accepted: dict[str, list[object]],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """Its height and its shades are what they were."""
    with reader(browser, built_site, view) as it:
        height, shades, picture = seen(it, page_of(built_site.folder, source).address)
    name = f"{source} {view}"
    if request.config.getoption("update_examples"):
        accepted[name] = [height, base64.b64encode(shades).decode()]
        kept = {each: accepted[each] for each in sorted(accepted) if each.split()[0] in page_sources()}
        lines = ",\n".join(f"{json.dumps(each)}: {json.dumps(value)}" for each, value in kept.items())
        ACCEPTED.write_text(f"{{\n{lines}\n}}\n", "utf-8")
        return
    (tmp_path / "seen.png").write_bytes(picture)
    how = f"Look at {tmp_path}/seen.png, then accept it: the first lines of {Path(__file__).name} say how"
    assert name in accepted, f"{name} was never accepted. {how}"
    before, shades_before = accepted[name]
    assert isinstance(before, int)
    apart = difference(shades, base64.b64decode(str(shades_before)))
    assert abs(height - before) <= max(40, GROWTH * before), f"{height} px high, was {before}. {how}"
    assert apart <= SHADE, f"{apart:.3f} away from what was accepted. {how}"


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
    with reader(browser, built_site, VIEWS[0]) as it:
        yield it


@pytest.mark.parametrize("fault", FAULTS)
def test_a_changed_style_is_seen(window: Reader, fault: str) -> None:
    """Each of these is further from the page than what passes."""
    height, shades, _ = seen(window, "")
    changed_height, changed, _ = seen(window, "", FAULTS[fault])
    grown = abs(changed_height - height) > max(40, GROWTH * height)
    assert grown or difference(changed, shades) > SHADE, f"{changed_height} px, {difference(changed, shades):.3f} away"


def test_every_page_was_accepted(accepted: dict[str, list[object]]) -> None:
    """Whatever the run looks at was accepted, nothing else is kept, and it is little."""
    wanted = {f"{case.values[0]} {case.values[1]}" for case in CASES}
    assert len(wanted) >= 6
    assert wanted <= set(accepted)
    assert {name.split()[0] for name in accepted} <= set(page_sources())
    assert ACCEPTED.stat().st_size < 400_000
