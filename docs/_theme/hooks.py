"""What the build adds to the site: diagrams and plots that are drawn, the changelog, and links to the guarantees."""

import hashlib
import importlib.metadata
import itertools
import json
import logging
import multiprocessing
import os
import re
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from html import escape, unescape
from pathlib import Path
from typing import Literal

import drawings
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from plots import PLOTS, drawn

HERE = Path(__file__).parent

log = logging.getLogger("mkdocs.plugins.readfresh")  # below mkdocs' own, so that --strict counts its warnings

# The official mermaid.min.js of Mermaid 11.16, byte for byte, as the package mermaidx carries it.
MERMAID_SHA256 = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"

# What draws in the browser, from docs/ on, and where drawings are kept between builds.
LOADER = "assets/diagrams.js"
CACHE = HERE.parent.parent / ".cache/diagrams"

# What the benchmark has measured: the plots are drawn from it.
RESULTS = "tests/benchmark/results.json"

BOX = re.compile(r'<div class="mermaid">(.*?)</div>', re.S)


class Diagrams:
    """The drawings of one build, made beside mkdocs' own work by as many processes as there are cores."""

    def __init__(self) -> None:
        # Whatever changes a drawing is in the name of its file.
        parts = [Path(drawings.__file__), drawings.SETTINGS]
        self.version = MERMAID_SHA256.encode() + b"".join(part.read_bytes() for part in parts)
        self.processes: ProcessPoolExecutor | None = None
        self.drawn: dict[str, str | Future[str]] = {}

    def begin(self, source: str) -> None:
        """Begin to draw, unless an earlier build has drawn the same."""
        file = self.file(source)
        if source in self.drawn:
            return
        if file.exists():
            self.drawn[source] = file.read_text("utf-8")
            return
        if self.processes is None:
            if str(HERE) not in sys.path:  # mkdocs has it there only while it loads its hooks; the processes look there
                sys.path.append(str(HERE))
            self.processes = ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"))
        self.drawn[source] = self.processes.submit(drawings.draw, source)

    def drawing(self, source: str, page: Page) -> str:
        """Return the drawing, and keep it for later builds."""
        drawing = self.drawn[source]
        if isinstance(drawing, Future):
            try:
                drawing = drawing.result()
            except drawings.CannotBeDrawn as error:
                raise PluginError(f"{page.file.src_uri}: a diagram cannot be drawn: {error}\n{source}") from None
            file = self.file(source)
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_suffix(f".{os.getpid()}.tmp")  # two builds at once write one each
            temporary.write_text(drawing, "utf-8")
            temporary.replace(file)
            self.drawn[source] = drawing
        return drawing

    def file(self, source: str) -> Path:
        """Return where the drawing is kept."""
        return CACHE / f"{hashlib.sha256(self.version + source.encode()).hexdigest()}.svg"

    def end(self) -> None:
        """Stop the processes."""
        if self.processes:
            self.processes.shutdown(cancel_futures=True)
            self.processes = None


diagrams: Diagrams | None = None


def on_startup(command: Literal["build", "gh-deploy", "serve"], dirty: bool) -> None:
    """Choose who draws: the browser of a writer, who changes one diagram at a time, or the build for all readers."""
    del dirty  # mkdocs passes it by name
    global diagrams
    diagrams = None if command == "serve" or os.environ.get("DIAGRAMS") == "live" else Diagrams()


