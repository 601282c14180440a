"""Every page, as readers see it: wide and on a phone, light and dark, loaded directly and reached by clicks.

The normal run clicks through the first pages on a dark phone, and loads every twelfth page directly, in one view each.
`FULL_GRID=1` looks at every page in every view both ways; .ci/run sets it.
"""

import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.full_grid import FULL_GRID
from tests.site.browser import VIEWS, View, faults_of, reader
from tests.site.build import DOCS, BuiltSite, SitePage, page_of, page_sources

SOURCES = page_sources()
CLICKED = 16
"""How many pages the normal run reaches by clicks."""


def report(faults: list[str], where: str) -> None:
    """Fail with everything that is wrong, and with nothing else: where a test stands does not help here."""
    if faults:
        pytest.fail("\n  ".join([where, *faults]), pytrace=False)


def views_of(number: int) -> tuple[View, ...]:
    """Return the views in which this page is loaded directly: all, or for every twelfth page one in turn."""
    if FULL_GRID:
        return VIEWS
    turn, rest = divmod(number, 12)
    return (VIEWS[turn % len(VIEWS)],) if rest == 0 else ()


def test_there_is_something_to_look_at(built_site: BuiltSite) -> None:
    """The site has pages and diagrams, and as many diagrams as the Markdown has fences for them."""
    fences = sum(len(re.findall(r"^\s*```+ ?\{?\.?mermaid", (DOCS / each).read_text(), re.M)) for each in SOURCES)
    assert len(built_site.pages) == len(SOURCES) >= 2
    assert sum(page.diagrams for page in built_site.pages) == fences >= 1


@pytest.mark.parametrize(
    ("source", "view"),
    [
        pytest.param(source, view, id=f"{source}-{view}")
        for number, source in enumerate(SOURCES)
        for view in views_of(number)
    ],
)
def test_page_loaded_directly(browser: Browser, built_site: BuiltSite, source: str, view: View) -> None:
    """A page that is loaded directly is whole, fits its window, asks nobody else, and passes axe."""
    page = page_of(built_site.folder, source)
    with reader(browser, built_site, view) as it:
        it.open(page.address)
        faults = faults_of(it, page.diagrams, accessibility=True)
    report(faults, f"docs/{source} in {view}:")


@pytest.mark.parametrize("view", VIEWS if FULL_GRID else VIEWS[-1:], ids=str)
def test_pages_reached_by_clicks(browser: Browser, built_site: BuiltSite, view: View) -> None:
    """A page that is reached by "next" is whole too: instant navigation runs no scripts of the page it goes to."""
    by_address = {page.address: page for page in built_site.pages}
    visited: list[str] = []
    faults: list[str] = []
    with reader(browser, built_site, view) as it:
        it.open("")
        it.page.evaluate("() => { window.loadedOnce = true }")
        while True:
            address = it.page.url.removeprefix(built_site.url)
            page = by_address[address]
            visited.append(address)
            # Axe takes longer than all else: in the normal run it looks at every fourth page,
            # and in the full grid at the pages that are loaded directly.
            looks = not FULL_GRID and len(visited) % 4 == 0
            found = faults_of(it, page.diagrams, accessibility=looks)
            faults += [f"docs/{page.source} in {view}: {fault}" for fault in found]
            onward = it.page.locator("a.md-footer__link--next")
            if not onward.count() or (not FULL_GRID and len(visited) == CLICKED):
                break
            onward.click()
            title = it.page.locator("article h1")
            it.page.wait_for_function("before => location.href !== before", arg=built_site.url + address)
            it.page.wait_for_function(
                "title => document.querySelector('article h1')?.textContent.startsWith(title)",
                arg=by_address[it.page.url.removeprefix(built_site.url)].heading,
            )
            assert title.count() == 1
            it.wait_for_diagrams()
        assert it.page.evaluate("() => window.loadedOnce"), "the clicks loaded pages anew instead of navigating"
    report(faults, "reached by clicks:")
    assert len(visited) == len(set(visited)) == (len(by_address) if FULL_GRID else CLICKED), (
        "not all are reached by next"
    )


