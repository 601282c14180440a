"""What happened, step by step: the evidence of a report, as text and as a Mermaid sequence diagram."""

from __future__ import annotations

from dataclasses import dataclass, field

from readfresh.conformance.sequence import Arrow, Note, sequence_diagram, shortened

__all__ = ["History"]

_SHOWN = {"A": "worker A", "S": "store", "B": "worker B"}
_MESSAGES = 12


@dataclass
class History:
    """Steps of worker A and worker B with one store.

    Args:
        setting: who the workers are.
    """

    setting: str = ""
    _steps: list[tuple[str, str, str]] = field(default_factory=list)
    verdict: str = ""

    def calls(self, who: str, what: str) -> None:
        """A worker calls a method."""
        self._steps.append((who, "calls", what))

    def answers(self, who: str, what: object) -> None:
        """The call of a worker ends."""
        self._steps.append((who, "answers", shortened(str(what))))

    def does(self, who: str, what: str) -> None:
        """Something happens to a worker, said without it; or to the store (``S``), said as a sentence."""
        self._steps.append((who, "does", what))

    def lines(self) -> list[str]:
        """Return one sentence for each step, and the verdict."""
        said = [f"{self.setting}."] if self.setting else []
        for number, (who, kind, what) in enumerate(self._steps, 1):
            verb = {"calls": " calls ", "answers": " gets ", "does": " "}[kind]
            said.append(f"{number}. {what}" if who == "S" else f"{number}. {_SHOWN[who]}{verb}{what}")
        return [*said, f"So: {self.verdict}"] if self.verdict else said

    def mermaid(self) -> str:
        """Return the diagram: at most three participants and twelve messages."""
        drawn: list[Arrow | Note] = []
        for who, kind, what in self._shortened():
            if kind == "calls":
                drawn.append(Arrow(who, "S", what))
            elif kind == "answers":
                drawn.append(Arrow("S", who, what, answer=True))
            else:
                drawn.append(Note(who, what))
        return sequence_diagram(_SHOWN, [*drawn, Note("S", self.verdict)])

    def _shortened(self) -> list[tuple[str, str, str]]:
        messages = [at for at, step in enumerate(self._steps) if step[1] != "does"]
        if len(messages) <= _MESSAGES:
            return self._steps
        begin = messages[-_MESSAGES]
        return [("S", "does", f"{begin} steps before"), *self._steps[begin:]]
