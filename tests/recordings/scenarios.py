"""What is recorded: each scenario by its name, with the projection that draws it, and its participants."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from readfresh.conformance.sequence import sequence_diagram
from tests.recordings.events import Event
from tests.recordings.projections import Projection
from tests.recordings.stage import Shows, Stage, messages

Play = Callable[[Stage], None]


@dataclass(frozen=True)
class Scenario:
    """A run that is the same every time.

    Args:
        name: what a fence calls it.
        play: runs it on a stage.
        projection: what of it is drawn.
        names: the participants from left to right: the files by their names, and the workers.
        shows: what is told of a session that is read or written.
    """

    name: str
    play: Play
    projection: Projection
    names: Mapping[str, str]
    shows: Shows = messages

    def record(self, folder: Path) -> list[Event]:
        """Run it in an empty folder, and return all that was done."""
        with chdir(folder), Stage(folder, self.shows) as stage:
            self.play(stage)
            return stage.events

    def draw(self, folder: Path) -> str:
        """Run it in an empty folder, and return the text of the diagram."""
        return sequence_diagram(self.names, self.projection(self.record(folder), self.names)) + "\n"


SCENARIOS: dict[str, Scenario] = {}


def scenario(projection: Projection, shows: Shows = messages, **names: str) -> Callable[[Play], Play]:
    """Let a function be a scenario, under its own name."""

    def add(play: Play) -> Play:
        name = play.__name__
        assert name not in SCENARIOS, f"two scenarios are called {name}"
        SCENARIOS[name] = Scenario(name, play, projection, names, shows)
        return play

    return add


def all_scenarios() -> Mapping[str, Scenario]:
    """Return every scenario of the modules `of_*`, by name."""
    package = importlib.import_module(__package__ or "")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("of_"):
            importlib.import_module(f"{__package__}.{module.name}")
    return SCENARIOS
