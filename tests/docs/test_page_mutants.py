"""Each guarantee page turns red when readfresh breaks what it promises."""

import pytest

from tests.docs.test_completeness import SLUGS
from tests.pageproof.mutants import kill
from tests.pageproof.plugin import Claims
from tests.sabotage.faults import all_faults


@pytest.mark.parametrize("slug", SLUGS)
def test_a_broken_promise_turns_the_page_red(slug: str, pageproof: Claims) -> None:
    """Of the faults that break a guarantee, at least one is seen by running its page."""
    path = f"docs/guarantees/{slug}.md"
    cases = [case for case in pageproof.census.cases if case.blocks[0].path == path]
    cases = [case for case in cases if case.blocks[0].language != "mermaid"]
    faults = {name: fault for name, fault in all_faults().items() if slug in fault.breaks}
    assert cases, f"{path} has no program"
    assert faults, f"no fault breaks {slug}"
    assert any(kill(pageproof.site, case, fault.apply) for fault in faults.values() for case in cases), (
        f"{path} stays green with each of: {', '.join(faults)}"
    )
