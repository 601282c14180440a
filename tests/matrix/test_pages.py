"""The pages of the matrix are written from the reports, and from nothing else."""

from __future__ import annotations

import pytest

from tests.benchmark.contenders import CONTENDERS
from tests.matrix.pages import BY, MATRIX, page_of, pages
from tests.matrix.stores import STORES, THEIRS
from tests.pageproof.plugin import Claims
from tests.peers.environments import PEERS, ROOT


def test_the_pages_are_those_of_the_reports(pageproof: Claims, pytestconfig: pytest.Config) -> None:
    """Each page is what its reports make of it, to the letter; with `--update-examples` it is written."""
    for path, text in pages().items():
        if pytestconfig.getoption("--update-examples"):
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text, "utf-8")
        assert (ROOT / path).read_text("utf-8") == text, f"{path} is not what the reports say: see CONTRIBUTING.md"
    pageproof.claim(pageproof.by(BY))


def test_there_is_a_page_for_each_store_and_for_nothing_else() -> None:
    """No page is left over from a store that is gone."""
    folder = ROOT / "docs/conformance/stores"
    assert sorted(path.relative_to(ROOT).as_posix() for path in folder.iterdir()) == sorted(map(page_of, STORES))
    assert (ROOT / MATRIX).exists()


def test_every_peer_is_in_the_matrix_or_measured() -> None:
    """No environment is installed for nothing."""
    measured = {contender.peer for contender in CONTENDERS.values() if contender.peer}
    assert {store.peer for store in THEIRS} | measured == set(PEERS)
