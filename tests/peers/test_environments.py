"""The peers' environments: what their locks name, and when they are installed anew. Nothing is fetched here."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.peers import environments
from tests.peers.environments import HERE, PEERS, NotInstalled, lock_command, python


def test_there_are_peers() -> None:
    """PraisonAI and eight others, so nothing below looks at nothing."""
    assert PEERS == (
        "agent_framework",
        "agno",
        "google_adk",
        "langchain",
        "langgraph",
        "llamaindex",
        "openai_agents",
        "praisonai",
        "strands",
    )


@pytest.mark.parametrize("peer", PEERS)
def test_a_lock_names_versions_and_hashes_and_no_place(peer: str) -> None:
    """Each line is one version with its hashes, each requirement is among them, and no index, path or comment is."""
    text = (HERE / peer / "requirements.lock").read_text()
    assert not re.search(r"https?:|file:|(?m:^#|^-)|[ =]/", text)
    locked: dict[str, Requirement] = {}
    for line in text.replace("\\\n", " ").splitlines():
        words, *hashes = re.split(r"\s+--hash=", line.strip())
        requirement = Requirement(words)
        assert requirement.name not in locked
        assert [each.operator for each in requirement.specifier] == ["=="]
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes)
        locked[requirement.name] = requirement
    lines = (HERE / peer / "requirements.in").read_text().splitlines()
    asked = [Requirement(line) for line in lines if not line.startswith("#")]
    assert {"filelock", "platformdirs"} < {requirement.name for requirement in asked}
    assert any(str(requirement.specifier).startswith("==") for requirement in asked), "the peer itself is pinned"
    for requirement in asked:
        (version,) = (each.version for each in locked[requirement.name].specifier)
        assert requirement.specifier.contains(version), f"{requirement} but {version}: resolve the lock anew"


def test_a_lock_is_resolved_for_every_python() -> None:
    """The command writes one version of each package for Python 3.11 and newer, with hashes and no index."""
    command = lock_command("agno")
    assert {"--universal", "--generate-hashes", "--no-emit-index-url"} <= set(command)
    assert command[command.index("--python-version") + 1] == "3.11"


@pytest.fixture
def installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each install of a peer named "toy" instead of doing it."""
    done: list[str] = []
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "environments")
    monkeypatch.setattr(environments, "HERE", tmp_path / "locks")
    (tmp_path / "locks/toy").mkdir(parents=True)
    (tmp_path / "locks/toy/requirements.lock").write_text("a==1\n")
    original = environments._dev

    def dev(peer: str) -> ModuleType:
        module = original(peer)
        quiet: dict[str, Any] = {"works": lambda _: True, "pip_install": lambda *words: done.append(words[-1])}
        for name, value in quiet.items():
            setattr(module, name, value)
        return module

    monkeypatch.setattr(environments, "_dev", dev)
    return done


def test_an_environment_is_installed_once(installs: list[str], tmp_path: Path) -> None:
    """The second call finds the stamp; another lock, and an environment without its Python, are built from nothing."""
    found = python("toy")
    assert installs == [str(tmp_path / "locks/toy/requirements.lock")]
    assert python("toy") == found
    assert len(installs) == 1
    (tmp_path / "locks/toy/requirements.lock").write_text("a==2\n")
    python("toy")
    assert len(installs) == 2
    found.unlink()
    python("toy")
    assert len(installs) == 3


def test_an_install_that_fails_says_so_and_leaves_no_stamp(
    installs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error has the words of dev.py, and the next call begins anew."""
    original = environments._dev

    def broken(peer: str) -> ModuleType:
        module = original(peer)
        module.__dict__["pip_install"] = lambda *_: module.fail("no network", "check it")
        return module

    with monkeypatch.context() as patch:
        patch.setattr(environments, "_dev", broken)
        with pytest.raises(NotInstalled, match=r"toy: dev\.py: no network"):
            python("toy")
    assert not list(tmp_path.glob("environments/toy/*stamp*"))
    python("toy")
    assert len(installs) == 1


def test_dev_itself_is_left_alone() -> None:
    """The copy of dev.py has the peer's folders; the module that everybody imports keeps its own."""
    import dev

    copy = environments._dev("agno")
    assert environments.FOLDER / "agno" == copy.VENV
    assert copy.VENV in copy.STAMP.parents
    assert copy.VENV in copy.PYTHON.parents
    assert dev.VENV == dev.HERE / ".venv"
