"""The pytest side: a test for each case, the ledger, `--update-examples`.

A project says what is to be proved in its conftest.py:

    pytest_plugins = ["tests.pageproof.plugin"]

    def pytest_pageproof_site():
        return Site(root=Path(__file__).parent.parent)

and proves it in tests that ask for `case` and `pageproof`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .failure import BlockFailed
from .ledger import CLAIM, NEED, Ledger
from .play import play
from .scan import Block, Problem
from .site import Case, Census, Site
from .spoil import survivors
from .update import rewrite

_PROOF = pytest.StashKey["Proof"]()
# The option is pytest-examples' own: one way to say "the run is right, write it down".
_UPDATE = "update_examples"


class Hooks:
    """The hook that a project implements."""

    @pytest.hookspec(firstresult=True)
    def pytest_pageproof_site(self, config: pytest.Config) -> Site | None:
        """Say what is to be proved."""


class Proof:
    """The state of one pytest run."""

    def __init__(self, site: Site, config: pytest.Config) -> None:
        self.site = site
        self.config = config
        self.ledger = Ledger()
        self.deselected = False
        self.updates: dict[Block, str] = {}
        self.updated: list[str] = []
        self.verdict: list[str] = []

    @property
    def partial(self) -> bool:
        """Whether less than the whole suite was run."""
        return self.deselected or is_partial(self.config)

    def finish(self) -> None:
        """Write what is to be written, and judge the run."""
        if self.config.getoption(_UPDATE):
            self.updated = rewrite(self.site.root, self.updates)
        elif not self.partial:
            self.verdict = self.ledger.verdict(self.site)


class Claims:
    """What one test has verified."""

    def __init__(self, proof: Proof, request: pytest.FixtureRequest) -> None:
        self.site: Site = proof.site
        self.census: Census = proof.site.census
        self._proof = proof
        self._request = request

    def verify(self, case: Case) -> None:
        """Run the case; claim its blocks if each does what its page says, else fail with page and line."""
        wrong = ""
        try:
            actual = play(self.site, case, rewrite=bool(self._request.config.getoption(_UPDATE)))
        except BlockFailed as failure:
            wrong = str(failure)
        except pytest.skip.Exception as skipped:
            if case.needs:
                said = ((NEED, f"{block.name} {skipped.msg}") for block in case.blocks)
                self._request.node.user_properties.extend(said)
            raise
        if wrong:
            # Outside of `except`, and without a traceback: its frames are of the machinery, not of the page.
            pytest.fail(wrong, pytrace=False)
        self._proof.updates |= actual
        self.claim(case.blocks)

    def claim(self, blocks: Sequence[Block]) -> None:
        """Say that these blocks are verified. It counts when the test passes."""
        self._request.node.user_properties.extend((CLAIM, block.name) for block in blocks)

    def by(self, name: str) -> list[Block]:
        """Return the blocks that name this check with ``by="…"``: whoever asks verifies and claims them."""
        found = [block for block in self.census.blocks if block.get("by") == name]
        assert found, f'no block says by="{name}"'
        return found

    def spoil(self, case: Case, blocks: Sequence[Block] | None = None) -> None:
        """Fail if a block of the case, or of these of its blocks, stays green when it is spoiled."""
        alive = survivors(self.site, case, blocks)
        if alive:
            pytest.fail("\n".join(alive), pytrace=False)

    def none(self, problems: Sequence[Problem]) -> None:
        """Fail if there are problems."""
        if problems:
            pytest.fail("\n".join(map(str, problems)), pytrace=False)


def is_partial(config: pytest.Config) -> bool:
    """Return whether less than the whole suite was asked for."""
    narrowed = ("keyword", "markexpr", "deselect", "lf", "ignore", "ignore_glob", "stepwise")
    asked = [config.invocation_params.dir / name.split("::")[0] for name in config.args]
    all_of_it = [config.rootpath / name for name in config.getini("testpaths")] or [config.rootpath]
    covered = all(any(path.is_relative_to(given) for given in asked) for path in all_of_it)
    return not covered or any(getattr(config.option, name, None) for name in narrowed)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hook."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Ask the project what is to be proved."""
    if config.getoption(_UPDATE) and (getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput")):
        raise pytest.UsageError("--update-examples needs one process: run it without -n")
    site = config.hook.pytest_pageproof_site(config=config)
    if site:
        config.stash[_PROOF] = Proof(site, config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test for each case of a function that asks for `case`."""
    if "case" in metafunc.fixturenames and (cases := cases_of(metafunc.config)):
        metafunc.parametrize("case", cases, ids=[case.name for case in cases])


def cases_of(config: pytest.Config) -> Sequence[Case]:
    """Return all cases, for a test that takes a sample of them."""
    proof = config.stash.get(_PROOF, None)
    return proof.site.census.cases if proof else ()


@pytest.fixture
def pageproof(request: pytest.FixtureRequest) -> Claims:
    """What a test needs in order to verify blocks and to claim them."""
    return Claims(request.config.stash[_PROOF], request)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remember that not everything was run."""
    for item in items:
        if proof := item.config.stash.get(_PROOF, None):
            proof.deselected = True


class _Reports:
    """Listens to reports: in the one process, or in xdist's controller."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.outcome == "passed" and not hasattr(report, "wasxfail"):
            self.proof.ledger.record(report.user_properties, report.duration)
        elif report.when == "call" and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
            self.proof.ledger.excuse(report.user_properties)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Listen to the reports of this run, unless this is a worker of xdist."""
    proof = session.config.stash.get(_PROOF, None)
    if proof and not hasattr(session.config, "workerinput"):
        session.config.pluginmanager.register(_Reports(proof), "pageproof-reports")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run of the whole suite that has not verified every block exactly once."""
    proof = session.config.stash.get(_PROOF, None)
    if not proof or hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    proof.finish()
    if proof.verdict and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was found, what was verified, and what is missing."""
    proof = config.stash.get(_PROOF, None)
    if not proof or config.option.collectonly:
        return
    terminalreporter.section("code blocks")
    first, *others = proof.ledger.summary(proof.site)
    terminalreporter.line(("partial run: " if proof.partial else "") + first)
    for line in others + [f"rewritten: {name}" for name in proof.updated]:
        terminalreporter.line(line)
    for line in proof.verdict:
        terminalreporter.line(line, red=True)
