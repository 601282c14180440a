"""Build the site once, as its readers get it, for every test that looks at it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# A reserved name that nobody can own, below a folder: a link that forgets the folder leads nowhere.
SITE_URL = "https://readfresh.example/docs/"

# `mkdocs` in a Python that may not reach anybody: what a build asks the network for is an error.
OFFLINE = """
import socket, sys
def refuse(*arguments, **options):
    raise OSError(f"the build asked the network: {arguments}")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
"""
MKDOCS = "from mkdocs.__main__ import cli; sys.argv[0] = 'mkdocs'; cli()"


@dataclass(frozen=True)
class SitePage:
    """One page of the built site."""

    source: str
    """Where its Markdown is, from docs/: `guarantees/read-fresh.md`."""
    address: str
    """Where it is on the site, from the site's root: `guarantees/read-fresh/`, or empty for the home page."""
    file: Path
    """Its HTML."""

    @cached_property
    def html(self) -> BeautifulSoup:
        """Its HTML, parsed once."""
        return BeautifulSoup(self.file.read_bytes(), "html.parser")

    @property
    def url(self) -> str:
        """Its address in the browser tests."""
        return SITE_URL + self.address

    @property
    def diagrams(self) -> int:
        """How many diagrams a reader of this page is to see."""
        return len(self.html.select("div.mermaid"))

    @property
    def heading(self) -> str:
        """The words of its title on the page."""
        title = self.html.select_one("article h1")
        assert title is not None, f"docs/{self.source} has no heading"
        return title.get_text().replace("¶", "").strip()

    @property
    def code_blocks(self) -> list[str]:
        """The text of each code block, as it stands in the HTML."""
        return [block.get_text() for block in self.html.select("article .highlight pre > code")]


@dataclass(frozen=True)
class BuiltSite:
    """The site in a folder of its own."""

    folder: Path
    log: str
    """What mkdocs said while it built it."""
    url: str = SITE_URL

    @cached_property
    def pages(self) -> tuple[SitePage, ...]:
        """Every page that has a Markdown file, in the order of their names."""
        return tuple(page_of(self.folder, source) for source in page_sources())


def page_sources() -> list[str]:
    """List the Markdown files that are pages, from docs/ on."""
    sources = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    return [source for source in sources if not source.startswith("_theme/")]


def page_of(folder: Path, source: str) -> SitePage:
    """Say where mkdocs put the page of this Markdown file."""
    stem = source.removesuffix(".md")
    address = stem.removesuffix("index") if stem == "index" or stem.endswith("/index") else f"{stem}/"
    return SitePage(source, address, folder / address / "index.html")


def build_site(folder: Path, *, live: bool = False) -> BuiltSite:
    """Build the site into this folder, strictly and without a network; raise with the whole log where that fails.

    A live one draws its diagrams in the browser, as `mkdocs serve` does for those who write them.
    """
    # Never with --quiet: it hides the warnings from --strict too, and a broken link ends in success.
    command = [sys.executable, "-c", OFFLINE + MKDOCS, "build", "--strict", "--site-dir", str(folder)]
    environment = (
        os.environ | {"SITE_URL": SITE_URL, "NO_MKDOCS_2_WARNING": "1"} | ({"DIAGRAMS": "live"} if live else {})
    )
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"the site does not build:\n{done.stdout}{done.stderr}")
    return BuiltSite(folder, done.stdout + done.stderr)
