"""A real browser that sees the built site, and nothing else, under its real address."""

import importlib.resources
import mimetypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NoReturn
from urllib.parse import urlsplit

import pytest
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Route, sync_playwright

from tests.site.build import SITE_URL, BuiltSite

HOW_TO_GET_ONE = (
    "Debian and Ubuntu: sudo apt install chromium libatomic1; "
    "anywhere: .venv/bin/playwright install chromium; or name one in BROWSER_PATH"
)
DRAWN = "() => [...document.querySelectorAll('article div.mermaid')].every(box => box.dataset.drawn)"


@dataclass(frozen=True)
class View:
    """How a reader looks at the site."""

    width: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        """Name the view in test names and messages."""
        return f"{self.width}px-{self.scheme}"


VIEWS = (View(1280, "light"), View(1280, "dark"), View(390, "light"), View(390, "dark"))


def check_driver() -> None:
    """See that the program through which Playwright drives a browser runs: it needs a library of the system's."""
    node, _ = compute_driver_executable()
    done = subprocess.run([node, "--version"], text=True, capture_output=True)
    if done.returncode != 0:
        do_without(f"Playwright's driver does not run ({done.stderr.strip()})")


def find_browser(playwright: Playwright) -> str:
    """Return the path of a browser."""
    named = os.environ.get("BROWSER_PATH")
    if named:
        if shutil.which(named) is None:
            pytest.fail(f"BROWSER_PATH names {named}, which cannot be run", pytrace=False)
        return named
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        path = shutil.which(name)
        if path:
            return path
    if not Path(playwright.chromium.executable_path).exists():
        do_without("no browser was found")
    return playwright.chromium.executable_path


def do_without(reason: str) -> NoReturn:
    """Skip the browser tests, and say how to get what they need; fail where REQUIRE_BROWSER=1 forbids that."""
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(f"REQUIRE_BROWSER=1, but {reason}. {HOW_TO_GET_ONE}", pytrace=False)
    pytest.skip(f"{reason}. {HOW_TO_GET_ONE}")


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the browser that is found, and stop it again."""
    check_driver()
    # Playwright leaves Chromium's own sandbox off, so that root can run it; the site is ours and reaches nobody.
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=find_browser(playwright)) as browser,
    ):
        yield browser


@dataclass
class Reader:
    """One browser window on the site, and everything that went wrong in it."""

    page: Page
    site: BuiltSite
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        """Load a page directly, and wait for its diagrams."""
        self.page.goto(SITE_URL + address)
        self.wait_for_diagrams()

    def wait_for_diagrams(self) -> None:
        """Wait until every diagram is drawn, or has said why it cannot be."""
        self.page.wait_for_function(DRAWN, timeout=20_000)

    def serve(self, route: Route) -> None:
        """Answer a request from the folder of the built site; refuse and note all others."""
        url = route.request.url
        if not url.startswith(SITE_URL):
            self.complaints.append(f"asks for {url}, which is off the site")
            route.abort()
            return
        path = self.site.folder / urlsplit(url).path.removeprefix(urlsplit(SITE_URL).path)
        if path.is_dir():
            path = path / "index.html"
        found = path.is_file()
        if not found:
            path = self.site.folder / "404.html"
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        route.fulfill(status=200 if found else 404, body=path.read_bytes(), content_type=kind)

    def hear(self, message: ConsoleMessage) -> None:
        """Note what the console calls an error or a warning."""
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def take_complaints(self) -> list[str]:
        """Return what went wrong since the last call."""
        taken, self.complaints = self.complaints, []
        return taken


@contextmanager
def reader(browser: Browser, site: BuiltSite, view: View) -> Iterator[Reader]:
    """Open a window with this view, and close it again."""
    with browser.new_context(
        viewport={"width": view.width, "height": 900},
        color_scheme=view.scheme,
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    ) as context:
        page = context.new_page()
        it = Reader(page, site)
        context.route("**/*", it.serve)
        page.on("console", it.hear)
        page.on("pageerror", lambda error: it.complaints.append(f"script error: {error}"))
        yield it


# What is wrong with what is seen


def faults_of(reader: Reader, diagrams: int, *, accessibility: bool) -> list[str]:
    """Look at the page that is open and say everything that is wrong with it."""
    faults = reader.take_complaints()
    drawings = reader.page.locator("article div.mermaid[data-drawn=yes] > svg")
    sizes: list[tuple[float, float]] = drawings.evaluate_all(
        # A drawing in a closed tab has no size on the screen; its own stands in its view box.
        "all => all.map(svg => svg.getClientRects().length"
        " ? [svg.getBoundingClientRect().width, svg.getBoundingClientRect().height]"
        " : [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height])"
    )
    if len(sizes) != diagrams:
        faults.append(f"{diagrams} diagrams, {len(sizes)} drawings")
    faults += [f"a drawing of {width:.0f} x {height:.0f} px" for width, height in sizes if min(width, height) < 40]
    if reader.page.locator("[aria-roledescription=error], .error-icon").count():
        faults.append("an error drawing")
    wide, seen = reader.page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    if wide > seen:
        faults.append(f"scrolls sideways: {wide} px wide in a window of {seen} px")
    return faults + (axe_faults(reader.page) if accessibility else [])


AXE = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def axe_faults(page: Page) -> list[str]:
    """Run axe-core, the accessibility checker, over the page."""
    page.evaluate(f"() => {{ if (!window.axe) {{ {AXE} }} }}")
    found = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    if not found["passes"]:
        return ["axe looked at nothing"]
    return [
        f"axe: {violation['id']}: {node['target']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
