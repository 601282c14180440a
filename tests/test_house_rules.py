"""The rules of the house that no linter knows."""

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import readfresh

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "readfresh"
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))
MODULES = sorted(path.stem for path in SOURCE.glob("*.py") if path.stem != "__init__")
# The modules whose names are exported at the top.
PUBLIC = ("errors", "model", "protocols", "chat", "default", "hierarchical")
ORDER = re.findall(r"^- `(\w+)`:", readfresh.__doc__ or "", re.MULTILINE)


def tree(module: str) -> ast.Module:
    """Parse a module of the package."""
    return ast.parse((SOURCE / f"{module}.py").read_text(encoding="utf-8"))


def imports(parsed: ast.AST) -> Iterator[str]:
    """Yield the modules that are imported anywhere in it, inside functions too."""
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def test_modules_are_listed_in_reading_order() -> None:
    """The package docstring lists every module once; that of another platform stands with its own."""
    listed = [*ORDER, *re.findall(r"\(`(\w+)` on Windows\)", readfresh.__doc__ or "")]
    assert sorted(listed) == sorted([*MODULES, *PACKAGES])


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_above_it(module: str) -> None:
    """Import direction is reading order."""
    place = ORDER.index("disk" if module == "disk_windows" else module)
    allowed = {*ORDER[:place]} | ({"disk"} if module == "disk_windows" else set())
    if module == "disk":
        allowed.add("disk_windows")  # on Windows, when a store is made
    ours = {name.split(".")[1] for name in imports(tree(module)) if name.startswith("readfresh.")}
    assert "readfresh" not in set(imports(tree(module))), "import from the module, not from the package"
    assert ours <= allowed


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_stands_above_it(package: str) -> None:
    """A package stands in the reading order as a whole."""
    allowed = {*ORDER[: ORDER.index(package)], package}
    for path in (SOURCE / package).rglob("*.py"):
        parsed = ast.parse(path.read_text(encoding="utf-8"))
        ours = {name.split(".")[1] for name in imports(parsed) if name.startswith("readfresh.")}
        assert ours <= allowed, path.name


def test_the_lock_is_entered_in_four_places() -> None:
    """Only `read`, `update`, `delete` and `hand_over` enter a session's lock; a database's reads need none.

    The lock that `move` takes is that of the command: one at a time moves a directory.
    """
    found = []
    for module in ("files", *sorted({*MODULES} - {"files"})):
        for owner in ast.walk(tree(module)):
            if isinstance(owner, ast.FunctionDef):
                calls = [node for node in ast.walk(owner) if isinstance(node, ast.Call)]
                names = [node.func.attr for node in calls if isinstance(node.func, ast.Attribute)]
                found += [(module, owner.name, name) for name in names if name in ("_locked", "lock")]
    assert found == [
        ("files", "read", "_locked"),
        ("files", "update", "_locked"),
        ("files", "delete", "_locked"),
        ("files", "hand_over", "_locked"),
        ("files", "_locked", "lock"),
        ("database", "update", "_locked"),
        ("database", "delete", "_locked"),
        *[("database", "work", "_locked")] * 2,  # of these two
        ("move", "_alone", "lock"),
    ]


def test_nothing_saves_but_an_update() -> None:
    """There is no `save`: no public verb takes a session that was read earlier."""
    for kind in (readfresh.DefaultSessionStore, readfresh.HierarchicalSessionStore):
        for name, function in inspect.getmembers(kind, inspect.isfunction):
            assert "save" not in name
            if not name.startswith("_"):
                assert (
                    "SessionData" not in str(list(inspect.signature(function).parameters.values())).split("change")[0]
                )


@pytest.mark.parametrize("module", ["__init__", *MODULES])
def test_exports_are_sorted_and_there(module: str) -> None:
    """`__all__` is sorted, holds each name once, and each can be imported."""
    loaded = readfresh if module == "__init__" else importlib.import_module(f"readfresh.{module}")
    exported = getattr(loaded, "__all__", None)
    if exported is None:
        assert module not in ("__init__", *PUBLIC)
        return
    assert list(exported) == sorted(set(exported))
    for name in exported:
        assert getattr(loaded, name) is not None


def test_what_is_public_is_exported_at_the_top() -> None:
    """Whatever a module of verbs and values exports, the package does too."""
    for module in PUBLIC:
        assert set(importlib.import_module(f"readfresh.{module}").__all__) <= set(readfresh.__all__)


