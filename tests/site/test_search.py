"""Whoever has seen something go wrong finds the guarantee against it by the words for what was seen."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser

from tests.site.browser import VIEWS, Reader, faults_of, reader
from tests.site.build import BuiltSite, page_of, page_sources

# What readers call what they have seen, and the guarantee that keeps it away.
SEEN = {
    "lost message": "no-lost-update",
    "lost update": "no-lost-update",
    "messages disappear": "no-lost-update",
    "overwritten message": "no-lost-update",
    "race condition": "no-lost-update",
    "stale read": "read-fresh",
    "outdated history": "read-fresh",
    "torn read": "all-or-nothing",
    "half file": "all-or-nothing",
    "truncated file": "all-or-nothing",
    "power loss": "durable",
    "killed process": "durable",
    "lost field": "nothing-else-changes",
    "wiped field": "nothing-else-changes",
    "damaged file": "damage-is-kept",
    "corrupt file": "damage-is-kept",
    "invalid json": "damage-is-kept",
    "another user's messages": "ids-are-apart",
    "path traversal": "ids-are-apart",
    "field not cleared": "none-is-a-value",
    "half replaced history": "replace-is-one-step",
    "wrong snapshot": "snapshot-is-exact",
    "orphan": "tree-is-sound",
    "deadlock": "waiting-is-bounded",
    "hangs": "waiting-is-bounded",
    "stale cache": "cache-is-invisible",
    "lost turn": "a-turn-is-kept",
    "lost stream": "a-turn-is-kept",
}


@pytest.fixture(scope="module")
def window(browser: Browser, built_site: BuiltSite) -> Iterator[Reader]:
    """Open the home page in one window for all searches."""
    with reader(browser, built_site, VIEWS[0]) as it:
        it.open("")
        yield it


def search(it: Reader, words: str) -> list[str]:
    """Type the words into the search, and return the addresses of the pages it finds, best first."""
    box = it.page.locator("[data-md-component=search-query]")
    results = it.page.locator("li.md-search-result__item > a.md-search-result__link")
    # Material listens to keys: without results, then all but the last letter at once, it answers the whole only.
    box.press("ControlOrMeta+a")
    box.press("Backspace")
    results.first.wait_for(state="detached")
    box.fill(words[:-1])
    box.press(words[-1])
    results.first.wait_for()
    links = [urlsplit(str(each.get_attribute("href"))) for each in results.all()]
    return [link._replace(query="", fragment="").geturl().removeprefix(it.site.url) for link in links]


def test_every_guarantee_has_been_missed_by_somebody() -> None:
    """Nothing below looks at nothing: each guarantee is looked for."""
    slugs = {source.split("/")[1].removesuffix(".md") for source in page_sources() if source.startswith("guarantees/")}
    assert set(SEEN.values()) == slugs - {"index"}


@pytest.mark.parametrize(("words", "slug"), SEEN.items(), ids=SEEN)
def test_an_anomaly_finds_its_guarantee(window: Reader, words: str, slug: str) -> None:
    """The guarantee is the first page that a search for what it keeps away finds."""
    assert search(window, words)[0] == f"guarantees/{slug}/"


def test_the_anomaly_itself_is_found_too(window: Reader) -> None:
    """The page that shows an anomaly follows the guarantees against it."""
    assert "how-it-works/anomalies/" in search(window, "stale read")[:5]


def test_search_finds_a_guarantee_by_its_title(window: Reader, built_site: BuiltSite) -> None:
    """The search finds a guarantee by its title; the dialog passes axe, and a result leads to the page."""
    page = page_of(built_site.folder, "guarantees/read-fresh.md")
    assert search(window, page.heading)[0] == page.address
    home = page_of(built_site.folder, "index.md")
    assert faults_of(window, home.diagrams, accessibility=True) == []
    window.page.locator("a.md-search-result__link").first.click()
    window.page.wait_for_url(re.compile(re.escape(page.url)))
    assert not window.take_complaints()
