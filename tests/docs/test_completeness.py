"""What the code has, the pages have, and the other way round."""

import ast
import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import readfresh
from readfresh import errors
from tests.docs.pages import GUARANTEES, SITE, Page
from tests.docs.proof import ROOT
from tests.sabotage.faults import all_faults
from tests.site.build import BuiltSite

EACH = pytest.mark.parametrize("page", SITE, ids=[page.path for page in SITE])
PUBLIC = sorted(readfresh.__all__)
MODULES = {module.name for module in pkgutil.iter_modules(readfresh.__path__)}
CLASSES = [name for name in PUBLIC if inspect.isclass(getattr(readfresh, name))]

# Names of others that look like ours, and whose they are. One that no page uses any more goes.
THEIRS = {
    "get_working_history": "PraisonAI",
    "a_b": "an example of a session id",
    "last_compaction": "PraisonAI's session files",
    "full_page_writes": "PostgreSQL's settings",
    "max_connections": "PostgreSQL's settings",
    "remote_apply": "PostgreSQL's settings",
    "remote_write": "PostgreSQL's settings",
    "search_path": "PostgreSQL's settings",
    "synchronous_commit": "PostgreSQL's settings",
    "synchronous_standby_names": "PostgreSQL's settings",
    "runtime_state": "PraisonAI's session files",
    "total_tokens": "PraisonAI's session files",
    "transcript_invalidated": "PraisonAI's session files",
}


# Guarantees: page, example and test


def _slugs(folder: str, pattern: str) -> set[str]:
    names = {file.stem for file in (ROOT / folder).glob(pattern)}
    return {name.removeprefix("test_").replace("_", "-") for name in names} - {"index", "--init--", "conftest"}


SLUGS = sorted(
    _slugs("docs/guarantees", "*.md") | _slugs("examples/guarantees", "*.py") | _slugs("tests/guarantees", "test_*.py")
)


def _sentence(file: Path) -> str:
    """Return the first paragraph of a module's docstring, as one line."""
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def test_there_are_fourteen_guarantees() -> None:
    """Nothing below looks at nothing: there are fourteen promises."""
    assert len(SLUGS) >= 14


@pytest.mark.parametrize("slug", SLUGS)
def test_a_guarantee_is_one_sentence(slug: str) -> None:
    """The page's quotation, the example's docstring and the test's docstring begin with the same sentence."""
    name = slug.replace("-", "_")
    page = Page(f"docs/guarantees/{slug}.md").quote()
    assert page.endswith(".")
    assert _sentence(ROOT / f"examples/guarantees/{name}.py") == page
    assert _sentence(ROOT / f"tests/guarantees/test_{name}.py") == page
    assert page in (GUARANTEES / "index.md").read_text("utf-8"), (
        "docs/guarantees/index.md has another sentence, or none"
    )


@pytest.mark.parametrize("slug", SLUGS)
def test_a_guarantee_page_lists_the_faults_that_break_it(slug: str) -> None:
    """The section "What would break it" names exactly those that turn this guarantee's tests red."""
    page = Page(f"docs/guarantees/{slug}.md")
    start = next(number for number, line in page.prose if re.match(r"## .*break it", line))
    end = next((number for number, line in page.prose if number > start and line.startswith("## ")), len(page.lines))
    named = {span for number, span in page.spans if start < number < end and re.fullmatch(r"[a-z]+(-[a-z]+)+", span)}
    assert named == {name for name, fault in all_faults().items() if slug in fault.breaks}
    assert named, f"no fault turns the tests of {slug} red"


# The reference


def _methods(cls: type) -> dict[str, object]:
    """Return the public methods and properties of a class, those of its bases in readfresh included."""
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] == "readfresh":
            found |= {name: value for name, value in vars(base).items() if not name.startswith("_")}
    kinds = (types.FunctionType, property, classmethod, staticmethod)
    return {name: value for name, value in found.items() if isinstance(value, kinds)}


def test_every_public_name_is_in_the_reference(built_site: BuiltSite) -> None:
    """Each name of `readfresh.__all__`, and each public method of its classes, has a heading on a page of the API."""
    html = "".join(file.read_text("utf-8") for file in built_site.folder.glob("reference/api/*/index.html"))
    anchors = set(re.findall(r'id="readfresh\.([\w.]+)"', html))
    # The module is left out: `store.SessionStore.update` is what `DefaultSessionStore` inherits.
    parts = [anchor.split(".")[-2:] for anchor in anchors]
    shown = {".".join([*(part for part in first if part not in MODULES), last]) for *first, last in parts}
    wanted = {name: [name] for name in PUBLIC}
    for cls in (getattr(readfresh, name) for name in CLASSES):
        for method in _methods(cls):
            wanted[f"{cls.__name__}.{method}"] = [f"{base.__name__}.{method}" for base in cls.__mro__]
    assert len(wanted) >= 100
    assert [name for name, places in wanted.items() if not shown & set(places)] == [], "in the code, but not on a page"
    ours = {anchor for anchor in anchors if not any(part.startswith("_") for part in anchor.split("."))}
    assert {anchor for anchor in ours if not _resolves(anchor)} == set(), "on a page, but not in the code"


