"""The page of settings has every parameter and every environment variable of the code, with its default."""

import ast
import inspect
import re
from typing import Any

import pytest

import readfresh
from readfresh.chat import ChatStore
from tests.docs.pages import Page, Table
from tests.docs.proof import ROOT

TABLES = {table.heading: table for table in Page("docs/reference/settings.md").tables}
OF = {
    "DefaultSessionStore, and HierarchicalSessionStore": (
        readfresh.DefaultSessionStore,
        readfresh.HierarchicalSessionStore,
    ),
    "DbSessionAdapter": (readfresh.DbSessionAdapter,),
    "BotSessionManager": (readfresh.BotSessionManager,),
    "LocalManagedAgent": (readfresh.LocalManagedAgent,),
}


def shown(default: Any) -> str:
    """Return how the page shows a default."""
    if default is inspect.Parameter.empty:
        return "required"
    if callable(default):
        module = f"{default.__module__}." if default.__module__ == "time" else ""
        return f"`{module}{default.__name__}`"
    return f"`{default!r}`"


def rows(table: Table) -> list[tuple[str, str]]:
    """Return the names and the defaults of a table."""
    return [(row[0].strip("`"), row[1]) for row in table.rows]


@pytest.mark.parametrize("heading", OF)
def test_every_parameter_is_on_the_page(heading: str) -> None:
    """The table has the parameters of the constructor, in their order, with their defaults."""
    for made in OF[heading]:
        parameters = inspect.signature(made).parameters.values()
        assert rows(TABLES[heading]) == [(each.name, shown(each.default)) for each in parameters]


def test_every_class_that_is_made_by_hand_has_a_table() -> None:
    """Whatever public class is given a maker of ids has a table; the base of all stores is made by nobody."""
    classes = [getattr(readfresh, name) for name in readfresh.__all__ if inspect.isclass(getattr(readfresh, name))]
    made = {each for each in classes if "new_id" in inspect.signature(each).parameters}
    assert made - {ChatStore} == {each for several in OF.values() for each in several}


def test_every_environment_variable_is_on_the_page() -> None:
    """The source reads the environment in one place, by the name that the page has."""
    reading: dict[str, int] = {}
    for file in (ROOT / "src/readfresh").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv"):
                reading[file.name] = reading.get(file.name, 0) + 1
    # The crew of the conformance kit hands its whole environment on to the processes that it starts.
    assert reading == {"default.py": 1, "crew.py": 1}
    named = re.findall(r'_VARIABLE = "(\w+)"', (ROOT / "src/readfresh/default.py").read_text("utf-8"))
    assert [row[0].strip("`") for row in TABLES["The environment"].rows] == named
