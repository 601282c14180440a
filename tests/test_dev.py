"""dev.py: what it installs, when it installs anew, and what it says when it cannot.

That its two commands work on a fresh machine is for .ci/run to show; here nothing is fetched.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

import dev

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Clone:
    """A clone in which every install is noted instead of done."""

    folder: Path
    done: list[str] = field(default_factory=list)
    fails_at: str = ""

    def start(self) -> list[str]:
        """Start a command and return what it installed."""
        self.done.clear()
        dev.install()
        return list(self.done)

    def make_venv(self) -> list[str]:
        """Make something that looks like an environment."""
        assert not dev.VENV.exists(), "what was there before is still there"
        dev.PYTHON.parent.mkdir(parents=True)
        dev.PYTHON.touch()
        return ["pip"]

    def pip_install(self, pip: list[str], *arguments: str) -> None:
        """Note one install; fail where the test says so."""
        assert pip == ["pip"]
        what = "lock" if "-r" in arguments else "project"
        if what == self.fails_at:
            raise SystemExit(2)
        self.done.append(what)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Point dev.py at a folder of its own."""
    it = Clone(tmp_path)
    (tmp_path / "requirements.lock").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(dev, "HERE", tmp_path)
    monkeypatch.setattr(dev, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "STAMP", tmp_path / ".venv/stamp")
    monkeypatch.setattr(dev, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(dev, "make_venv", it.make_venv)
    monkeypatch.setattr(dev, "pip_install", it.pip_install)
    monkeypatch.setattr(dev, "find_pip", lambda: ["pip"])
    return it


def test_second_start_installs_nothing(clone: Clone) -> None:
    """The first start installs the lock and the project; the second finds the stamp and installs nothing."""
    assert clone.start() == ["lock", "project"]
    assert clone.start() == []


@pytest.mark.parametrize("part", ["lock", "project"])
def test_interrupted_install_is_built_anew(clone: Clone, part: str) -> None:
    """An install that ends half-way leaves no stamp, and the next start begins from nothing."""
    clone.fails_at = part
    with pytest.raises(SystemExit):
        clone.start()
    clone.fails_at = ""
    assert clone.start() == ["lock", "project"]
    assert clone.start() == []


def change_lock(folder: Path) -> None:
    """Name another version."""
    (folder / "requirements.lock").write_text("a==2\n")


def remove_python(folder: Path) -> None:
    """Take away what the environment runs on."""
    (folder / ".venv/bin/python").unlink()


def move_environment_elsewhere(folder: Path) -> None:
    """Put another clone's environment in its place."""
    (folder / ".venv").rename(folder / "elsewhere")
    (folder / ".venv").symlink_to(folder / "elsewhere")
    (folder / ".venv/stamp").write_text("of another clone\n")


@pytest.mark.parametrize("damage", [change_lock, remove_python, move_environment_elsewhere])
def test_what_does_not_fit_is_built_anew(clone: Clone, damage: Callable[[Path], None]) -> None:
    """A changed lock, a missing Python and an environment of another clone: each is built from nothing."""
    clone.start()
    damage(clone.folder)
    assert clone.start() == ["lock", "project"]
    assert clone.start() == []


def test_changed_project_is_installed_alone(clone: Clone) -> None:
    """A change of pyproject.toml installs the project again, and leaves the environment as it is."""
    clone.start()
    (clone.folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert clone.start() == ["project"]
    clone.fails_at = "project"
    (clone.folder / "pyproject.toml").write_text("[project]\nname = 'y'\n")
    with pytest.raises(SystemExit):
        clone.start()
    clone.fails_at = ""
    assert clone.start() == ["lock", "project"], "the stamp of the older project was still there"


def test_older_python_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A Python that is too old is named, with what to run instead."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit) as ended:
        dev.main([])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "this is Python 3.10.4" in said
    assert "python3.11 dev.py" in said


def test_unknown_command_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist ends with the list of those that do."""
    with pytest.raises(SystemExit):
        dev.main(["tset"])
    assert "serve, test, build, offline, update, benchmark, lock" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("commands", "cause"),
    [
        ({}, "neither ensurepip nor pip"),
        ({"apt-get": "echo no network >&2; exit 100", "dpkg-deb": "exit 0"}, "`apt-get update` failed: no network"),
        ({"apt-get": "exit 0", "dpkg-deb": "exit 0"}, "python3-pip-whl holds none"),
    ],
)
def test_python_that_cannot_get_pip_is_told_what_to_do(
    commands: dict[str, str],
    cause: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Where neither Python nor Debian's package gives a pip, the cause and the remedy are said, and nothing is run."""
    for name, script in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dev, "pip_install", lambda *_: pytest.fail("it was run"))
    with pytest.raises(SystemExit):
        dev.debian_pip()
    said = capsys.readouterr().err
    assert cause in said
    assert "apt install python3-venv" in said


def test_environment_keeps_nothing_that_leads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONPATH and pip's own targets stay outside; the tools of .venv come first on the PATH."""
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    environment = dev.clean_environment()
    assert not environment.keys() & {"PYTHONPATH", "PIP_USER"}
    assert environment["PIP_INDEX_URL"] == "https://index.example/simple"
    assert environment["PATH"].startswith(str(dev.BIN) + os.pathsep)


def test_port_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second clone is served on the next port; an address that was asked for is taken as it is."""
    monkeypatch.setattr(dev, "is_free", lambda port: port > 8001)
    assert "localhost:8002" in dev.serve([])
    assert dev.serve(["--dev-addr=localhost:9"])[-1] == "--dev-addr=localhost:9"


@pytest.mark.parametrize(
    "words",
    [
        *("-n 0", "-n4", "--numprocesses=2", "--pdb", "--pdbcls=a:b", "--trace", "-s", "--update-examples"),
        *("-p no:xdist", "-pno:xdist", "-x -k one -s"),
    ],
)
def test_whoever_looks_inside_gets_one_process(words: str) -> None:
    """Who says how many processes, or wants to see one at work, gets no others."""
    assert dev.side_by_side(words.split()) == []


@pytest.mark.parametrize(
    "words", ["", "tests/docs", "-x -k none", "--tracemalloc", "--strict-markers", "-p no:cacheprovider", "tests/a-n"]
)
def test_every_core_is_used_otherwise(words: str) -> None:
    """Words that say nothing about processes leave every core at work, also while some tests wait."""
    option, processes = dev.side_by_side(words.split())[:2]
    assert option == "-n"
    assert int(processes) > (os.cpu_count() or 1)


def test_help_names_every_command() -> None:
    """`dev.py --help` says what each command does."""
    done = subprocess.run([sys.executable, str(ROOT / "dev.py"), "--help"], text=True, capture_output=True)
    assert done.returncode == 0
    assert re.findall(r"python3 dev.py (\w*)", done.stdout) == [
        "",
        "test",
        "build",
        "offline",
        "update",
        "benchmark",
        "lock",
    ]


# The lock


def locked() -> dict[str, list[SimpleNamespace]]:
    """Read requirements.lock: each package with its requirement and hashes."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    found: dict[str, list[SimpleNamespace]] = {}
    for line in text.splitlines():
        words, *hashes = re.split(r"\s+--hash=", line.strip())
        requirement = Requirement(words)
        found.setdefault(requirement.name, []).append(SimpleNamespace(requirement=requirement, hashes=hashes))
    return found


def test_lock_names_packages_and_hashes_and_no_place() -> None:
    """Each line of the lock is one version with its hashes: no index, no path, no comment."""
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?:|file:|(?m:^#|^-)|[ =]/", text)
    packages = locked()
    assert len(packages) > 40
    for entries in packages.values():
        (entry,) = entries  # one version for every Python: what one reader sees, all see
        assert [each.operator for each in entry.requirement.specifier] == ["=="]
        assert entry.hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in entry.hashes)


def test_lock_fits_the_project() -> None:
    """Each package that pyproject.toml asks for is in the lock, in a version that it allows."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    extras = project["project"]["optional-dependencies"]
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *extras["docs"],
        *extras["test"],
    ]
    packages = locked()
    assert asked
    for requirement in map(Requirement, asked):
        if requirement.name == "readfresh":
            continue
        assert requirement.name in packages, f"{requirement.name} is not in the lock: run python3 dev.py lock"
        (entry,) = packages[requirement.name]
        (version,) = (each.version for each in entry.requirement.specifier)
        assert requirement.specifier.contains(version), f"{requirement} but {version}: run python3 dev.py lock"
