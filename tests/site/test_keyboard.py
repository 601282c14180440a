"""Whoever has no mouse gets everywhere: from the top of a page, into the search, and through tabs."""

from playwright.sync_api import Browser, Page

from tests.site.browser import VIEWS, reader
from tests.site.build import BuiltSite, page_of

# What has the focus, whether it is seen, and how it is marked.
FOCUSED = """() => {
  const it = document.activeElement
  // The switch of the scheme is an input without a size; its label beside it is what is seen.
  // The search opens when it is reached, and its list, which is empty then, can be scrolled.
  const shown = it.matches("input.md-option") ? it.nextElementSibling
    : it.matches(".md-search__scrollwrap") ? it.closest(".md-search__inner") : it
  const { width, height } = shown.getBoundingClientRect()
  return { tag: it.localName, words: it.textContent.trim(), label: it.getAttribute("aria-label"), id: it.id,
    seen: width > 0 && height > 0, inside: it.closest("article") !== null }
}"""


def test_the_first_key_leads_past_the_navigation(browser: Browser, built_site: BuiltSite) -> None:
    """The first stop of the Tab key is a link that skips to the content, and it does."""
    with reader(browser, built_site, VIEWS[0]) as it:
        it.open("guarantees/read-fresh/")
        it.page.keyboard.press("Tab")
        first = it.page.evaluate(FOCUSED)
        assert (first["words"], first["seen"]) == ("Skip to content", True)
        it.page.keyboard.press("Enter")
        it.page.wait_for_function("() => document.querySelector('article :target')")
        it.page.keyboard.press("Tab")
        assert it.page.evaluate(FOCUSED)["inside"], it.page.evaluate(FOCUSED)
        assert it.take_complaints() == []


def stops(page: Page) -> list[str]:
    """Press Tab through the whole page, and return what each stop is called; it ends, and each stop is seen."""
    found: list[str] = []
    for _ in range(400):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["tag"] == "body":
            return found
        assert focused["seen"], f"after {found[-3:]} the focus is on something that is not seen: {focused}"
        found.append(focused["label"] or focused["words"] or focused["id"])
    raise AssertionError("the focus never leaves the page")


def test_tab_goes_through_the_page(browser: Browser, built_site: BuiltSite) -> None:
    """Each stop is seen, and among them are the search, the pages, the copy buttons, the diagram, the next page."""
    page = page_of(built_site.folder, "guarantees/read-fresh.md")
    with reader(browser, built_site, VIEWS[0]) as it:
        it.open(page.address)
        found = stops(it.page)
        assert {"Search", "Diagram", "No update is lost", "Does not mean"} <= set(found)
        assert found.count("Copy to clipboard") == len(page.code_blocks)
        assert [each for each in found if each.startswith("Next")]


FIRST_RESULT = "li.md-search-result__item:first-child > a.md-search-result__link"


def test_the_search_needs_no_mouse(browser: Browser, built_site: BuiltSite) -> None:
    """`/` opens the search, arrows choose a result, Enter opens it, and Escape closes the search."""
    with reader(browser, built_site, VIEWS[0]) as it:
        it.open("")
        keys = it.page.keyboard
        keys.press("/")
        assert it.page.evaluate(FOCUSED)["label"] == "Search"
        keys.type("stale read")
        # Each letter asks anew, and is answered when the search has come to it.
        answered = it.page.locator(f"{FIRST_RESULT}[href*='guarantees/read-fresh/']")
        answered.wait_for()
        keys.press("Escape")
        assert not it.page.locator("[data-md-toggle=search]").is_checked()
        keys.press("/")
        answered.wait_for()
        keys.press("ArrowDown")
        it.page.wait_for_function("() => document.activeElement.classList.contains('md-search-result__link')")
        keys.press("Enter")
        it.page.wait_for_url("**/guarantees/read-fresh/**")
        assert it.take_complaints() == []
