"""The fixtures that the tests of the site share: each kind of site is built once for the whole run."""

import os
from collections.abc import Iterator

import pytest
from filelock import FileLock
from playwright.sync_api import Browser

from tests.site.browser import launched
from tests.site.build import BuiltSite, build_site


@pytest.fixture(scope="module")  # not longer: while Playwright runs, no other test can run an event loop
def browser() -> Iterator[Browser]:
    """Start a browser for the tests of one module."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> BuiltSite:
    """Give the site as its readers get it, with its diagrams drawn."""
    return _built(tmp_path_factory, "site", live=False)


@pytest.fixture(scope="session")
def live_site(tmp_path_factory: pytest.TempPathFactory) -> BuiltSite:
    """Give the site as its writers see it: the diagrams stand in it as text, and are drawn in the browser."""
    return _built(tmp_path_factory, "live-site", live=True)


def _built(factory: pytest.TempPathFactory, name: str, *, live: bool) -> BuiltSite:
    """Build a site, or take what another worker of xdist has built."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return build_site(factory.mktemp(name), live=live)
    folder = factory.getbasetemp().parent / name  # beside the folders of the workers
    log = folder.with_suffix(".log")
    with FileLock(f"{folder}.lock"):
        if not log.exists():
            log.write_text(build_site(folder, live=live).log, "utf-8")
    return BuiltSite(folder, log.read_text("utf-8"))
