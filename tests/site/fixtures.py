"""The fixture that every test of the site shares."""

import pytest

from tests.site.build import BuiltSite, build_site


@pytest.fixture(scope="session")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> BuiltSite:
    """Give the site, built once for the whole run."""
    return build_site(tmp_path_factory.mktemp("site"))
