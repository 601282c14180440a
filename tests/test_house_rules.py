"""The rules of the house that no linter knows."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import readfresh

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "readfresh"
MODULES = sorted(path.stem for path in SOURCE.glob("*.py") if path.stem != "__init__")
ORDER = re.findall(r"^- `(\w+)`:", readfresh.__doc__ or "", re.MULTILINE)

# What in `os` is no contact with a file system.
NO_FILES = {"fspath", "PathLike", "path", "sep", "environ", "getpid", "register_at_fork"}
NO_FILES_IN_PATH = {"join", "basename", "dirname", "abspath"}


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
    assert sorted(listed) == MODULES


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


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("disk")])
def test_only_the_disk_touches_files(module: str) -> None:
    """All contact with the file system is in `disk`: so tests can record it, stop in it, and make it fail."""
    parsed = tree(module)
    forbidden = {"filelock", "tempfile", "shutil", "fcntl", "io", "glob", "mmap", "subprocess"}
    assert forbidden.isdisjoint(name.split(".")[0] for name in imports(parsed))
    for node in ast.walk(parsed):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr in NO_FILES, f"line {node.lineno}: os.{node.attr}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "path":
            inner = node.value.value
            if isinstance(inner, ast.Name) and inner.id == "os":
                assert node.attr in NO_FILES_IN_PATH, f"line {node.lineno}: os.path.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "open", f"line {node.lineno}: open()"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            touching = {"read_text", "read_bytes", "write_text", "write_bytes", "touch", "iterdir", "is_file", "is_dir"}
            assert node.func.attr not in touching, f"line {node.lineno}: .{node.func.attr}()"


def test_the_lock_is_entered_in_three_places() -> None:
    """Only `read`, `update` and `delete` enter a session's lock, through one helper."""
    found = []
    for module in MODULES:
        for owner in ast.walk(tree(module)):
            if isinstance(owner, ast.FunctionDef):
                calls = [node for node in ast.walk(owner) if isinstance(node, ast.Call)]
                names = [node.func.attr for node in calls if isinstance(node.func, ast.Attribute)]
                found += [(module, owner.name, name) for name in names if name in ("_locked", "lock")]
    assert found == [
        ("files", "read", "_locked"),
        ("files", "update", "_locked"),
        ("files", "delete", "_locked"),
        ("files", "_locked", "lock"),
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
        assert module not in ("__init__", "errors", "model", "protocols", "default", "hierarchical")
        return
    assert list(exported) == sorted(set(exported))
    for name in exported:
        assert getattr(loaded, name) is not None


def test_what_is_public_is_exported_at_the_top() -> None:
    """Whatever a module of verbs and values exports, the package does too."""
    for module in ("errors", "model", "protocols", "default", "hierarchical"):
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


def test_tests_wait_for_events_and_never_sleep() -> None:
    """A test that sleeps is slow when it works and wrong when the machine is: use an event or a barrier."""
    sleeps = "sl" + "eep("
    folders = [ROOT / "tests", ROOT / "examples", SOURCE]
    for path in sorted(file for folder in folders for file in folder.rglob("*.py")):
        if path.name != "disk_windows.py":
            lines = path.read_text(encoding="utf-8").splitlines()
            found = [number for number, line in enumerate(lines, 1) if f"time.{sleeps}" in line]
            assert found == [], f"{path.relative_to(ROOT)}, lines {found}"


def test_no_path_of_a_machine_is_in_the_clone() -> None:
    """No file of ours names a directory of somebody's machine."""
    home = re.compile(r"/(?:root|home/\w+|Users/\w+)/")
    for folder in ("src", "tests", "examples", "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".md", ".toml", ".css", ".js", ".json") and path.name != Path(__file__).name:
                assert not home.search(path.read_text(encoding="utf-8")), path.relative_to(ROOT)


def test_the_import_is_light() -> None:
    """Importing readfresh imports its own dependency and the standard library; platformdirs only when it is asked."""
    code = (
        "import sys, json; before = set(sys.modules); import readfresh; "
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], text=True, capture_output=True, check=True)
    names = {name.split(".")[0] for name in json.loads(done.stdout)}
    outside = names - set(sys.stdlib_module_names) - {"readfresh"}
    assert outside == {"filelock"}
    heavy = {"sqlite3", "multiprocessing", "unittest", "xml", "http", "email", "tkinter", "pydoc", "typing_extensions"}
    assert names.isdisjoint(heavy)
    asks = "import sys, readfresh; readfresh.default_session_dir(); print('platformdirs' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", asks], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "True"
