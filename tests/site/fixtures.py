"""The fixture that every test of the site shares."""

import os

import pytest
from filelock import FileLock

from tests.site.build import BuiltSite, build_site


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> BuiltSite:
    """Give the site, built once for the whole run: by the first worker of xdist that asks for it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return build_site(tmp_path_factory.mktemp("site"))
    folder = tmp_path_factory.getbasetemp().parent / "site"  # beside the folders of the workers
    log = folder.with_suffix(".log")
    with FileLock(f"{folder}.lock"):
        if not log.exists():
            log.write_text(build_site(folder).log, "utf-8")
    return BuiltSite(folder, log.read_text("utf-8"))
