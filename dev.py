#!/usr/bin/env python3
"""Two commands for a fresh clone, with nothing but Python 3.11 or newer.

    python3 dev.py         install into .venv, then serve the docs on localhost
    python3 dev.py test    install into .venv, then run every test; more words go to pytest

Five more for those who change things:

    python3 dev.py build      build the site into site/; a broken link is an error
    python3 dev.py offline    build the site to be read without a server: readfresh-docs.zip
    python3 dev.py update     run the examples and write their outputs into the pages
    python3 dev.py benchmark  measure what the stores cost, beside other people's
    python3 dev.py lock       resolve requirements.lock anew, which needs uv

Some tests need a browser, a server or strace, and without it skip and say so; on Debian and Ubuntu:

    sudo apt install chromium postgresql redis-server strace

What is installed stands in requirements.lock, every file of it with its hash.
The folder .venv carries a stamp that is written last and names what it was built from:
where the stamp is missing or tells of something else, .venv is built again from nothing.
"""

from __future__ import annotations  # so that an older Python gets as far as saying that it is too old

import contextlib
import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.lock"
VENV = HERE / ".venv"
STAMP = VENV / "readfresh-stamp"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")


def main(arguments: list[str]) -> None:
    """Run one command and end with its exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this file may have an older Python
        version = ".".join(map(str, sys.version_info[:3]))
        fail(f"this is Python {version}", "run it with Python 3.11 or newer: python3.11 dev.py")
    command, *rest = arguments or ["serve"]
    if command in ("-h", "--help", "help"):
        print(__doc__)
        return
    if command == "lock":
        lock(rest)
    commands: dict[str, Callable[[list[str]], list[str]]] = {
        "serve": serve,
        "test": lambda rest: ["-m", "pytest", *side_by_side(rest), *rest],
        "build": lambda rest: ["-m", "mkdocs", "build", "--strict", *rest],
        "offline": offline,
        "update": lambda rest: ["-m", "pytest", "tests/docs", "--update-examples", *rest],
        "benchmark": lambda rest: ["-m", "tests.benchmark", *rest],
    }
    if command not in commands:
        fail(f"there is no command {command!r}", f"use one of {', '.join(commands)}, lock")
    install()
    run([str(PYTHON), *commands[command](rest)])


def serve(rest: list[str]) -> list[str]:
    """Serve on the first free port from 8000 on, so that a second clone can be served beside the first."""
    if any(word == "-a" or word.startswith("--dev-addr") for word in rest):
        return ["-m", "mkdocs", "serve", *rest]
    port = next((port for port in range(8000, 8100) if is_free(port)), 8000)
    print(f"The docs: http://localhost:{port}/ (Ctrl+C ends the server)", flush=True)
    return ["-m", "mkdocs", "serve", "--dev-addr", f"localhost:{port}", *rest]


def offline(rest: list[str]) -> list[str]:
    """Build a site whose pages are opened from the disk, search included, and pack it."""
    os.environ["OFFLINE"] = "true"
    return ["-m", "mkdocs", "build", "--strict", "--site-dir", "readfresh-docs", *rest]


def side_by_side(rest: list[str]) -> list[str]:
    """Return what makes pytest use every core, unless the caller says how many, or wants to look inside.

    A third of the time the tests wait, for locks, disks and servers: there are three workers for two cores.
    """
    words = " ".join(rest)  # `-p no:xdist` is two words, or one
    asked = r"(?:^| )(?:-n|--numprocesses|--pdb|--trace(?= |$)|--update-examples|-s(?= |$)|-p ?no:xdist(?= |$))"
    return [] if re.search(asked, words) else ["-n", str(-(-3 * (os.cpu_count() or 1) // 2)), "--dist", "worksteal"]


def is_free(port: int) -> bool:
    """Tell whether a server may listen on this port."""
    with socket.socket() as probe:
        if os.name != "nt":  # as the server does: a port in TIME_WAIT counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# Install


def install() -> None:
    """Make .venv what requirements.lock says, with the project itself in it; do nothing where it is so."""
    environment = fingerprint(LOCK.read_bytes(), sys.version, sys.base_prefix, str(HERE))
    project = fingerprint((HERE / "pyproject.toml").read_bytes())
    with one_at_a_time():
        # Without its Python, as after an upgrade of the system's, a stamp says nothing.
        stamp = STAMP.read_text().split() if STAMP.is_file() and PYTHON.exists() else []
        if stamp == [environment, project]:
            return
        if stamp[:1] != [environment]:
            print("Installing into .venv (about half a minute) ...", flush=True)
            # From nothing: what an interrupted or older install left cannot be told from what is right.
            remove_venv()
            pip = make_venv()
            pip_install(pip, "--require-hashes", "--no-deps", "-r", str(LOCK))
        else:
            STAMP.unlink()
            pip = find_pip()
        # The build tool is in the lock too, so that nothing is fetched that has no hash.
        pip_install(pip, "--no-deps", "--no-build-isolation", "--editable", str(HERE))
        temporary = STAMP.with_suffix(".tmp")
        temporary.write_text(f"{environment}\n{project}\n")
        temporary.replace(STAMP)


def fingerprint(*parts: bytes | str) -> str:
    """Return one hash for all the parts."""
    joined = b"\0".join(part.encode() if isinstance(part, str) else part for part in parts)
    return hashlib.sha256(joined).hexdigest()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep two commands that are started at once from installing into the same folder."""
    with LOCK.open("rb") as file:
        with contextlib.suppress(ImportError):  # Windows has no fcntl: two installs at once may clash there
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_venv() -> None:
    """Delete .venv, a link to elsewhere included."""
    try:
        if VENV.is_symlink() or VENV.is_file():
            VENV.unlink()
        elif VENV.exists():
            shutil.rmtree(VENV)
    except OSError as error:
        fail(f"cannot remove {VENV}: {error}", "delete that folder, then start again")


