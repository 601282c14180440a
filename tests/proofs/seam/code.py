"""What a module does by itself to the file system, as far as its text tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

import readfresh

SOURCE = Path(readfresh.__file__).parent
SEAM = ("disk", "disk_sqlite", "disk_windows", "waiting")
"""The seam; `waiting`, which waits for a lock whose file `disk` has opened, is imported by nothing else."""
PROGRAM = ("__main__", "command")
MODULES = sorted(path.stem for path in SOURCE.glob("*.py") if path.stem not in (*SEAM, *PROGRAM))
"""All that a store is made of but the seam itself.

The kit is a program that tries stores, and is none; so is the command line, which opens the files that a person names.
"""

# What in `os` is no contact with a file system.
NO_FILES = {"fspath", "PathLike", "path", "sep", "environ", "getpid", "register_at_fork"}
NO_FILES_IN_PATH = {"join", "basename", "dirname", "abspath"}
FILE_MODULES = {
    *("filelock", "tempfile", "shutil", "fcntl", "io", "glob", "mmap", "subprocess"),
    *("posix", "nt", "codecs", "fileinput", "linecache", "dbm", "sqlite3"),
}
# What a `Path` can do and a `PurePath` cannot; other objects have methods of the ambiguous names too.
AMBIGUOUS = {"replace", "copy", "move", "info"}
TOUCHING = {name for name in dir(Path) if not name.startswith("_")} - {*dir(PurePath), "expanduser", *AMBIGUOUS}
SEAMS = {"self.disk", "self._storage"}  # the disk, and what keeps sessions on it


def file_contacts(parsed: ast.AST) -> Iterator[str]:
    """Yield what touches the file system by itself."""
    for node in ast.walk(parsed):
        found = ""
        if isinstance(node, ast.Import):
            modules = {name.name.split(".")[0] for name in node.names}
            renamed = any(
                name.asname and name.name.split(".")[0] in ("os", "pathlib", "builtins") for name in node.names
            )
            part = any(name.name == "readfresh.waiting" for name in node.names)
            found = "import" if modules & FILE_MODULES or renamed or part else ""
        elif isinstance(node, ast.ImportFrom):
            module, names = node.module or "", {name.name for name in node.names}
            part = module == "readfresh.waiting" or (module == "readfresh" and "waiting" in names)
            if module.split(".")[0] in FILE_MODULES or (module == "builtins" and "open" in names) or part:
                found = "import"
            elif module in ("os", "os.path"):
                found = "import" if names - (NO_FILES if module == "os" else NO_FILES_IN_PATH) else ""
                found = found or ("renamed" if any(name.asname for name in node.names) else "")
        elif isinstance(node, ast.Name):
            found = "open" if node.id == "open" else ""
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            of_path = isinstance(node.value, ast.Call) and re.search(r"\bPath$", ast.unparse(node.value.func))
            if (
                (owner == "os" and node.attr not in NO_FILES)
                or (owner == "os.path" and node.attr not in NO_FILES_IN_PATH)
                or (owner == "builtins" and node.attr == "open")
                or (owner != "os" and owner not in SEAMS and node.attr in TOUCHING)
                or (node.attr in AMBIGUOUS and of_path)
            ):
                found = node.attr
        if found:
            yield f"line {getattr(node, 'lineno', 0)}: {ast.unparse(node)}"


def contacts_of(module: str) -> list[str]:
    """Return what a module of the package does to files."""
    return list(file_contacts(ast.parse((SOURCE / f"{module}.py").read_text(encoding="utf-8"))))
