"""A diagram that Mermaid cannot draw is red, and so is one that it draws without a word, but wrong."""

import html
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pageproof.tests.toys import failure, write

SEQUENCE = """
    sequenceDiagram
        participant A as worker A
        actor B

        A->>+B: lock <id> & "x"
        Note over A,B: the rename #35;1
        loop twice
            B-->>-A: done<br/>at once
        end
        %% a comment
        activate A
        deactivate A
    """
GREEN = [
    SEQUENCE,
    """
    stateDiagram-v2
        [*] --> old
        old --> new: replace
        new --> [*]
        classDef instant font-weight:bold
        class new instant
    """,
    """
    flowchart LR
        errors["errors.py"] -->|raises| model["model.py"]
        model --> files:::last
        classDef last stroke-width:3px
    """,
]
RED = {
    "nothing": ("1: a diagram begins with", ""),
    "an unknown kind": ("1: a diagram begins with", 'pie\n    "a": 1'),
    "front matter": ("1: a diagram begins with", "---\ntitle: x\n---\nflowchart LR\n    a --> b"),
    "an empty diagram": ("1: an empty diagram", "flowchart LR\n    %% nothing"),
    "no arrow": ("1: a diagram without an arrow", "flowchart LR\n    a"),
    "no message": ("1: a sequence diagram without a message", "sequenceDiagram\n    autonumber"),
    "a hash in a message": (
        "5: `#`",
        "sequenceDiagram\n    participant A\n    participant B\n    A->>B: write #1 of 2",
    ),
    "a typo in a participant": (
        "5: Wroker is not declared",
        "sequenceDiagram\n    participant Worker\n    participant B\n    Wroker->>B: x",
    ),
    "an idle participant": (
        "3: participant Ghost takes part in nothing",
        "sequenceDiagram\n    participant Ghost\n    participant A\n    A->>A: x",
    ),
    "a typo in a note": (
        "5: Z is not declared",
        "sequenceDiagram\n    participant A\n    A->>A: x\n    Note over Z: x",
    ),
    "classDef in a sequence": (
        "4: sequence diagrams know no classDef",
        "sequenceDiagram\n    participant A\n    classDef x font-weight:bold",
    ),
    "a semicolon": ("4: Mermaid: ", "sequenceDiagram\n    participant A\n    A->>A: x; y"),
    "a line that is not understood": ("3: not understood", "sequenceDiagram\n    partcipant A\n    A->>A: x"),
    "a class without classDef": ("4: class loud has no classDef", "flowchart LR\n    a --> b\n    class a loud"),
    "a class on a node without classDef": ("3: class loud has no", "flowchart LR\n    a:::loud --> b"),
    "a state's class without classDef": ("4: class loud has no", "stateDiagram-v2\n    a --> b\n    class a loud"),
    "a colour": ("4: a hard-coded colour", "flowchart LR\n    a --> b\n    classDef x fill:#f00"),
    "a style": ("4: a hard-coded colour", "flowchart LR\n    a --> b\n    style a stroke:red"),
    "a coloured box": (
        "3: a hard-coded colour",
        "sequenceDiagram\n    box Aqua x\n    participant A\n    end\n    A->>A: x",
    ),
    "a coloured rectangle": (
        "4: a hard-coded colour",
        "sequenceDiagram\n    participant A\n    rect rgb(1, 2, 3)\n    A->>A: x\n    end",
    ),
    "a theme": ("3: a hard-coded colour", 'flowchart LR\n    %%{init: {"theme": "dark"}}%%\n    a --> b'),
    "a syntax error": ("3: Mermaid: ", "flowchart LR\n    a --> b ]]]"),
    "too many participants": (
        "1: 5 participants",
        "sequenceDiagram\n"
        + "".join(f"    participant {a}\n" for a in "ABCDE")
        + "".join(f"    A->>{a}: x\n" for a in "BCDE"),
    ),
    "too many messages": ("1: 13 messages", "sequenceDiagram\n    participant A\n" + "    A->>A: x\n" * 13),
}


def _page(diagram: str) -> str:
    return "'''mermaid\n" + dedent(diagram).strip("\n") + "\n'''\n" if diagram else "'''mermaid\n'''\n"


@pytest.mark.parametrize("diagram", GREEN, ids=["sequence", "state", "flow"])
def test_green(tmp_path: Path, diagram: str) -> None:
    """What follows the rules is drawn, and every word of it can be read in the drawing."""
    assert failure(write(tmp_path, _page(diagram))) == ""


@pytest.mark.parametrize("name", RED)
def test_red(tmp_path: Path, name: str) -> None:
    """The failure names the line to mend."""
    assert failure(write(tmp_path, _page(RED[name][1]))).startswith(f"docs/index.md:{RED[name][0]}")


@pytest.mark.parametrize(
    ("lost", "line"), [("worker A", 3), ("B", 4), ('lock <id> & "x"', 6), ("the rename #1", 7), ("twice", 8)]
)
def test_a_word_that_is_not_drawn_is_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, line: int) -> None:
    """The lint knows some ways in which words get lost; the drawing knows all."""
    words = ["worker A", "B", 'lock <id> & "x"', "the rename #1", "twice", "done", "at once"]
    drawing = html.escape("".join(word for word in words if word != lost))
    monkeypatch.setattr("tests.pageproof.diagram._svg", lambda *_: (f"<svg><text>{drawing}</text></svg>", ""))
    assert f"docs/index.md:{line}: not drawn as it is written" in failure(write(tmp_path, _page(SEQUENCE)))
