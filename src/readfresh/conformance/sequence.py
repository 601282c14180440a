"""A Mermaid sequence diagram of steps: the kit draws a history so, the proofs and the pages what they have recorded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Arrow", "Note", "sequence_diagram", "shortened"]

_LETTERS = 72


@dataclass(frozen=True)
class Arrow:
    """A message from one participant to another, or to itself.

    Args:
        source: who sends it, by the name in the diagram's text: ``A``.
        target: who gets it.
        text: what it says.
        answer: whether it answers an earlier one, which is drawn dashed.
    """

    source: str
    target: str
    text: str
    answer: bool = False


@dataclass(frozen=True)
class Note:
    """Something that is true at this place of the diagram, or that happens there to one participant."""

    over: str
    text: str


def sequence_diagram(names: Mapping[str, str], steps: Iterable[Arrow | Note]) -> str:
    """Return the text of the diagram.

    Args:
        names: the participants from left to right, each with what a reader sees; those of no step are left out.
        steps: from top to bottom.
    """
    used: set[str] = set()
    drawn: list[str] = []
    for step in steps:
        if isinstance(step, Note):
            used.add(step.over)
            drawn.append(f"    Note over {step.over}: {_label(step.text)}")
        else:
            used |= {step.source, step.target}
            line = "-->>" if step.answer else "->>"
            drawn.append(f"    {step.source}{line}{step.target}: {_label(step.text)}")
    participants = [f"    participant {who} as {name}" for who, name in names.items() if who in used]
    return "\n".join(["sequenceDiagram", *participants, *drawn])


def shortened(text: str) -> str:
    """Return the text, or the beginning of one that is too long for an arrow."""
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"


def _label(text: str) -> str:
    """Leave out what Mermaid takes for its own: `;` ends a statement, `#` begins an entity, `<` a tag."""
    text = shortened(re.sub(r"\s+", " ", text))
    return re.sub(r"[;#%<>{}`*\\]", lambda found: f"#{ord(found[0])};", text) or "nothing"
