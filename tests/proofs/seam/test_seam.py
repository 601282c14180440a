"""All contact with the file system is in `disk`: so tests can record it, stop in it, and make it fail."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.proofs.figures import prove
from tests.proofs.rung import Part
from tests.proofs.seam.child import STRAYS, everything
from tests.proofs.seam.code import file_contacts
from tests.proofs.seam.parts import PARTS, audit_run
from tests.store.support import VERBS


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.key)
def test_nothing_goes_past_the_seam(part: Part, memory_path: Path, pytestconfig: pytest.Config) -> None:
    """No module but `disk` touches the file system, in its text and in a run of everything."""
    prove(part, memory_path, pytestconfig)


TOUCHES = [
    *(f"Path(x).{name}()" for name in ("unlink", "exists", "mkdir", "stat", "rename", "resolve", "open", "replace")),
    *(f"path.{name}()" for name in ("read_text", "read_bytes", "write_text", "write_bytes", "rmdir", "iterdir")),
    *("map(Path.exists, paths)", "pathlib.Path(x).replace(y)", "self.path.unlink()", "path.parent.is_dir()"),
    *("open(x)", "builtins.open(x)", "read = open", "from builtins import open", "import builtins as b"),
    *("os.unlink(x)", "os.path.exists(x)", "import os as o", "import os.path as p", "from os import unlink"),
    *("from os import path as p", "from os.path import exists", "from os import *", "import shutil"),
    *("from tempfile import mkstemp", "import pathlib as p", "from readfresh.waiting import wait_for"),
    *("from readfresh import waiting", "import readfresh.waiting"),
]
TOUCHES_NOT = [
    *("self.disk.unlink(x)", "self._storage.exists(x)", "Path(x).expanduser()", "'a'.replace('a', 'b')"),
    *("dataclasses.replace(x)", "os.path.join(x, y)", "os.fspath(x)", "from os import PathLike", "import os"),
    *("Path(x).parent.name", "dict(x).copy()", "from os.path import join"),
    *("from readfresh.pins import Pins", "from readfresh.disk import system_disk"),
]


def test_a_touch_of_a_file_is_seen() -> None:
    """Each way round the disk is found in the text, and what touches nothing is left alone."""
    assert [code for code in TOUCHES if not list(file_contacts(ast.parse(code)))] == []
    assert [code for code in TOUCHES_NOT if list(file_contacts(ast.parse(code)))] == []


@pytest.mark.parametrize(
    ("stray", "contact"),
    [
        ("opens", "open in _read, store.py: beside"),
        ("looks", "os.stat in session_exists, store.py: trip.json"),
        ("lists", "os.listdir in delete_session, store.py: b"),
        ("stamps-under-the-lock", "os.utime in update, files.py: b"),
        ("uses-the-seam-unseen", "os.lstat in exists, disk.py: trip.json"),
    ],
)
def test_a_store_that_goes_past_the_seam_is_heard(stray: str, contact: str, memory_path: Path) -> None:
    """An open, a look, a list, a stamp under the session's lock, and a verb that nobody has recorded."""
    assert stray in STRAYS
    finding = audit_run(memory_path, stray).finding
    assert finding
    assert finding.what == "a file is touched past the seam"
    assert contact in finding.history


def test_every_verb_is_run() -> None:
    """The run leaves out no verb of either store."""
    run = {name for name, _ in everything()}
    assert {f"HierarchicalSessionStore.{verb.name}" for verb in VERBS} <= run
    assert {f"DefaultSessionStore.{verb.name}" for verb in VERBS if not verb.hierarchical} <= run
