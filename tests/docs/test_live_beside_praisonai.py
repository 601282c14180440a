"""The page for PraisonAI's users shows what its package did when it was run last, with exactly these programs.

`tests/peers/praisonai` runs them anew, and measures the table anew, where PEERS=1 wants its package.
"""

from tests.docs.pages import Page
from tests.pageproof.plugin import Claims
from tests.peers.praisonai.kept import KINDS
from tests.peers.praisonai.steps import BY, PAGE, recorded, steps_of_the_page


def test_the_steps_are_those_that_were_recorded(pageproof: Claims) -> None:
    """Each program, command and output with `by="praisonai"` is word for word what was run."""
    assert [step.as_dict() for step in steps_of_the_page()] == recorded()["steps"]
    pageproof.claim(pageproof.by(BY))


def test_the_table_is_what_was_measured() -> None:
    """Each row says what its stores have done to these fields."""
    header = ["in a session that readfresh has written", *KINDS]
    (table,) = [table for table in Page(PAGE).tables if table.header == header]
    assert {row[0]: dict(zip(KINDS, row[1:], strict=True)) for row in table.rows} == recorded()["kept"]
