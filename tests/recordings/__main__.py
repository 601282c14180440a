"""``python -m tests.recordings no_lost_update``: play scenarios, print what was recorded and what is drawn of it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from readfresh.conformance.sequence import sequence_diagram
from tests.recordings.scenarios import all_scenarios


def main(names: list[str]) -> None:
    """Play the scenarios; without a name, say which there are."""
    scenarios = all_scenarios()
    if unknown := [name for name in names if name not in scenarios] or not names:
        print(f"no such scenario: {unknown}" if names else "which one?", "There are:", *scenarios, sep="\n  ")
        sys.exit(2)
    for scenario in map(scenarios.__getitem__, names):
        with tempfile.TemporaryDirectory() as folder:
            events = scenario.record(Path(folder))
        for event in events:
            print(event.who, event.what, event.on, event.shows)
        print()
        print(sequence_diagram(scenario.names, scenario.projection(events, scenario.names)))


if __name__ == "__main__":
    main(sys.argv[1:])
