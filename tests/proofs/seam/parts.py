"""The parts of the rung: the code that is read, and the run that is audited."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.proofs.rung import Finding, Part, Ran
from tests.proofs.seam.audit import VERBS
from tests.proofs.seam.code import MODULES, contacts_of
from tests.store.support import PATIENCE_SECONDS, ROOT


def read_code(_folder: Path) -> Ran:
    """Read every module but the seam."""
    for number, module in enumerate(MODULES):
        if found := contacts_of(module):
            return Ran({"modules": number}, Finding(f"the module {module!r} touches files by itself", tuple(found)))
    return Ran({"modules": len(MODULES)})


def audit_run(folder: Path, stray: str = "") -> Ran:
    """Run everything in a process that is audited."""
    command = [sys.executable, "-m", "tests.proofs.seam.child", str(folder), *([stray] if stray else [])]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3 * PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        return Ran({}, Finding(f"the run did not end within {3 * PATIENCE_SECONDS} s"))
    if done.returncode:
        return Ran({}, Finding("an error that no store may raise ended the run", tuple(done.stderr.splitlines()[-20:])))
    said: dict[str, Any] = json.loads(done.stdout)
    counts = {"calls": len(said["run"]), "verbs of the seam": len(said["verbs of the seam"])}
    varying = {"operations of the seam": said["operations"], "contacts with files": sum(said["contacts"].values())}
    return Ran({**counts, **varying}, _finding(said), frozenset(varying))


def _finding(said: dict[str, Any]) -> Finding | None:
    if said["past"]:
        return Finding("a file is touched past the seam", tuple(said["past"]))
    if said["unheard"]:
        return Finding("a verb of the seam touches files unheard", tuple(said["unheard"]))
    if said["refused"]:
        return Finding("a call is refused that nothing stands in the way of", tuple(said["refused"]))
    if uncalled := set(VERBS) - set(said["verbs of the seam"]):
        return Finding("the run never calls a verb of the seam", tuple(sorted(uncalled)))
    if not said["waits"]:
        return Finding("the run never waits for a lock that another holds")
    return None


PARTS = (
    Part("seam", "code", "the text of every module but the seam", read_code),
    Part("seam", "run", "every verb of both stores and what sits on them, audited", audit_run),
)
