"""What the build adds: Mermaid's own file, clean diagrams, plots, links from the reference to the guarantees."""

import hashlib
import importlib.metadata
import json
import logging
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from plots import PLOTS, drawn

log = logging.getLogger("mkdocs.plugins.readfresh")  # below mkdocs' own, so that --strict counts its warnings

# The official mermaid.min.js of Mermaid 11.16, byte for byte, as the package mermaidx carries it.
MERMAID_SHA256 = "74d7c46dabca328c2294733910a8aa1ed0c37451776e8d5295da38a2b758fb9b"

# What the benchmark has measured: the plots are drawn from it.
RESULTS = "tests/benchmark/results.json"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Serve Mermaid ourselves: the file comes from the installed package and is not committed."""
    path = Path(str(importlib.metadata.distribution("mermaidx").locate_file("mermaidx/assets/mermaid.js")))
    if hashlib.sha256(path.read_bytes()).hexdigest() != MERMAID_SHA256:
        raise PluginError(
            f"mermaidx {importlib.metadata.version('mermaidx')} carries another Mermaid than the one this site was "
            "looked at with. Look at the diagrams in both schemes, then change MERMAID_SHA256 in docs/_theme/hooks.py."
        )
    files.append(File.generated(config, "assets/mermaid.min.js", abs_src_path=str(path)))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Link the guarantees that docstrings name (`Guarantee: read-fresh.`), and warn of one that has no page.

    What a diagram's fence says to our tests is no attribute of HTML, and goes.
    A comment that names a plot becomes the plot.
    """
    if "<!-- plot " in html:
        text = Path(config.config_file_path, "..", RESULTS).resolve().read_text("utf-8")
        results = json.loads(text)
        html = re.sub(r"<!-- plot ([\w-]+) -->", lambda named: drawn(PLOTS[named[1]], results), html)
    html = re.sub(r'<div class="mermaid" [^>]*>', '<div class="mermaid">', html)
    if page.file.src_uri != "reference/api.md":
        return html
    pages = {Path(file.src_uri).stem: file for file in files.documentation_pages() if "guarantees/" in file.src_uri}

    def link(found: re.Match[str]) -> str:
        slug = found[0]
        if slug in pages:
            return f'<a href="{get_relative_url(pages[slug].url, page.url)}">{slug}</a>'
        if "-" in slug:
            log.warning(f"a docstring names the guarantee {slug!r}, which has no page")
        return slug

    return re.sub(r"(?<=uarantees: |.uarantee: )[^<.]+", lambda said: re.sub(r"[a-z]+(-[a-z]+)*", link, said[0]), html)
