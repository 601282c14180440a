"""Runs the tests first that take long, so that no worker of xdist is left alone with one of them at the end."""

import pytest

LONG = (
    "tests/test_linters.py",  # mypy without its cache
    "tests/site/test_browser.py",
    "tests/matrix/test_of_ours.py",
    "tests/test_package.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones at the front, and leave the order of all else."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
