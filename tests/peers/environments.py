"""The environment of each peer: what its `requirements.lock` names, in `.venv-peers/<peer>`, made when it is needed.

    python3 -m tests.peers.environments          install every peer
    python3 -m tests.peers.environments lock     resolve each `requirements.in` anew, which needs uv

It installs the way `dev.py` does, with a copy of that module which has other folders: every file with its hash,
nothing but what the lock names, and a stamp that is written last.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PEERS = tuple(sorted(file.parent.name for file in HERE.glob("*/requirements.in")))
FOLDER = ROOT / ".venv-peers"


class NotInstalled(Exception):
    """The environment of a peer could not be made; the text says why, and what to do."""


def python(peer: str) -> Path:
    """Return the Python of a peer's environment, which is installed first where it is missing or outdated.

    Raises:
        NotInstalled: pip or the system said no.
    """
    dev = _dev(peer)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), dev.one_at_a_time():
            _install(dev)
    except SystemExit as ended:
        raise NotInstalled(f"{peer}: {said.getvalue().strip()}") from ended
    return Path(dev.PYTHON)


def environment(home: Path) -> dict[str, str]:
    """Return the variables for a peer's process: readfresh and the tests on its path, its files in a home of its own.

    Nothing of what it does leaves the machine: those that would report how they are used are told not to.
    """
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
    return kept | {
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DO_NOT_TRACK": "1",
        "PRAISONAI_TELEMETRY_DISABLED": "true",
        "AGNO_TELEMETRY": "false",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "LANGSMITH_TRACING": "false",
        "TZ": "UTC",
    }


def lock_command(peer: str) -> list[str]:
    """Return the command that resolves a peer's lock: one version of each for every Python from 3.11 on."""
    flags = "--universal --fork-strategy fewest --python-version 3.11 --generate-hashes"
    quiet = "--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet"
    command = ["uv", "pip", "compile", "requirements.in", *flags.split(), *quiet.split()]
    return [*command, "--output-file", f"{HERE}/{peer}/requirements.lock"]


def _dev(peer: str) -> ModuleType:
    """Return a copy of `dev.py` whose lock and folder are the peer's."""
    spec = importlib.util.spec_from_file_location(f"dev_of_{peer}", ROOT / "dev.py")
    assert spec
    assert spec.loader
    dev = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(dev)
    folder = FOLDER / peer
    names = {"LOCK": HERE / peer / "requirements.lock", "VENV": folder, "STAMP": folder / "readfresh-stamp"}
    names |= {"BIN": folder / dev.BIN.name, "PYTHON": folder / dev.BIN.name / dev.PYTHON.name}
    for name, value in names.items():
        setattr(dev, name, value)
    return dev


def _install(dev: ModuleType) -> None:
    wanted = dev.fingerprint(dev.LOCK.read_bytes(), sys.version, sys.base_prefix, str(dev.VENV))
    if dev.STAMP.is_file() and dev.PYTHON.exists() and dev.STAMP.read_text() == wanted:
        return
    dev.remove_venv()
    FOLDER.mkdir(exist_ok=True)
    if dev.works(dev.own_pip("--version")):  # the pip of this Python: making one there takes longer than installing
        venv.EnvBuilder(symlinks=os.name != "nt", with_pip=False).create(dev.VENV)
        pip = dev.own_pip()
    else:
        pip = dev.make_venv()
    dev.pip_install(pip, "--require-hashes", "--no-deps", "-r", str(dev.LOCK))
    temporary = dev.STAMP.with_suffix(".tmp")
    temporary.write_text(wanted)
    temporary.replace(dev.STAMP)


def main() -> None:
    """Install every peer, or resolve every lock."""
    for peer in PEERS:
        if sys.argv[1:] == ["lock"]:
            subprocess.run(lock_command(peer), cwd=HERE / peer, check=True)
        else:
            print(python(peer).relative_to(ROOT), flush=True)


if __name__ == "__main__":
    main()
