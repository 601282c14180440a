"""A test for each guarantee, in a test module of your own.

``test_guarantee = conformance_tests("my_package.stores:factory")`` is all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from readfresh.conformance.factory import FactoryError, StoreFactory
from readfresh.conformance.guarantees import GUARANTEES
from readfresh.conformance.runner import check

__all__ = ["conformance_tests"]


def conformance_tests(
    factory: StoreFactory | str, guarantees: Iterable[str] | None = None, **options: Any
) -> Callable[[str], None]:
    """Return a test function, parametrized with the guarantees.

    A test passes when its guarantee is kept, is skipped with the reason when it is not applicable, and fails with the
    history when it is broken.

    Args:
        factory: as `check` takes it.
        guarantees: the slugs of those to test; None for all.
        options: what else `check` takes.
    """

    @pytest.mark.parametrize("guarantee", list(GUARANTEES) if guarantees is None else list(guarantees))
    def test_guarantee(guarantee: str) -> None:
        try:
            result = check(factory, [guarantee], **options).results[guarantee]
        except FactoryError as error:
            pytest.fail(f"could not run: {error}", pytrace=False)
        if result.status == "not applicable":
            pytest.skip(result.reason)
        if result.status != "kept":
            pytest.fail("\n".join([f"{result.status}: {result.reason}", *result.history]), pytrace=False)

    return test_guarantee