def on_config(config: MkDocsConfig) -> None:
    """Where the browser draws, each page has the loader: instant navigation runs no scripts of the page it goes to."""
    if diagrams is None and LOADER not in config.extra_javascript:
        config.extra_javascript.append(LOADER)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Where the browser draws, serve Mermaid ourselves, from the installed package; elsewhere serve nothing of it."""
    path = Path(str(importlib.metadata.distribution("mermaidx").locate_file("mermaidx/assets/mermaid.js")))
    if hashlib.sha256(path.read_bytes()).hexdigest() != MERMAID_SHA256:
        raise PluginError(
            f"mermaidx {importlib.metadata.version('mermaidx')} carries another Mermaid than the one this site was "
            "looked at with. Look at the diagrams in both schemes, then change MERMAID_SHA256 in docs/_theme/hooks.py."
        )
    if diagrams is None:
        files.append(File.generated(config, "assets/mermaid.min.js", abs_src_path=str(path)))
        return
    for name in (LOADER, "assets/diagrams.json"):
        file = files.get_file_from_path(name)
        assert file is not None, f"docs/{name} is missing"
        files.remove(file)


@event_priority(200)  # before copies.py takes the source
def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the versions of CHANGELOG.md, whose links begin at the top of the project, where a comment asks for them."""
    del files
    if "<!-- changelog -->" not in markdown:
        return markdown
    text = Path(config.config_file_path, "..", "CHANGELOG.md").resolve().read_text("utf-8")
    up = "../" * page.file.src_uri.count("/")
    return markdown.replace("<!-- changelog -->", text[text.index("## ") :].replace("](docs/", f"]({up}"))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Begin to draw the page's diagrams, put in its plots, and link the guarantees that docstrings name.

    What a diagram's fence says to our tests is no attribute of HTML, and goes.
    A comment that names a plot becomes the plot.
    """
    html = re.sub(r'<div class="mermaid" [^>]*>', '<div class="mermaid">', html)
    if diagrams:
        for source in BOX.findall(html):
            diagrams.begin(unescape(source))
    if "<!-- plot " in html:
        text = Path(config.config_file_path, "..", RESULTS).resolve().read_text("utf-8")
        results = json.loads(text)
        html = re.sub(r"<!-- plot ([\w-]+) -->", lambda named: drawn(PLOTS[named[1]], results), html)
    return with_guarantees(html, page, files) if page.file.src_uri.startswith("reference/api/") else html


@event_priority(-100)  # after the plugin has found the diagrams
def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Put the drawings where the plugin left their text, and take away the scripts that would draw them."""
    del config
    numbers = itertools.count(1)

    def box(found: re.Match[str]) -> str:
        source = unescape(found[1])
        headings = re.findall(r"<h[1-4][^>]*>(.*?)</h[1-4]>", output[: found.start()], re.S)
        heading = unescape(re.sub(r'<a class="headerlink".*?</a>|<[^>]*>', "", headings[-1])).strip()
        label, words = f"{drawings.kind(source)}: {heading}", drawings.describe(source)
        if diagrams:
            content = drawings.on_page(diagrams.drawing(source, page), next(numbers), label, words)
            said = 'data-drawn="yes"'
        else:
            content, said = found[1], f'data-label="{escape(label)}" data-words="{escape(words)}"'
        # It can be scrolled by keyboard where it is wider than the window.
        return f'<div class="mermaid" role="group" aria-label="Diagram" tabindex="0" {said}>{content}</div>'

    html = BOX.sub(box, output)
    if diagrams is None:
        return html
    return re.sub(rf'<script src="[^"]*{LOADER}"></script><script>mermaid.initialize\(.*?</script>', "", html)


def on_post_build(config: MkDocsConfig) -> None:
    """Stop the processes that draw."""
    del config
    if diagrams:
        diagrams.end()


def on_build_error(error: Exception) -> None:
    """Stop them where the build fails, too."""
    del error
    if diagrams:
        diagrams.end()


def with_guarantees(html: str, page: Page, files: Files) -> str:
    """Link the guarantees that docstrings name (`Guarantee: read-fresh.`), and warn of one that has no page."""
    pages = {Path(file.src_uri).stem: file for file in files.documentation_pages() if "guarantees/" in file.src_uri}

    def link(found: re.Match[str]) -> str:
        slug = found[0]
        if slug in pages:
            return f'<a href="{get_relative_url(pages[slug].url, page.url)}">{slug}</a>'
        if "-" in slug:
            log.warning(f"a docstring names the guarantee {slug!r}, which has no page")
        return slug

    return re.sub(r"(?<=uarantees: |.uarantee: )[^<.]+", lambda said: re.sub(r"[a-z]+(-[a-z]+)*", link, said[0]), html)
