"""``python -m tests.recordings no_lost_update``: play scenarios, print what was recorded and what is drawn of it."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from readfresh.conformance.sequence import sequence_diagram
from tests.recordings.of_databases import D as DATABASE
from tests.recordings.scenarios import all_scenarios
from tests.servers.given import a_database, close_all


def main(names: list[str]) -> None:
    """Play the scenarios; without a name, say which there are."""
    scenarios = all_scenarios()
    if unknown := [name for name in names if name not in scenarios] or not names:
        print(f"no such scenario: {unknown}" if names else "which one?", "There are:", *scenarios, sep="\n  ")
        sys.exit(2)
    for scenario in map(scenarios.__getitem__, names):
        with ExitStack() as needs:
            folder = needs.enter_context(tempfile.TemporaryDirectory())
            if DATABASE in scenario.names.values():
                needs.callback(close_all)
                os.environ.update(needs.enter_context(a_database()))
            events = scenario.record(Path(folder))
        for event in events:
            print(event.who, event.what, event.on, event.shows)
        print()
        print(sequence_diagram(scenario.names, scenario.projection(events, scenario.names)))


if __name__ == "__main__":
    main(sys.argv[1:])
