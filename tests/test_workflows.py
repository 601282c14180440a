"""The workflows of the code host: that it will take them, and that what they run is there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import dev

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EACH = pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])


def steps(path: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values() for step in job["steps"]]


def schema_accepts(path: Path) -> bool:
    """Ask GitHub's schema, as the installed checker carries it."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, text=True, capture_output=True)
    assert "ok -- validation done" in done.stdout or "Schema validation errors" in done.stdout, done.stderr
    return done.returncode == 0


def test_there_are_two() -> None:
    """One for the site and one for the package."""
    assert [path.name for path in WORKFLOWS] == ["docs.yml", "publish.yml"]


@EACH
def test_the_schema_accepts_it(path: Path, tmp_path: Path) -> None:
    """The host's schema accepts the workflow as it stands, and not with a misspelt key."""
    assert schema_accepts(path)
    spoiled = tmp_path / path.name
    spoiled.write_text(path.read_text("utf-8").replace("runs-on:", "run-on:", 1), "utf-8")
    assert not schema_accepts(spoiled)


@EACH
def test_actions_are_named_by_their_whole_version(path: Path) -> None:
    """No action changes beneath us: `@v5` would be whatever is newest."""
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", action), action


@EACH
def test_what_it_runs_is_there(path: Path) -> None:
    """Every program that a step runs is in the clone, or installed by the lock; nothing runs before the tests."""
    text = "\n".join(step["run"] for step in steps(path) if "run" in step)
    assert re.search(r"(?m)^\.ci/run$", text)
    assert os.access(ROOT / ".ci/run", os.X_OK)
    commands = re.findall(r"python3 dev\.py (\w+)", text)
    assert commands == ["build"]
    for command in commands:
        assert f"python3 dev.py {command}" in (dev.__doc__ or "")
    installed = re.findall(r"\.venv/bin/(\w+)", text)
    if re.search(r"(?m)^ *mike ", text):
        assert text.index('echo "$PWD/.venv/bin" >> "$GITHUB_PATH"') < text.index("mike ")
        installed.append("mike")
    assert installed
    for program in installed:
        assert shutil.which(program, path=str(Path(sys.executable).parent)), program


@EACH
def test_nobody_may_more_than_it_needs(path: Path) -> None:
    """A workflow reads; the job that deploys may write to the clone, and the one that publishes may name itself."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    more = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert (
        more
        == {"docs.yml": {"deploy": {"contents": "write"}}, "publish.yml": {"publish": {"id-token": "write"}}}[path.name]
    )
    for name in more:
        assert "test" in workflow["jobs"][name]["needs"]
        assert "secrets." not in path.read_text("utf-8")


@pytest.mark.parametrize(("tag", "version"), [("v0.1.0", "0.1"), ("v12.30.4", "12.30")])
def test_a_tag_becomes_a_version_of_the_site(tag: str, version: str) -> None:
    """The site has one version for all patches: the step takes the last number away."""
    (step,) = [step["run"] for step in steps(ROOT / ".github/workflows/docs.yml") if "--update-aliases" in str(step)]
    said = re.sub(r"(?m)^mike", "echo", step)
    done = subprocess.run(
        ["bash", "-euc", said], env=os.environ | {"GITHUB_REF_NAME": tag}, text=True, capture_output=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"deploy --push --update-aliases {version} latest",
        "set-default --push latest",
    ]
