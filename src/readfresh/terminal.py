"""What the command line prints: text that steers no terminal, messages, tables, JSON.

1. A message is text that somebody else wrote: what would move the cursor, or change colours, is written out.
2. No line of a message passes for another message.
3. Output goes to stdout, one line at a time, each flushed; what is said beside it goes to stderr.

rich draws the tables and trees: it knows how wide letters and terminals are.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console, RenderableType
from rich.text import Text

from readfresh.model import SessionMessage, seconds_of

UNBOUNDED = 100_000  # columns of a table that goes into a file or a pipe, where nothing is to be cut or wrapped

# Controls, formats, surrogates, letters of nobody and of the future, and the two that end a line or a paragraph.
STEERING = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def show_message(message: SessionMessage, index: int | None = None) -> None:
    """Print when, who and what; every line of a message but its first is indented, so that none passes for another."""
    content = message.content
    parts: list[Any] = content if isinstance(content, list) else [] if content is None else [content]
    said = [_text_of(part) for part in parts] + [f"calls {compact(call)}" for call in message.tool_calls or ()]
    first, *rest = "\n".join(said).replace("\r\n", "\n").split("\n")
    role = message.role if message.tool_call_id is None else f"{message.role} to {message.tool_call_id}"
    number = "" if index is None else f"{index}  "
    say(f"{number}{_at(message.timestamp)}  {role}: {first}".rstrip())
    for line in rest:
        say(f"    {line}".rstrip())


def _text_of(part: Any) -> str:
    if isinstance(part, Mapping) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    return part if isinstance(part, str) else compact(part)


def when(written: str | None) -> str:
    """Return a time that a file holds as text, to the second, or as it is where it is none."""
    seconds = seconds_of(written)
    return _at(seconds) if math.isfinite(seconds) else written or ""


def _at(timestamp: float | None) -> str:
    if timestamp is None:
        return "-"
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # a year that no calendar has
        return str(timestamp)


def label(node: Mapping[str, Any]) -> Text:
    """Return what a tree shows of a session."""
    title = f"  {node['title']}" if node["title"] else ""
    state = counted(node["message_count"], "message") if node["status"] == "ok" else node["status"]
    return Text(visible(f"{node['session_id']}{title}  ({state})"))


def counted(number: int, what: str) -> str:
    """Return how many there are, as words."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def visible(text: str) -> str:
    """Return the text with what would move the cursor, change colours or turn its direction written out."""
    return "".join(letter.encode("unicode_escape").decode() if _steers(letter) else letter for letter in text)


def _steers(letter: str) -> bool:
    # A tab, and the two joiners that emoji and several scripts are written with, steer nothing else.
    return letter not in "\t\u200c\u200d" and unicodedata.category(letter) in STEERING


def say(line: str) -> None:
    """Print a line of the output."""
    click.echo(visible(line))


def note(line: str) -> None:
    """Say what is no part of the output."""
    click.echo(f"readfresh: {visible(line)}", err=True)


def compact(value: object) -> str:
    """Return JSON for people, on one line."""
    return json.dumps(value, ensure_ascii=False)


def json_of(value: object, indent: int | None = 2) -> str:
    """Return it in ASCII alone: every terminal and every encoding can take that, and no letter of it steers."""
    return json.dumps(value, indent=indent)


def draw(drawn: RenderableType) -> None:
    """Print a table or a tree, on a terminal as wide as that is."""
    console = Console()
    if not console.is_terminal:
        console.width = UNBOUNDED
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().split("\n")[:-1]:
        click.echo(line.rstrip())
