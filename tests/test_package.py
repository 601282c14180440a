"""The wheel: it installs into an empty environment, works there by itself, and holds what it is to hold."""

import email
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.full_grid import FULL_GRID

ROOT = Path(__file__).resolve().parents[1]

# What a stranger does first; -I keeps the clone out of sight, -W error a warning from going unseen.
FIRST_STEPS = """
import readfresh, sys
store = readfresh.DefaultSessionStore(sys.argv[1])
store.add_message("trip", "user", "Porto")
print(store.get_chat_history("trip"))
print(readfresh.__file__)
"""

DATABASE_STEPS = """
import readfresh, sys
store = readfresh.DbSessionAdapter(sys.argv[1])
made = store.create_schema()
store.add_message("trip", "user", "Porto")
tree = readfresh.HierarchicalSessionStore(storage=store)
tree.create_snapshot(tree.fork_session("trip"))
print(made, [message["content"] for message in store.get_chat_history("trip")])
store.close()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the build tool that the lock names, and nothing fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def metadata(wheel: Path) -> Message:
    """Read the metadata of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def requirements(wheel: Path, extra: str = "") -> list[str]:
    """List what the wheel needs without any extra, or for one."""
    needed = metadata(wheel).get_all("Requires-Dist", [])
    if not extra:
        return [each for each in needed if "extra ==" not in each]
    return [each.partition(";")[0].strip() for each in needed if f"extra == '{extra}'" in each]


def empty_environment(folder: Path) -> Path:
    """Make an environment with nothing in it and return its Python."""
    venv.create(folder, symlinks=os.name != "nt")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip_into(python: Path, *arguments: str) -> None:
    """Run our pip on another environment."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", *arguments]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def first_steps(python: Path, folder: Path) -> None:
    """Do the first steps with the installed wheel, away from the clone."""
    command = [str(python), "-I", "-W", "error", "-c", FIRST_STEPS, str(folder / "sessions")]
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    history, where = done.stdout.splitlines()
    assert history == "[{'role': 'user', 'content': 'Porto'}]"
    assert Path(where).is_relative_to(folder)


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """The wheel has every module, the mark of a typed package and the licence; no tests, no docs."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    ours = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src/readfresh").rglob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == ours | {"readfresh/py.typed"}
    assert any(re.fullmatch(r"readfresh-[^/]+\.dist-info/licenses/LICENSE", name) for name in names)
    about = metadata(wheel)
    assert about["License-Expression"] == "MIT"
    assert about["Requires-Python"] == ">=3.11"
    assert str(about.get_payload()).startswith("# readfresh")


def test_wheel_works_by_itself(wheel: Path, tmp_path: Path) -> None:
    """In an environment with what the wheel declares and nothing else, the first steps work."""
    python = empty_environment(tmp_path / "venv")
    pip_into(python, "--no-index", "--no-deps", str(wheel))
    (packages,) = (tmp_path / "venv").rglob("site-packages")
    for requirement in requirements(wheel):
        # Copied from this environment: a network that is down is no fault of the wheel.
        (name,) = re.findall(r"^[\w.-]+", requirement)
        for file in importlib.metadata.files(name) or []:
            if ".." not in file.parts:
                (packages / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(str(file.locate())), packages / file)
    first_steps(python, tmp_path)
    star = "from readfresh import *; print(DefaultSessionStore.__name__)"
    done = subprocess.run([str(python), "-I", "-c", star], cwd=tmp_path, text=True, capture_output=True)
    assert done.stdout == "DefaultSessionStore\n", done.stderr
    for code in ("from readfresh import DbSessionAdapter", "import readfresh.move"):
        done = subprocess.run([str(python), "-I", "-c", code], cwd=tmp_path, text=True, capture_output=True)
        assert done.returncode == 1
        assert "pip install 'readfresh[database]'" in done.stderr.splitlines()[-1], "what needs an extra names it"
    command = [str(python), "-I", "-m", "readfresh.move", "chats", "sqlite:///chats.db"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), "1 would say that sessions were left"
    assert "pip install 'readfresh[database]'" in done.stderr
    (script,) = (tmp_path / "venv").glob("*/readfresh*")
    for command in ([str(script)], [str(python), "-I", "-m", "readfresh"]):
        done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert "pip install 'readfresh[console]'" in done.stderr


if FULL_GRID:  # fetches from the package index, as .ci/run does anyway

    def test_wheel_works_with_the_oldest_versions_it_allows(wheel: Path, tmp_path: Path) -> None:
        """The lower bounds of the dependencies are true: the first steps work with exactly these."""
        oldest = [re.sub(r"^([\w.-]+).*>=([\w.]+).*$", r"\1==\2", each) for each in requirements(wheel)]
        assert oldest
        assert all("==" in each for each in oldest)
        python = empty_environment(tmp_path / "venv")
        pip_into(python, str(wheel), *oldest)
        first_steps(python, tmp_path)

    def test_the_command_line_works_with_the_oldest_versions_it_allows(wheel: Path, tmp_path: Path) -> None:
        """The lower bounds of its extra are true: every command works with exactly these, and warns of nothing."""
        wanted = [*requirements(wheel), *requirements(wheel, "console")]
        oldest = [re.sub(r"^([\w.-]+).*>=([\w.]+).*$", r"\1==\2", each) for each in wanted]
        assert {"click", "rich"} <= {each.partition("==")[0] for each in oldest}
        python = empty_environment(tmp_path / "venv")
        pip_into(python, str(wheel), *oldest)
        first_steps(python, tmp_path)
        for words in (
            *(["list"], ["show", "trip"], ["tail", "trip"], ["tree", "trip"], ["verify"], ["list", "--json"]),
            *(["export", "trip", "trip.json"], ["import", "trip.json"], ["fork", "trip"], ["rescue", "trip", "--yes"]),
        ):
            command = [str(python), "-I", "-W", "error", "-m", "readfresh", *words, "--directory", "sessions"]
            done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
            assert done.returncode == 0, done.stderr
            assert done.stdout or words[0] == "export"
        wrong = subprocess.run([*command[:6], "nothing"], cwd=tmp_path, text=True, capture_output=True)
        assert wrong.returncode == 2

    def test_databases_work_with_the_oldest_versions_they_allow(
        wheel: Path, tmp_path: Path, postgresql_url: str
    ) -> None:
        """The lower bounds of the extras are true: both databases keep a session with exactly these."""
        wanted = [*requirements(wheel), *requirements(wheel, "database"), *requirements(wheel, "postgresql")]
        oldest = [re.sub(r"^([\w.-]+(?:\[\w+\])?).*>=([\w.]+).*$", r"\1==\2", each) for each in wanted]
        oldest = [each for each in oldest if not each.startswith("readfresh")]
        assert {"sqlalchemy", "psycopg[binary]"} <= {each.partition("==")[0] for each in oldest}
        python = empty_environment(tmp_path / "venv")
        pip_into(python, str(wheel), *oldest)
        for url in (f"sqlite:///{tmp_path}/chats.db", postgresql_url):
            command = [str(python), "-I", "-W", "error", "-c", DATABASE_STEPS, url]
            done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
            assert (done.returncode, done.stdout) == (0, "True ['Porto']\n"), done.stderr
