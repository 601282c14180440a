"""What was found, guarantee by guarantee: as values, as text, as JSON, and as Mermaid diagrams."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Report", "Result", "Status"]

Status = Literal["kept", "broken", "not applicable", "could not run"]


@dataclass(frozen=True)
class Result:
    """What one check has found.

    Args:
        guarantee: its slug.
        status: ``kept``: what was tried could have failed, and did not; ``broken``: `history` shows it;
            ``not applicable``: `reason` says why; ``could not run``: the store failed with nothing in its way.
        reason: one clause: what was tried, what is broken, why not.
        history: the shortest history that shows it, one sentence a line.
        mermaid: the same as a sequence diagram.
        schedules: in how many orders calls were made.
        kills: how many processes were killed.
        seconds: how long it took.
    """

    guarantee: str
    status: Status
    reason: str
    history: tuple[str, ...] = ()
    mermaid: str = ""
    schedules: int = 0
    kills: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """The results for one store.

    Args:
        store: the name of its class.
        results: a result for each guarantee that was asked for, by its slug, in the order of the pages.
        description: what the factory says about what was checked.
        processes: how many worker processes were started.
    """

    store: str
    results: dict[str, Result]
    description: dict[str, Any] = field(default_factory=dict)
    processes: int = 0

    @property
    def exit_status(self) -> int:
        """1 when a guarantee is broken, else 2 when a check could not run, else 0."""
        found = {result.status for result in self.results.values()}
        return 1 if "broken" in found else 2 if "could not run" in found else 0

    def with_status(self, status: Status) -> list[str]:
        """Return the slugs of the guarantees with this status."""
        return [slug for slug, result in self.results.items() if result.status == status]

    def figures(self) -> str:
        """Return how much was tried, as one sentence."""
        results = self.results.values()
        schedules, kills = sum(one.schedules for one in results), sum(one.kills for one in results)
        seconds = sum(one.seconds for one in results)
        return f"{schedules} schedules, {self.processes} processes, {kills} kills in {seconds:.1f} s."

    def to_text(self, *, mermaid: bool = False) -> str:
        """Return the results as lines: a table, then the history of each guarantee that is broken."""
        width = max(map(len, self.results), default=0)
        lines = [self.store, ""]
        lines += [f"{slug:<{width}}  {one.status:<14}  {one.reason}" for slug, one in self.results.items()]
        return "\n".join([*lines, *self.evidence(mermaid=mermaid), "", self.counts()])

    def counts(self) -> str:
        """Return how many guarantees have which status."""
        return ", ".join(f"{len(found)} {status}" for status in _STATUSES if (found := self.with_status(status)))

    def evidence(self, *, mermaid: bool = False) -> list[str]:
        """Return the history of each guarantee that is broken, as lines."""
        lines: list[str] = []
        for one in self.results.values():
            if one.history:
                lines += ["", f"{one.guarantee} is broken:", *(f"  {line}" for line in one.history)]
            if one.mermaid and mermaid:
                lines += ["", "```mermaid", one.mermaid, "```"]
        return lines

    def to_json(self) -> str:
        """Return the results as JSON."""
        return json.dumps(
            {
                "store": self.store,
                "description": self.description,
                "processes": self.processes,
                "results": [{**vars(one), "history": list(one.history)} for one in self.results.values()],
            },
            indent=2,
            ensure_ascii=False,
        )


_STATUSES: tuple[Status, ...] = ("kept", "broken", "not applicable", "could not run")
