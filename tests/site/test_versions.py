"""Several versions of the site beside each other, as the workflow deploys them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.full_grid import FULL_GRID
from tests.site.build import ROOT, SITE_URL

__test__ = FULL_GRID  # these build the site twice more
WORKFLOW = ".github/workflows/docs.yml"
BUILT_FROM = ("mkdocs.yml", "CHANGELOG.md", "docs", "examples", "src", "tests/benchmark/results.json")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a repository of its own with what the site is built from, and a first version deployed."""
    tmp_path = tmp_path_factory.mktemp("clone")
    for name in BUILT_FROM:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    if (ROOT / ".cache").exists():
        (tmp_path / ".cache").symlink_to(ROOT / ".cache")  # diagrams that were drawn already
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "tests")
    git(tmp_path, "config", "user.email", "tests@readfresh.example")
    git(tmp_path, "add", "mkdocs.yml")
    git(tmp_path, "commit", "--quiet", "--message=site")
    mike(tmp_path, "deploy", "--update-aliases", "0.1", "latest")
    return tmp_path


def git(clone: Path, *words: str) -> str:
    """Run git there, and return what it says."""
    return subprocess.run(["git", *words], cwd=clone, text=True, capture_output=True, check=True).stdout


def mike(clone: Path, *words: str) -> None:
    """Run mike there, as the workflow does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # where it looks for mkdocs
    environment = os.environ | {"PATH": path, "SITE_URL": SITE_URL, "VERSIONS": "mike", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-c", "from mike.driver import main; main()", *words]
    done = subprocess.run(command, cwd=clone, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_latest_names_the_newest_version(clone: Path) -> None:
    """A deployed version is a site of its own, `latest` leads to it, and so does the root."""
    mike(clone, "set-default", "latest")
    versions = json.loads(git(clone, "show", "gh-pages:versions.json"))
    assert versions == [{"version": "0.1", "title": "0.1", "aliases": ["latest"]}]
    page = "guarantees/read-fresh/index.html"
    html = BeautifulSoup(git(clone, "show", f"gh-pages:0.1/{page}"), "html.parser")
    config = html.select_one("script#__config")
    assert config is not None
    assert json.loads(config.get_text())["version"] == {"default": "latest", "provider": "mike"}
    # Search engines are led to the address that stays.
    canonical = html.select_one("link[rel=canonical]")
    assert canonical is not None
    assert canonical["href"] == f"{SITE_URL}latest/guarantees/read-fresh/"
    assert git(clone, "show", "gh-pages:latest") == "0.1"  # a link
    assert 'href="latest/"' in git(clone, "show", "gh-pages:index.html")


def test_a_missing_address_is_answered_at_the_root(clone: Path) -> None:
    """The last step of the workflow puts the 404 page where Pages looks for it, with links to the latest version."""
    (step,) = re.findall(r"(?ms)^ +git worktree add.*?push origin gh-pages$", (ROOT / WORKFLOW).read_text("utf-8"))
    git(clone, "init", "--quiet", "--bare", "host")
    git(clone, "remote", "add", "origin", str(clone / "host"))
    subprocess.run(["bash", "-euc", step], cwd=clone, text=True, capture_output=True, check=True)
    html = BeautifulSoup(git(clone, "--git-dir=host", "show", "gh-pages:404.html"), "html.parser")
    assert next(link["href"] for link in html.select("article li a")) == "/docs/latest/guarantees/"
    assert git(clone, "--git-dir=host", "show", "gh-pages:llms.txt").startswith("# readfresh")
