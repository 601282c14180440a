"""The explorer in a browser: it opens on the loss, and is walked by keyboard, by link and by touch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.full_grid import FULL_GRID
from tests.site.browser import VIEWS, Reader, View, axe_faults, faults_of, launched, reader
from tests.site.build import DOCS, SITE_URL, BuiltSite

ADDRESS = "how-it-works/explorer/"
DESIGNS: list[dict[str, Any]] = json.loads((DOCS / "assets/explorer.json").read_text("utf-8"))
FIRST, OURS = DESIGNS[0], DESIGNS[-1]


@pytest.fixture(scope="module")  # not longer: while Playwright runs, no other test can run an event loop
def browser() -> Iterator[Browser]:
    """Start a browser for the tests of this module."""
    with launched() as browser:
        yield browser


def opened(it: Reader, to: str = "") -> None:
    """Open the explorer, and wait until its script has built it."""
    it.page.goto(f"{SITE_URL}{ADDRESS}{to}")
    part(it, "outcome").wait_for()


def part(it: Reader, name: str) -> Any:
    """Return a part of the explorer."""
    return it.page.locator(f'#explorer [data-part="{name}"]')


def steps(it: Reader) -> int:
    """Count the steps of the order that is shown."""
    return int(part(it, "path").locator("li").count()) - 1


@pytest.mark.parametrize("view", VIEWS if FULL_GRID else VIEWS[-1:], ids=str)
def test_opens_on_the_order_that_hurts(browser: Browser, built_site: BuiltSite, view: View) -> None:
    """The first thing a reader sees is a lost message and the step that lost it, in every view, as axe wants it."""
    with reader(browser, built_site, view) as it:
        opened(it)
        assert steps(it) == len(FIRST["opens"])
        assert part(it, "outcome").inner_text() == "lost: “And when?”"
        assert "“And when?”" not in part(it, "state-session").inner_text()
        told = part(it, "path").locator("strong").all_inner_texts()
        assert told == ["every order from here loses a message", "every order from here loses “And when?”"]
        assert faults_of(it, 0, accessibility=True) == []


@pytest.mark.parametrize("design", DESIGNS, ids=[each["key"] for each in DESIGNS])
def test_every_state_on_the_way_is_the_recorded_one(
    browser: Browser, built_site: BuiltSite, design: dict[str, Any]
) -> None:
    """By keyboard alone, from the start to the end of each design's order: what is seen is what was recorded."""
    with reader(browser, built_site, VIEWS[2]) as it:
        opened(it, f"#{design['key']}/")
        part(it, "step-A").focus()
        node = design["nodes"][0]
        for at, letter in enumerate(design["opens"]):
            step = node["next"][letter]
            assert part(it, f"step-{letter}").inner_text() == f"Worker {letter}: {step['step']}"
            it.page.keyboard.press(letter.lower())
            node = design["nodes"][step["to"]]
            assert steps(it) == at + 1
            assert part(it, "state-lock").inner_text() == (f"held by {node['lock']}" if node["lock"] else "free")
            shown = {"A": node["memory"]["A"], "B": node["memory"]["B"]}
            for name, held in (shown | {"temporary": node["temporary"], "session": node["session"]}).items():
                told = ", ".join(f"“{each}”" for each in held) if isinstance(held, list) else held or "none"
                assert part(it, f"state-{name}").inner_text() == told
            assert part(it, "said").inner_text().startswith(f"Worker {letter}: {step['step']}; trip.json: ")
        assert it.page.url.endswith(f"#{design['key']}/{design['opens']}")
        it.page.keyboard.press("Backspace")
        assert steps(it) == len(design["opens"]) - 1
        it.page.keyboard.press("Home")
        assert steps(it) == 0
        assert not it.take_complaints()


def test_whoever_waits_cannot_be_made_to_go(browser: Browser, built_site: BuiltSite) -> None:
    """A worker that waits for the lock says so, and neither a click nor a key nor a link makes its step."""
    with reader(browser, built_site, VIEWS[1]) as it:
        opened(it, f"#{OURS['key']}/ABA")
        button = part(it, "step-B")
        assert button.inner_text() == "Worker B: waits for the lock of A"
        assert button.get_attribute("aria-disabled") == "true"
        assert axe_faults(it.page) == []
        button.click(force=True)
        it.page.keyboard.press("b")
        assert steps(it) == 3
        assert part(it, "said").inner_text() == "Worker B: waits for the lock of A"
    with reader(browser, built_site, VIEWS[1]) as it:
        opened(it, f"#{OURS['key']}/ABABBB")
        assert steps(it) == 3


def test_links_lead_to_states(browser: Browser, built_site: BuiltSite) -> None:
    """The address of a state, a step's link and the browser's own navigation lead to the same state."""
    with reader(browser, built_site, VIEWS[2]) as it:
        opened(it, "#two-locks/AAAB")
        assert (part(it, "design").input_value(), steps(it)) == ("two-locks", 4)
        assert part(it, "outcome").inner_text() == "every order from here loses a message"
        part(it, "path").locator("a").nth(2).click()
        assert steps(it) == 2
        assert it.page.url.endswith("#two-locks/AA")
        it.page.evaluate("() => { location.hash = '#in-place/AAB' }")
        part(it, "state-session").get_by_text("broken JSON").wait_for()
        assert (part(it, "design").input_value(), steps(it)) == ("in-place", 3)
        part(it, "design").select_option(OURS["key"])
        assert steps(it) == len(OURS["opens"])
        assert part(it, "outcome").inner_text() == "both workers have ended, and no message is lost"
        part(it, "start").click()
        part(it, "step-B").click()
        assert it.page.url.endswith(f"#{OURS['key']}/B")
        part(it, "worst").click()
        assert steps(it) == len(OURS["opens"])
        assert not it.take_complaints()


def test_works_after_instant_navigation(browser: Browser, built_site: BuiltSite) -> None:
    """Reached by a click on another page it is built too, and keys outside of it stay the page's own."""
    with reader(browser, built_site, VIEWS[0]) as it:
        it.open("how-it-works/anomalies/")
        it.page.evaluate("() => { window.loadedOnce = true }")
        it.page.locator("article").get_by_role("link", name="Step through two writers").click()
        part(it, "outcome").wait_for()
        assert it.page.evaluate("() => window.loadedOnce"), "the click loaded the page anew instead of navigating"
        part(it, "start").click()
        it.page.keyboard.press("a")
        assert steps(it) == 1
        it.page.locator("[data-md-component=search-query]").press_sequentially("ab")
        assert steps(it) == 1
        assert not it.take_complaints()


def test_without_javascript_the_loss_is_a_table(browser: Browser, built_site: BuiltSite) -> None:
    """Without JavaScript the box holds the order that hurts as a table, and the page fits a phone."""
    with browser.new_context(viewport={"width": 390, "height": 900}, java_script_enabled=False) as context:
        window = context.new_page()
        window.goto((built_site.folder / ADDRESS / "index.html").as_uri())
        rows = window.locator("#explorer tbody tr")
        assert rows.count() == len(FIRST["opens"]) + 1
        assert window.locator("#explorer strong").all_inner_texts() == [
            "every order from here loses a message",
            "every order from here loses “And when?”",
        ]
        assert "“And when?”" not in rows.last.inner_text()
        wide, seen = window.evaluate(
            "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= seen
