"""`python -m readfresh.conformance`, and the tests that a module of one's own gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACTORIES = "tests.conformance.factories"
BROKEN = "tests.conformance.broken"


def run(*arguments: str, module: str = "readfresh.conformance") -> subprocess.CompletedProcess[str]:
    """Run the command, and return how it ended."""
    environment = {**os.environ, "NO_SKIPS": ""}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, text=True, capture_output=True, check=False,
        env=environment,
    )  # fmt: skip


def test_all_kept_is_zero() -> None:
    """Exit status 0: a table, how many, and how much was tried."""
    done = run(f"{FACTORIES}:default", "--only", "durable", "--only", "none-is-a-value", "--only", "tree-is-sound")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "DefaultSessionStore"
    assert [line.split("  ")[0] for line in lines[2:5]] == ["durable", "none-is-a-value", "tree-is-sound"]
    assert lines[-2] == "2 kept, 1 not applicable"
    assert " kills in " in lines[-1]


def test_one_broken_is_one() -> None:
    """Exit status 1: the history follows the table, and the diagram where it is asked for."""
    done = run(f"{BROKEN}:Unlocked", "--only", "no-lost-update", "--mermaid", "--no-figures")
    assert done.returncode == 1
    assert "So: b1 had been added, and is lost" in done.stdout
    assert "```mermaid\nsequenceDiagram\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 broken"


def test_what_could_not_run_is_two() -> None:
    """Exit status 2: a check could not run, or there was nothing to check; the error says what to write instead."""
    assert run(f"{FACTORIES}:RefusesToAdd", "--only", "durable").returncode == 2
    done = run("no_such_module:factory")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the module 'no_such_module' cannot be imported" in done.stderr
    done = run(f"{FACTORIES}:default", "--only", "nothing")
    assert done.returncode == 2
    assert "there is no guarantee 'nothing'; there are no-lost-update, " in done.stderr


def test_json_goes_to_a_file_or_to_the_output(tmp_path: Path) -> None:
    """`--json FILE` writes the report beside the table, `--json -` in its place."""
    file = tmp_path / "report.json"
    done = run(f"{FACTORIES}:default", "--only", "durable", "--json", str(file))
    assert json.loads(file.read_text())["results"][0]["status"] == "kept"
    assert done.stdout.startswith("DefaultSessionStore\n")
    done = run(f"{FACTORIES}:default", "--only", "durable", "--json", "-")
    assert json.loads(done.stdout)["store"] == "DefaultSessionStore"


def test_a_file_is_a_factory_too(tmp_path: Path) -> None:
    """A factory in a file beside nothing else is named by the file."""
    file = tmp_path / "mine.py"
    file.write_text("import readfresh\n\ndef factory(place):\n    return readfresh.DefaultSessionStore(place)\n")
    assert run(f"{file}:factory", "--only", "durable").returncode == 0


def test_pytest_has_a_test_for_each_guarantee(tmp_path: Path) -> None:
    """Kept passes, not applicable is skipped with the reason, broken fails with the history."""
    module = tmp_path / "test_mine.py"
    module.write_text(
        "from readfresh.conformance.pytest import conformance_tests\n\n"
        f"slugs = ['no-lost-update', 'durable', 'none-is-a-value']\n"
        f"test_guarantee = conformance_tests('{BROKEN}:Unlocked', slugs, appends=20)\n"
    )
    done = run("-p", "no:cacheprovider", "-rs", "-q", str(module), "--rootdir", str(tmp_path), module="pytest")
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 skipped" in done.stdout
    assert "So: b1 had been added, and is lost" in done.stdout
    assert "the store has no `update_session_metadata`, no `get_session`" in done.stdout


def test_pytest_says_what_is_wrong_with_a_factory(tmp_path: Path) -> None:
    """A factory that cannot be had fails each test with one line, and no traceback through the kit."""
    module = tmp_path / "test_mine.py"
    module.write_text(
        "from readfresh.conformance.pytest import conformance_tests\n\n"
        "test_guarantee = conformance_tests('nowhere:factory', ['durable'])\n"
    )
    done = run("-p", "no:cacheprovider", "-q", str(module), "--rootdir", str(tmp_path), module="pytest")
    assert "could not run: the module 'nowhere' cannot be imported" in done.stdout
    assert "crew.py" not in done.stdout


def test_without_rich_the_text_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra `console` draws a bar and a table on a terminal; without it there is text, and nothing fails."""
    from readfresh.conformance import console
    from readfresh.conformance.report import Report

    monkeypatch.setitem(sys.modules, "rich.console", None)
    with console.progress_bar() as progress:
        assert progress is None
    assert not console.table(Report("Store", {}))


def test_on_a_terminal_there_is_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With rich and a terminal, the results are drawn as a table, and the bar shows each guarantee in its turn."""
    from readfresh.conformance import console
    from readfresh.conformance.report import Report, Result

    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    report = Report("Store", {"durable": Result("durable", "kept", "four kills")})
    with console.progress_bar() as progress:
        assert progress is not None
        progress("durable", 0, 1)
    assert console.table(report)
    shown = capsys.readouterr()
    assert "four kills" in shown.out