def test_diagrams_follow_the_scheme(browser: Browser, built_site: BuiltSite) -> None:
    """Switching between light and dark gives the diagrams the colours of the new scheme, and back."""
    page = next(page for page in built_site.pages if page.diagrams)
    with reader(browser, built_site, VIEWS[0]) as it:
        it.open(page.address)
        text = it.page.locator("article div.mermaid svg text").first
        colours: list[str] = []
        for scheme in ("default", "slate", "default"):
            for _ in range(3):
                if it.page.locator("body").get_attribute("data-md-color-scheme") == scheme and colours[-1:] != [scheme]:
                    break
                it.page.locator("[data-md-component=palette] label:not([hidden])").click()
            it.page.wait_for_selector(f"body[data-md-color-scheme={scheme}]")
            colours.append(text.evaluate("element => getComputedStyle(element).fill"))
            report(faults_of(it, page.diagrams, accessibility=True), f"docs/{page.source} in the scheme {scheme}:")
    assert colours[0] == colours[2] != colours[1]


# What is seen of each drawing, in the order in which it is drawn: shapes, lines with their heads, and words.
SHOWN = r"""boxes => boxes.map(box => ({
  label: box.firstElementChild.getAttribute("aria-label"),
  words: box.querySelector("desc").textContent,
  parts: [...box.querySelectorAll("line, path, rect, polygon, circle, ellipse, text, foreignObject")]
    .filter(part => !part.closest("defs, marker, symbol"))
    .map(part => {
      const { fill, stroke, color, strokeDasharray } = getComputedStyle(part)
      const heads = ["marker-start", "marker-end"].map(end => part.getAttribute(end)?.replace(/#diagram-\d+/, "#"))
      const words = part.textContent.trim().replace(/\s+/g, " ")
      return [part.localName, part.getAttribute("class"), words, fill, stroke, color, strokeDasharray, ...heads]
    }),
}))"""


def of_every_kind(site: BuiltSite) -> list[SitePage]:
    """Return few pages on which stand all the statements and arrows that our diagrams are made of."""
    statements = r"(\w*Diagram|flowchart|note|state|participant|actor|loop|alt|opt|par|critical|break|subgraph)\b"
    pages, seen = [], set[str]()
    for page in sorted(site.pages, key=lambda page: page.diagrams):
        sources = "\n".join(box.get_text() for box in page.html.select("div.mermaid"))
        found = re.findall(rf"(?i)^ *{statements}|(<?<?-[-.=>x)]+)", sources, re.M)
        made_of = {statement.lower() or arrow for statement, arrow in found}
        if not made_of <= seen:
            pages.append(page)
            seen |= made_of
    return pages


def test_drawn_by_the_build_is_what_the_browser_draws(
    browser: Browser, built_site: BuiltSite, live_site: BuiltSite
) -> None:
    """Every drawing has the words, the parts and the colours of the one that Mermaid makes in the browser, in order.

    The normal run looks at a few pages, on which stands every kind of diagram, in one scheme.
    """
    pages = [page for page in live_site.pages if page.diagrams] if FULL_GRID else of_every_kind(live_site)
    looked_at, kinds = 0, set()
    for view in VIEWS[:2] if FULL_GRID else VIEWS[1:2]:
        with reader(browser, built_site, view) as built, reader(browser, live_site, view) as live:
            for page in pages:
                seen = []
                for each in (built, live):
                    each.open(page.address)
                    seen.append(each.page.locator("article div.mermaid").evaluate_all(SHOWN))
                assert seen[0] == seen[1], f"docs/{page.source} in {view}"
                assert len(seen[0]) == page.diagrams
                for drawing in seen[0]:
                    tags = {tag for tag, *_ in drawing["parts"]}
                    assert tags & {"line", "path"}, f"docs/{page.source}: nothing leads from one thing to another"
                    assert tags & {"text", "foreignObject"}, f"docs/{page.source}: no words"
                    kinds.add(drawing["label"].split(":")[0])
                    looked_at += 1
            report(built.take_complaints() + live.take_complaints(), "drawn by the build, and by the browser:")
    assert looked_at >= len(pages)
    assert kinds == {"Sequence diagram", "State diagram", "Flowchart"}


OVERFLOWING = """() => [...document.querySelectorAll("article div.mermaid rect:is(.actor, .note)")].flatMap(rect => {
  const box = rect.getBoundingClientRect()
  return [...rect.parentElement.querySelectorAll("text")].filter(text => {
    const words = text.getBoundingClientRect()
    return words.left < box.left || words.right > box.right
  }).map(text => text.textContent)
})"""


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_diagrams_need_no_javascript(browser: Browser, built_site: BuiltSite, view: View) -> None:
    """Without JavaScript, opened from the disk, every diagram is there, and its words fit into their boxes."""
    pages = [page for page in built_site.pages if page.diagrams]
    looked_at = 0
    with browser.new_context(
        viewport={"width": view.width, "height": 900}, color_scheme=view.scheme, java_script_enabled=False
    ) as context:
        window = context.new_page()
        for page in pages if FULL_GRID else pages[VIEWS.index(view) :: 4 * len(VIEWS)]:
            window.goto(page.file.as_uri())
            drawings = window.locator("article div.mermaid > svg")
            assert drawings.count() == page.diagrams, f"docs/{page.source}"
            for drawing in drawings.all():
                box = drawing.bounding_box()  # none in a closed tab
                assert box is None or min(box["width"], box["height"]) >= 40, f"docs/{page.source}"
                looked_at += 1
            assert window.evaluate(OVERFLOWING) == [], f"docs/{page.source}"
    assert looked_at >= 1