def public() -> Iterator[tuple[str, Any]]:
    """Yield every public class, function and method of the package."""
    for module in MODULES:
        loaded = importlib.import_module(f"readfresh.{module}")
        yield module, loaded
        for name, value in vars(loaded).items():
            if name.startswith("_") or getattr(value, "__module__", None) != loaded.__name__:
                continue
            if isinstance(value, FunctionType):
                yield f"{module}.{name}", value
            elif inspect.isclass(value):
                yield f"{module}.{name}", value
                for method, function in vars(value).items():
                    if method.startswith("_") or getattr(function, "__name__", "").startswith("_"):
                        continue
                    if isinstance(function, FunctionType | classmethod | property):
                        yield f"{module}.{name}.{method}", getattr(value, method)


def test_everything_public_says_what_it_does() -> None:
    """Every public module, class, function and method has a docstring, whose first sentence ends."""
    count = 0
    for name, thing in public():
        count += 1
        doc = inspect.getdoc(thing) or ""
        assert doc, name
        assert re.search(r"[.:](?:\s|$)", doc), name
    assert count > 150


STORES = (readfresh.DefaultSessionStore, readfresh.HierarchicalSessionStore)
VERBS = sorted(
    {
        (name, function)
        for kind in STORES
        for name, function in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    },
    key=lambda pair: pair[0],
)


@pytest.mark.parametrize(("name", "function"), VERBS, ids=[name for name, _ in VERBS])
def test_verbs_say_what_they_return_and_raise(name: str, function: Any) -> None:
    """A verb's docstring says its effect, its result and its errors, and the argument names it uses exist."""
    doc = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    arguments = doc.split("Args:\n", 1)[1].split("\n\n")[0] if "Args:" in doc else ""
    for argument in re.findall(r"^    (\w+): ", arguments, re.MULTILINE):
        assert argument in signature.parameters, f"{name} has no argument {argument}"
    if "bool" in str(signature.return_annotation):
        told = re.search(r"True|[Ww]hether|; as `\w+`", doc)
        assert told, f"{name}: what does it return?"
    if name not in ("invalidate_cache", "list_sessions", "get_extended_session"):
        told = re.search(r"Raises:|raises as|; as `\w+`|are reported|as `get_chat_history` does", doc)
        assert told, f"{name}: what does it raise?"


def test_words_of_the_source() -> None:
    """Docstrings promise or refuse; words that do neither are not used."""
    for path in SOURCE.glob("*.py"):
        found = re.findall(r"\b(should|usually|robust|simply|just)\b", path.read_text(encoding="utf-8"))
        assert found == [], path.name


def sleeps(parsed: ast.AST) -> Iterator[int]:
    """Yield the lines that sleep, by whatever name, or import what does."""
    for node in ast.walk(parsed):
        named = [node.attr] if isinstance(node, ast.Attribute) else []
        if isinstance(node, ast.ImportFrom):
            named = [name.name for name in node.names]
        if "sleep" in named:
            yield getattr(node, "lineno", 0)


def test_tests_wait_for_events_and_never_sleep() -> None:
    """A test that sleeps is slow when it works and wrong when the machine is: use an event or a barrier."""
    found = [
        f"{path}:{line}"
        for path in files_of_the_clone()
        if path.endswith(".py") and path not in MAY_SLEEP
        for line in sleeps(ast.parse((ROOT / path).read_text("utf-8")))
    ]
    assert found == []


# Windows has no wait for a file that another program has opened.
MAY_SLEEP = {"src/readfresh/disk_windows.py"}


def test_a_sleep_is_seen() -> None:
    """Each way to sleep is found by the rule above; a zero-length one is not spared, and a word is not one."""
    for code in ("time.sleep(1)", "from time import sleep", "from asyncio import sleep as s", "await asyncio.sleep(0)"):
        assert list(sleeps(ast.parse(code))) == [1], code
    assert list(sleeps(ast.parse("'time.sleep(1)'"))) == []
    assert all(list(sleeps(ast.parse((ROOT / path).read_text("utf-8")))) for path in MAY_SLEEP)


