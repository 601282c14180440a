"""What the site gives to others: to editors, previews, search engines, printers, and to readers without a network."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.dom.minidom import parseString

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser

from tests.full_grid import FULL_GRID
from tests.site.browser import VIEWS, reader
from tests.site.build import DOCS, ROOT, BuiltSite
from tests.site.looks import difference, look


def test_the_site_map_lists_every_page(built_site: BuiltSite) -> None:
    """It names each page, and nothing else."""
    sitemap = parseString((built_site.folder / "sitemap.xml").read_bytes())
    listed = [element.firstChild.nodeValue for element in sitemap.getElementsByTagName("loc") if element.firstChild]
    assert sorted(str(each) for each in listed) == sorted(page.url for page in built_site.pages)


def test_a_preview_says_what_the_page_says(built_site: BuiltSite) -> None:
    """Whoever shares a page shows its title, its first sentence and the picture, under addresses that are whole."""
    for page in built_site.pages:
        said = {str(meta["property"]): str(meta["content"]) for meta in page.html.select("meta[property]")}
        assert said["og:url"] == page.url
        assert said["og:image"] == f"{built_site.url}assets/preview.png"
        assert said["og:title"].startswith("readfresh: ") if not page.address else said["og:title"]
        assert said["og:description"] == page.html.select_one("meta[name=description]")["content"]  # type: ignore[index]
    picture = (built_site.folder / "assets/preview.png").read_bytes()
    assert len(picture) < 100_000
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert {(width, height)} == {(1200, 630)} == {(int(said["og:image:width"]), int(said["og:image:height"]))}


def test_the_picture_is_the_drawing(browser: Browser, request: pytest.FixtureRequest) -> None:
    """`preview.png` shows what is drawn in `preview.svg`; `--update-examples` draws it anew."""
    drawing, picture = DOCS / "assets/preview.svg", DOCS / "assets/preview.png"
    with browser.new_context(viewport={"width": 1200, "height": 630}) as context:
        page = context.new_page()
        page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{drawing.read_text('utf-8')}")
        drawn = page.screenshot()
        if request.config.getoption("update_examples"):
            picture.write_bytes(drawn)
        assert difference(look(page, drawn), look(page, picture.read_bytes())) < 0.03
        page.locator("text", has_text="trip.json").evaluate("text => text.parentNode.parentNode.remove()")
        assert difference(look(page, page.screenshot()), look(page, picture.read_bytes())) > 0.03


def test_code_on_paper_is_whole(browser: Browser, built_site: BuiltSite) -> None:
    """Printed on A4, no line of code is cut off at the side."""
    cut_off = "blocks => blocks.filter(code => code.scrollWidth > code.clientWidth + 1).map(code => code.textContent)"
    with reader(browser, built_site, VIEWS[0]) as it:
        it.page.set_viewport_size({"width": 500, "height": 700})
        it.open("guarantees/no-lost-update/")
        code = it.page.locator("article .highlight pre > code")
        assert code.evaluate_all(cut_off), "no line is long enough to see"
        it.page.emulate_media(media="print")
        assert code.evaluate_all(cut_off) == []


def test_a_missing_page_offers_to_search_for_its_words(browser: Browser, built_site: BuiltSite) -> None:
    """Who follows an old address is one click from what the search finds for its last words."""
    with reader(browser, built_site, VIEWS[0]) as it:
        it.page.goto(f"{built_site.url}guides/stale-read.html")
        it.page.get_by_role("link", name="Search for “stale read”").click()
        found = it.page.locator("li.md-search-result__item > a.md-search-result__link").first
        found.wait_for()
        assert "guarantees/read-fresh/" in str(found.get_attribute("href"))


def built_with(folder: Path, **variables: str) -> Path:
    """Build the site with these variables."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"} | variables
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


if FULL_GRID:  # builds the site once more

    def test_a_site_from_the_disk_is_whole(browser: Browser, tmp_path: Path) -> None:
        """Unpacked and opened without a server, a site has pages, search and Markdown, and asks nobody."""
        feed = "https://readfresh.example/releases.atom"
        edit = "https://readfresh.example/edit/docs/"
        built_with(tmp_path / "readfresh-docs", OFFLINE="true", EDIT_URI=edit, FEED=feed)
        with zipfile.ZipFile(tmp_path / "readfresh-docs.zip") as packed:
            packed.extractall(tmp_path / "unpacked")
        home = tmp_path / "unpacked/readfresh-docs/index.html"
        with browser.new_context() as context:
            page = context.new_page()
            wrong: list[str] = []
            page.on(
                "console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None
            )
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url)
            )
            page.goto(home.as_uri())
            box = page.locator("[data-md-component=search-query]")
            box.fill("lost messag")
            box.press("e")
            page.locator("a.md-search-result__link").first.click()
            page.wait_for_url("**/readfresh-docs/guarantees/no-lost-update.html*")
            page.locator("a.md-footer__link--next").click()
            page.wait_for_url("**/readfresh-docs/guarantees/read-fresh.html")
            assert wrong == []
            # The same build has the links of whoever hosts it.
            assert page.locator("a.md-content__button[title='Edit this page']").get_attribute("href") == (
                f"{edit}guarantees/read-fresh.md"
            )
            assert page.locator("link[type='application/atom+xml']").get_attribute("href") == feed
        for html in home.parent.rglob("*.html"):
            for link in BeautifulSoup(html.read_bytes(), "html.parser").select("link[type='text/markdown']"):
                assert (html.parent / str(link["href"])).is_file(), html


def test_nobody_edits_a_site_that_nobody_hosts(built_site: BuiltSite) -> None:
    """Where no EDIT_URI and no FEED is given, no page has a link that would lead nowhere."""
    assert not [page.source for page in built_site.pages if page.html.select("link[type='application/atom+xml']")]
    assert not [page.source for page in built_site.pages if page.html.select("a.md-content__button[title^=Edit]")]


def test_a_site_without_versions_asks_for_none(built_site: BuiltSite) -> None:
    """Where mike did not build it, the site does not ask for a list of versions that is not there."""
    config = built_site.pages[0].html.select_one("script#__config")
    assert config is not None
    assert json.loads(config.get_text())["version"]["provider"] == ""