def test_diagrams_on_paper(browser: Browser, built_site: BuiltSite) -> None:
    """Printed from the dark scheme, diagrams are in the colours of the light one, and none is cut off at the side."""
    page = max(
        (page for page in built_site.pages if page.diagrams),
        key=lambda page: max(float(str(svg["viewbox"]).split()[2]) for svg in page.html.select("div.mermaid > svg")),
    )
    text = "() => getComputedStyle(document.querySelector('article .mermaid text')).fill"
    with reader(browser, built_site, VIEWS[0]) as light, reader(browser, built_site, VIEWS[1]) as dark:
        for it in (light, dark):
            it.open(page.address)
        assert dark.page.evaluate(text) != light.page.evaluate(text)
        dark.page.emulate_media(media="print")
        dark.page.set_viewport_size({"width": 700, "height": 1000})  # A4 within its margins
        assert dark.page.evaluate(text) == light.page.evaluate(text)
        cut_off = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length"
        assert dark.page.locator("article div.mermaid").evaluate_all(cut_off) == 0
        dark.page.emulate_media(media="screen")
        assert dark.page.locator("article div.mermaid").evaluate_all(cut_off) >= 1, "no diagram is wide enough to see"


FAULTS = {
    "<style>.mermaid > svg { width: 9px !important; min-width: 0 !important }</style>": "a drawing of 9 x",
    '<img alt="x" src="https://cdn.example/x.png">': "https://cdn.example/x.png, which is off the site",
    '<div style="width: 2000px">wide</div>': "scrolls sideways",
    "<script>throw new Error('thrown')</script>": "script error: thrown",
    "<script>console.error('said')</script>": "console error: said",
    '<p style="color: #aaa; background: #fff">pale</p>': "axe: color-contrast",
    "<button></button>": "axe: button-name",
}


def test_checks_can_fail(browser: Browser, live_site: BuiltSite, tmp_path: Path) -> None:
    """Each check finds the fault that it is for: a page with all of these shows them all, and a broken diagram too."""
    page = next(page for page in live_site.pages if page.diagrams == 1)
    spoiled = tmp_path / "site"
    shutil.copytree(live_site.folder, spoiled, copy_function=os.link)
    html = page.file.read_text("utf-8")

    def faults_with(changed: str) -> list[str]:
        assert changed != html
        (spoiled / page.address / "index.html").unlink()  # the link, so that the site of the other tests stays
        (spoiled / page.address / "index.html").write_text(changed, "utf-8")
        with reader(browser, BuiltSite(spoiled, ""), VIEWS[0]) as it:
            it.open(page.address)
            return faults_of(it, page.diagrams, accessibility=True)

    found = faults_with(html.replace("</article>", "".join(FAULTS) + "</article>"))
    for expected in FAULTS.values():
        assert any(expected in fault for fault in found), f"{expected!r} is not among {found}"
    found = faults_with(re.sub(r'(<div class="mermaid"[^>]*>\w+)', r"\1 ]]oops", html))
    assert "1 diagrams, 0 drawings" in found
    assert any(fault.startswith("console error: This diagram cannot be drawn") for fault in found), found


def test_missing_page_leads_on(browser: Browser, built_site: BuiltSite) -> None:
    """An address that does not exist, at any depth, answers with a page whose links work and which passes axe."""
    with reader(browser, built_site, VIEWS[0]) as it:
        it.page.goto(f"{built_site.url}no/such/page/")
        # The browser itself notes the status 404 on its console; nothing else may be there.
        faults = [fault for fault in faults_of(it, 0, accessibility=True) if "status of 404" not in fault]
        report(faults, "the page of a missing address:")
        assert it.page.locator("article h1").inner_text() == "There is no such page"
        it.page.get_by_role("link", name="What you can rely on").click()
        it.page.wait_for_url(f"{built_site.url}guarantees/")