def files_of_the_clone() -> list[str]:
    """Return every file that is ours: none that .gitignore names, and of the hidden folders only .ci and .github.

    Git itself is not asked, since the tests run where it is not installed.
    """
    patterns = (ROOT / ".gitignore").read_text("utf-8").split()

    def ours(folder: Path) -> bool:
        if folder.name.startswith("."):
            return folder.name in (".ci", ".github")
        anywhere = folder.parent != ROOT
        return not any(
            fnmatch(folder.name, pattern.strip("/")) for pattern in patterns if not (anywhere and pattern[0] == "/")
        )

    found: list[str] = []
    for place, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if ours(Path(place, name))]
        found += (Path(place, name).relative_to(ROOT).as_posix() for name in names)
    return sorted(found)


# An absolute path: no word, `.`, `~` or `$` stands before it, and no `<` of a closing tag.
MACHINE_PATH = re.compile(
    r"(?:(?<![\w.~$<>}*/-])|(?<=file://))/(?:root|home|Users|work|workspace|tmp|opt|mnt|srv|var|private|builds?)/[\w.-]+"
    r"|\b[A-Z]:\\+Users\\+\w+"
)
# A host of packages, and what names one on a command line or in a lock.
REGISTRY = re.compile(
    r"\b(?:[\w-]+\.)*(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|npmmirror\.com|yarnpkg\.com)\b"
    r"|https?://[\w.-]*(?:pypi|artifactory|nexus|registry|mirror|proxy|index)[\w.-]*(?::\d+)?/[\w./-]*"
    r"|--(?:extra-)?index-url[= ]\S+|\b\w*_INDEX_URL=\S+",
    re.IGNORECASE,
)
# What may stand in a file all the same, word for word, and why.
ALLOWED: dict[tuple[str, str], str] = {
    ("tests/test_dev.py", "https://index.example/simple"): "a host that cannot exist: a user's own index is kept",
}


def places(text: str) -> list[str]:
    """Return the directories of a machine and the hosts of packages that the text names."""
    return [found[0] for rule in (MACHINE_PATH, REGISTRY) for found in rule.finditer(text)]


def test_no_place_of_a_machine_is_in_the_clone() -> None:
    """No file of ours names a directory of somebody's machine, or the host that packages came from."""
    # This file has to name what it forbids; of a worktree, `.git` is a file.
    paths = [path for path in files_of_the_clone() if path not in ("tests/test_house_rules.py", ".git")]
    assert {"mkdocs.yml", ".ci/run", "requirements.lock", "README.md", "dev.py", "tests/site/build.py"} <= set(paths)
    found = [(path, place) for path in paths for place in places((ROOT / path).read_text("utf-8", "replace"))]
    assert [each for each in found if each not in ALLOWED] == []
    assert set(ALLOWED) <= set(found), "an allowance that nothing needs any more"


def test_a_place_of_a_machine_is_seen() -> None:
    """Each kind of place is found by the rule above; what looks like one and is none is left alone."""
    for text in (
        *("'/root/x'", "cd /work/main", "/tmp/a", "(/home/ann/b)", '"/Users/ann"', "file:///opt/x", "C:\\Users\\ann"),
        *("https://pypi.org/simple", "files.pythonhosted.org", "registry.npmjs.org", "http://nexus.corp:8081/x"),
        *("--index-url https://a.b/c", "PIP_INDEX_URL=https://a.b/c", "https://mirror.a.b/c"),
    ):
        assert places(text), text
    for text in ("how-it-works/work/x", "tmp_path / 'a'", "../home/x", "/etc/passwd", "$HOME/tmp/x", "PIP_INDEX_URL"):
        assert not places(text), text


def test_the_import_is_light() -> None:
    """Importing readfresh imports what a store is made of: what it depends on, and OpenSSL, only when it is used."""
    code = (
        "import sys, json; before = set(sys.modules); import readfresh; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], text=True, capture_output=True, check=True)
    names = {name.split(".")[0] for name in json.loads(done.stdout)}
    outside = names - set(sys.stdlib_module_names) - {"readfresh"}
    assert outside == set()
    heavy = {"sqlite3", "multiprocessing", "unittest", "xml", "http", "email", "tkinter", "pydoc", "typing_extensions"}
    assert names.isdisjoint(heavy | {"asyncio", "concurrent", "ssl", "uuid", "hashlib"})
    asks = (
        "import sys, readfresh; readfresh.default_session_dir(); readfresh.disk.system_disk(); "
        "print('platformdirs' in sys.modules, 'filelock' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", asks], text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["True", "True"]
