"""Lighthouse, as on a phone, over one page of each kind: accessibility, best practices and SEO are 100.

How fast a page is depends on the machine: it is measured, written down, and decides nothing here.
"""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
from filelock import FileLock
from playwright.sync_api import sync_playwright

from tests.site.browser import check_driver, find_browser
from tests.site.build import ROOT, page_of
from tests.site.lighthouse.install import FOLDER, HERE, NODE, installed
from tests.site.lighthouse.serve import serving

RESULTS = HERE / "results.json"
PAGES = {
    "home": "",
    "five diagrams": "how-it-works/anomalies/",
    "no diagram": "glossary/",
    "guarantee": "guarantees/read-fresh/",
    "reference": "reference/api/default-session-store/",
    "matrix": "conformance/matrix/",
    "missing": "404.html",
}
DECIDE = ("accessibility", "best-practices", "seo")


def test_no_lock_names_a_place() -> None:
    """The locks name versions and hashes, and no address that they were fetched from."""
    packages = json.loads((HERE / "package-lock.json").read_text("utf-8"))["packages"]
    assert len(packages) > 50
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert [name for name, package in packages.items() if "integrity" not in package] == [""]
    assert not re.search(r"https?:|file:", (HERE / "requirements.lock").read_text("utf-8"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Give what Lighthouse says of each page of a site that is served."""
    if os.environ.get("LIGHTHOUSE") != "1":
        pytest.skip("Lighthouse is not wanted: LIGHTHOUSE=1 installs it (half a minute, 400 MB) and runs it")
    check_driver()
    with sync_playwright() as playwright:
        chromium = find_browser(playwright)
    FOLDER.parent.mkdir(exist_ok=True)
    with FileLock(FOLDER.with_suffix(".lock")):
        folder = installed()
    root = tmp_path_factory.mktemp("host")
    with serving(root) as host:
        address = f"{host}docs/"
        environment = os.environ | {"SITE_URL": address, "NO_MKDOCS_2_WARNING": "1"}
        build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(root / "docs")]
        subprocess.run(build, cwd=ROOT, env=environment, text=True, capture_output=True, check=True)
        assert page_of(root / "docs", "how-it-works/anomalies.md").diagrams == 5
        assert page_of(root / "docs", "glossary.md").diagrams == 0
        command = [str(NODE / "bin/node"), "run.mjs", chromium, *(address + page for page in PAGES.values())]
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return {name: said[address + page] for name, page in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_lighthouse_finds_nothing(found: dict[str, dict[str, Any]], name: str) -> None:
    """Everything that a machine's speed has no part in is as good as Lighthouse knows."""
    page = found[name]
    assert page.get("error") is None
    assert page["failed"] == []
    assert {category: page["scores"][category] for category in DECIDE} == dict.fromkeys(DECIDE, 100)


def test_what_was_measured_is_written_down(
    found: dict[str, dict[str, Any]], request: pytest.FixtureRequest, record_property: Any
) -> None:
    """`--update-examples` keeps how fast each page was; each kind of page has its figures."""
    figures = {
        name: {"performance": page["scores"]["performance"], "blocked_ms": page["blocked_ms"], "kib": page["kib"]}
        for name, page in found.items()
    }
    record_property("lighthouse", figures)
    if request.config.getoption("update_examples"):
        RESULTS.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    assert set(json.loads(RESULTS.read_text("utf-8"))) == set(PAGES)
