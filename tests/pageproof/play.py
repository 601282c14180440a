"""Play a case: run its blocks in the order of the page, in one empty folder, and compare each with what happened."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
import tomllib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

import yaml  # type: ignore[import-untyped]

from . import diagram, process
from .failure import BlockFailed, differing, inside
from .python import Session
from .scan import Block
from .site import Case, Site

Prepare = Callable[[Path, dict[str, str]], None]
"""Called before the first block, with the case's base folder and its environment, which it may change."""


def play(site: Site, case: Case, *, rewrite: bool = False, prepare: Prepare | None = None) -> dict[Block, str]:
    """Run the case and return, for each block, the text that the page has to show.

    Raises BlockFailed at the first block that differs. With `rewrite`, differences in recorded output are returned
    instead; all else still raises.
    """
    with tempfile.TemporaryDirectory(prefix="page-") as name:
        base = Path(name).resolve()
        folder = base / "work"
        folder.mkdir()
        env = process.environment(base)
        with ExitStack() as needs:
            for need in case.needs:
                env |= needs.enter_context(site.needs[need]())
            needs.enter_context(_reader(site, folder, env))
            if prepare:
                prepare(base, env)
                os.environ.update(env)
            actual = _play(site, case, folder, env)
    for block, text in actual.items():
        if not rewrite and differs(block, text):
            raise differing(block, text)
    return actual


def differs(block: Block, text: str) -> bool:
    """Whether the page shows something else than what the block has to show."""

    def trimmed(text: str) -> object:
        # Editors strip spaces at line ends; in a program they mean nothing, in an output they are compared.
        return [line.rstrip() for line in text.splitlines()] if block.language == "py" else text

    return trimmed(block.text) != trimmed(text)


def _play(site: Site, case: Case, folder: Path, env: dict[str, str]) -> dict[Block, str]:
    session = Session()
    actual: dict[Block, str] = {}
    output = ""  # what the script above printed, until a text block shows it
    script: Block | None = None
    for block in case.blocks:
        if output and block.language != "text":
            break
        actual[block] = block.text
        if block.language == "text":
            actual[block], output = output, ""
        elif block.get("run") == "script":
            script, output = block, process.run_script(block, folder, env)
        elif block.get("run") == "file":
            process.write_file(block, folder)
        elif block.language == "py":
            with _alarm():
                session.run(block)  # compared below: its functions may print when a later block calls them
        elif block.language == "console":
            actual[block] = process.run_console(block, folder, env)
        elif block.language == "json":
            file = inside(folder, block.attributes["file"], block)
            if not file.is_file():
                raise BlockFailed(block, f"the session wrote no {block.attributes['file']}")
            actual[block] = file.read_bytes().decode()
        elif block.language == "mermaid":
            actual[block] = _recorded(site, block, folder)
            diagram.check(block if actual[block] == block.text else replace(block, text=actual[block]), site.draw)
        else:
            _check_settings(site, block)
    if output and script:
        raise BlockFailed(script, f'printed what no text {{title="Output"}} block below it shows:\n{output}')
    return actual | {block: session.actual(block) for block in session.blocks}


def _recorded(site: Site, block: Block, folder: Path) -> str:
    """Return the text of the recording that the diagram names; of a diagram that names none, its own."""
    name = block.get("run")
    if name is None:
        return block.text
    try:
        return site.recordings[name](folder)
    except Exception as error:  # whatever a scenario raises, the page cannot be held to it
        raise BlockFailed(block, f"its recording raised {type(error).__name__}: {error}") from error


@contextmanager
def _reader(site: Site, folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Make this process look like a reader's fresh one, and put everything back."""

    def fresh(name: str) -> bool:
        return any(name == package or name.startswith(package + ".") for package in site.fresh)

    def left(status: int) -> None:
        raise SystemExit(f"os._exit({status}) would have ended the run without a word")

    kept = {name: module for name, module in sys.modules.items() if fresh(name) or name == "__main__"}
    for name in filter(fresh, kept):
        del sys.modules[name]
    here = Path.cwd()
    os.chdir(folder)
    try:
        with (
            patch.dict(os.environ, env, clear=True),
            patch.object(sys, "path", [str(folder), *sys.path]),
            patch.object(os, "_exit", left),
            _logging_put_back(),
            # A test runner's own handlers would hide what a reader sees on stderr.
            patch.object(logging.getLogger(), "handlers", []),
            patch.object(threading, "excepthook", threading.__excepthook__),
            patch.object(sys, "unraisablehook", sys.__unraisablehook__),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error")
            yield
    finally:
        os.chdir(here)
        for name, module in list(sys.modules.items()):
            if fresh(name) or str(getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                del sys.modules[name]
        sys.modules.update(kept)


@contextmanager
def _logging_put_back() -> Iterator[None]:
    """Take back what a block says about logging: which logger writes what, and where."""
    manager = logging.root.manager

    def loggers() -> list[logging.Logger]:
        return [each for each in manager.loggerDict.values() if isinstance(each, logging.Logger)]

    disabled_below = manager.disable
    before = {each: (each.level, each.propagate, each.disabled, list(each.handlers)) for each in loggers()}
    try:
        yield
    finally:
        logging.disable(disabled_below)
        for each in loggers():
            level, each.propagate, each.disabled, each.handlers = before.get(each, (logging.NOTSET, True, False, []))
            each.setLevel(level)


@contextmanager
def _alarm() -> Iterator[None]:
    """Raise TimeoutError in a block that does not end."""

    def expired(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"still running after {process.SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, process.SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _AnyTag(yaml.SafeLoader):  # type: ignore[misc]
    """Reads settings whose tags (`!ENV`, `!!python/name:`) only their own program knows."""


def _untagged(loader: _AnyTag, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return f"{suffix} {loader.construct_scalar(node)}"
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_AnyTag.add_multi_constructor("!", _untagged)
_AnyTag.add_multi_constructor("tag:yaml.org,2002:python/", _untagged)


def read_yaml(text: str) -> Any:
    """Return what a YAML text holds, whatever tags it uses."""
    return yaml.load(text, _AnyTag)


def _check_settings(site: Site, block: Block) -> None:
    """Hold the block against the real file: each value it shows is there, and equal."""
    key = block.get("pyproject")
    name = "pyproject.toml" if key else block.attributes["file"]
    file = inside(site.root, name, block)
    if not file.is_file():
        raise BlockFailed(block, f"there is no {name}")
    read: Callable[[str], Any] = read_yaml if block.language == "yaml" else tomllib.loads
    try:
        shown, real = read(block.text), read(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise BlockFailed(block, f"not {block.language}: {error}") from None
    value = shown
    for part in key.split(".") if key else ():
        if not isinstance(value, dict) or set(value) != {part}:
            raise BlockFailed(block, f"shows something beside [{key}]")
        value = value[part]
    if not value:
        raise BlockFailed(block, "shows nothing")
    _subset(block, name, shown, real, "")


def _subset(block: Block, name: str, shown: Any, real: Any, at: str) -> None:
    if isinstance(shown, dict) and isinstance(real, dict):
        for key, value in shown.items():
            if key not in real:
                raise BlockFailed(block, f"{name} has no {at}{key}")
            _subset(block, name, value, real[key], f"{at}{key}.")
    elif shown != real or type(shown) is not type(real):
        raise BlockFailed(block, f"{name} has {real!r} at {at.rstrip('.')}, the page {shown!r}")