def make_venv() -> list[str]:
    """Make an empty .venv and return the command that is its pip."""
    try:
        venv.EnvBuilder(symlinks=os.name != "nt", with_pip=False).create(VENV)
    except OSError as error:
        fail(f"cannot make {VENV}: {error}", "check that this folder can be written and that the disk has room")
    # Debian has ensurepip in a package of its own (python3-venv), which a fresh machine lacks.
    if not works([str(PYTHON), "-m", "ensurepip", "--default-pip"]) and not works(own_pip("--version")):
        debian_pip()
    return find_pip()


def find_pip() -> list[str]:
    """Return the command that installs into .venv."""
    inside = [str(PYTHON), "-m", "pip"]
    return inside if works([*inside, "--version"]) else own_pip()


def own_pip(*arguments: str) -> list[str]:
    """Return a command for the pip of the Python that runs this file, told to work on .venv (pip 22.3 or newer)."""
    return [sys.executable, "-m", "pip", "--python", str(PYTHON), *arguments]


def debian_pip() -> None:
    """Install pip into .venv from Debian's own package of it, which apt-get fetches and checks without being root."""
    remedy = "install pip for this Python, on Debian and Ubuntu with: sudo apt install python3-venv"
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        fail("this Python has neither ensurepip nor pip", remedy)
    with tempfile.TemporaryDirectory() as folder:
        # Lists and cache of its own: a fresh machine has no lists, and only root may write the system's.
        for name in ("lists/partial", "cache/archives/partial"):
            Path(folder, name).mkdir(parents=True)
        apt = ["apt-get", "--quiet", "-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        # Root would hand the download to the user _apt, who may not read this folder.
        apt += ["-o", "APT::Sandbox::User=root"]
        for step in ([*apt, "update"], [*apt, "download", "python3-pip-whl"]):
            done = subprocess.run(step, cwd=folder, capture_output=True, text=True)
            if done.returncode != 0:
                fail(f"this Python has no pip, and `{step[0]} {step[-1]}` failed: {done.stderr.strip()}", remedy)
        packages = [str(path) for path in Path(folder).glob("python3-pip-whl*.deb")]
        wheels = []
        if packages and subprocess.run(["dpkg-deb", "-x", packages[0], f"{folder}/package"]).returncode == 0:
            wheels = list(Path(folder, "package").rglob("pip-*.whl"))
        if not wheels:
            fail("this Python has no pip, and Debian's package python3-pip-whl holds none", remedy)
        # A wheel is a zip file, and Python runs a package that is in one.
        pip_install([str(PYTHON), str(wheels[0] / "pip")], "--no-deps", "--no-index", str(wheels[0]))


def pip_install(pip: list[str], *arguments: str) -> None:
    """Run `pip install`; where it fails, its own words stand above ours."""
    command = [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    if subprocess.run(command, cwd=HERE, env=clean_environment()).returncode != 0:
        fail(
            "pip could not install what requirements.lock names (its own words stand above)",
            "check the network and the disk, then start again: a half-made .venv is built anew",
        )


# Helpers


def lock(rest: list[str]) -> NoReturn:
    """Resolve the newest versions for every Python from 3.11.0 on, one version of each for all of them."""
    if shutil.which("uv") is None:
        fail("resolving the lock needs uv, which is not on the PATH", "install it: pip install uv")
    flags = "--universal --fork-strategy fewest --python-version 3.11 --generate-hashes"
    # No header, no notes and no index: the file names packages, and no machine or place it was made at.
    quiet = "--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet"
    command = ["uv", "pip", "compile", "pyproject.toml", "--extra", "test", *flags.split(), *quiet.split()]
    run([*command, "--output-file", LOCK.name, *rest])


def run(command: list[str]) -> NoReturn:
    """Run a command in the clone and end with its exit status."""
    sys.stdout.flush()
    if os.name == "nt":
        raise SystemExit(subprocess.run(command, cwd=HERE, env=clean_environment()).returncode)
    # It takes the place of this process: a signal that ends dev.py ends the server, and leaves none behind.
    os.chdir(HERE)
    os.execvpe(command[0], command, clean_environment())


def works(command: list[str]) -> bool:
    """Tell whether a command ends with success, whatever it prints."""
    return subprocess.run(command, cwd=HERE, env=clean_environment(), capture_output=True).returncode == 0


def clean_environment() -> dict[str, str]:
    """Return the environment without what would make this Python look or install elsewhere, or compile again."""
    elsewhere = {"PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}
    # The tests start thousands of Pythons, and each would compile the modules of this project anew.
    elsewhere.add("PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if name not in elsewhere}
    # The scripts of .venv come first, as after activating it; Material's advert for another tool stays out.
    path = os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)])
    return kept | {"PATH": path, "VIRTUAL_ENV": str(VENV), "NO_MKDOCS_2_WARNING": "1"}


def fail(cause: str, remedy: str) -> NoReturn:
    """End with a cause and a remedy."""
    print(f"dev.py: {cause}.\n        What to do: {remedy}.", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    main(sys.argv[1:])