def _resolves(dotted: str) -> bool:
    value: object = readfresh
    for part in dotted.split("."):
        if inspect.isclass(value) and part in getattr(value, "__annotations__", {}):
            return True
        if not hasattr(value, part) and not _is_module(value, part):
            return _is_instance_attribute(value, part)
        value = getattr(value, part)
    return True


def _is_module(value: object, part: str) -> bool:
    if inspect.ismodule(value) and importlib.util.find_spec(f"{value.__name__}.{part}"):
        importlib.import_module(f"{value.__name__}.{part}")
        return True
    return False


def _is_instance_attribute(value: object, part: str) -> bool:
    return inspect.isclass(value) and f"self.{part}" in inspect.getsource(value)


def test_the_errors_page_has_the_order_of_the_module() -> None:
    """The errors stand on their page in the order in which they occur, which is that of the module."""
    order = [name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)]
    page = Page("docs/reference/errors.md")
    heads = [line for _, line in page.prose if re.match(r"#|\|", line)]
    cells = [line.strip("|").split("|")[0] if line.startswith("|") else line for line in heads]
    named = [name for cell in cells for name in re.findall(r"\w+", cell) if name in order]
    assert list(dict.fromkeys(named)) in (order, [name for name in order if name != "SessionStoreError"])


def test_the_tables_of_methods_are_complete() -> None:
    """A table of methods under a heading that names a class has exactly the methods of the class.

    A class that adds to another may list all of them or those that it adds. Both stores have such a table.
    """
    seen: set[str] = set()
    for page in SITE:
        for table in page.tables:
            named = [name for name in CLASSES if re.search(rf"\b{name}\b", table.heading)]
            if table.header[0].lower() not in ("method", "verb") or not named:
                continue
            cls = getattr(readfresh, named[0])
            added = set(_methods(cls)) - set().union(*(_methods(base) for base in _public_bases(cls)))
            found = re.findall(r"`\.?(\w+)", " ".join(row[0] for row in table.rows))
            where = f"{page.path}:{table.line}: {named[0]}"
            assert len(found) == len(set(found)), f"{where}: a method twice"
            assert set(found) in (set(_methods(cls)), added), f"{where}: {set(found) ^ set(_methods(cls))}"
            seen.add(named[0])
    assert {"DefaultSessionStore", "HierarchicalSessionStore", "DbSessionAdapter"} <= seen


def _public_bases(cls: type) -> Iterator[type]:
    return (base for base in cls.__mro__[1:] if base.__name__ in PUBLIC)


# Names in backticks


def _source_names() -> tuple[set[str], set[str]]:
    """Return what the source defines as functions and classes, and every other name and key that it uses."""
    defined: set[str] = set()
    used: set[str] = set()
    used |= MODULES
    for file in (ROOT / "src/readfresh").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.arg):
                used.add(node.arg)
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.Name):
                used.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                used.add(node.value)
    return defined, used


DEFINED, USED = _source_names()


@EACH
def test_names_in_backticks_exist(page: Page) -> None:
    """What stands in backticks and looks like a name of ours is one.

    Looks like ours: two words in CamelCase, words with underscores, and what is called with parentheses.
    What a program on the page defines is the page's own.
    """
    wrong = [
        f"{page.path}:{number}: {name} is not in readfresh"
        for number, span in page.spans
        for name, known in _looks_like_ours(span)
        if name not in known and name not in THEIRS and name not in page.defined
    ]
    assert wrong == []


def _looks_like_ours(span: str) -> Iterator[tuple[str, set[str]]]:
    called = re.fullmatch(r"(?:store|session|tree|readfresh|self)?\.?([a-z]\w*)\([^()]*\)", span)
    if called:
        yield called[1], DEFINED
    elif re.fullmatch(r"(?:\w+\.)*[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+", span) or re.fullmatch(
        r"(?:\w+\.)*[a-z0-9]+(?:_[a-z0-9]+)+", span
    ):
        yield span.split(".")[-1], DEFINED | USED


UNKNOWN = ("store.save()", "get_sessions()", "SessionCache", "sessions_dir", "readfresh.load_all", "save()")


@pytest.mark.parametrize("span", UNKNOWN)
def test_a_name_that_does_not_exist_is_seen(span: str) -> None:
    """The rule finds names that nobody has written."""
    assert [name for name, known in _looks_like_ours(span) if name not in known]


def test_names_in_backticks_were_looked_at() -> None:
    """The rule above finds names, and the list of others' names has none too many."""
    names = [name for page in SITE for _, span in page.spans for name, _ in _looks_like_ours(span)]
    assert len(set(names)) >= 50
    assert THEIRS.keys() - set(names) == set()
