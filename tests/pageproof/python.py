"""Run a `py` block in this process, and write its output back below the prints that made it.

The round trip: the block is run, every ``#>`` line is taken out, the output is put in, and the result has to be the
page. So an output below something that is no print, or below a print that never ran, is a difference.

pytest-examples evaluates the block and records its prints. Ours are: one module for all blocks of a session, names and
line numbers of the page in every frame, and the place of the output (pytest-examples 0.0.18 knows no `finally`,
`else` or `match`, and spreads long output over a triple-quoted string).
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import inspect
import io
import re
import tokenize
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any
from unittest.mock import patch

from pytest_examples import CodeExample
from pytest_examples.config import ExamplesConfig
from pytest_examples.run_code import Arg, MockPrintFunction, PrintStatement, run_code

from .failure import BlockFailed
from .scan import Block

_STARTS_PROCESSES = {"multiprocessing", "subprocess"}
_MARK = "#>"


class Session:
    """The blocks of one page that share a module, and what they have printed so far."""

    def __init__(self) -> None:
        self.module = ModuleType("__main__")
        self.blocks: list[Block] = []
        self.printed: list[tuple[str, int, str]] = []

    def run(self, block: Block) -> None:
        """Run the block to its end, or to the exception that it names."""
        tree = _parse(block)
        _marked(block)
        padded = "\n" * (block.first_line - 1) + block.text  # so that each frame has the page's line numbers
        loader = _Loader(self.module, compile(padded, _frame_name(block), "exec", dont_inherit=True))
        out, err = io.StringIO(), io.StringIO()
        raised: BaseException | None = None
        prints = _Prints(Path(), None)
        prints.pages = {_frame_name(other) for other in [*self.blocks, block]}
        self.blocks.append(block)
        with (
            patch("pytest_examples.run_code.MockPrintFunction", lambda *_: prints),
            # Its frames of C level kill a session of pytest ≥ 8.4 on Python 3.11.
            patch("pytest_examples.run_code.create_example_traceback", lambda *_: None),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                run_code(
                    example=CodeExample.create(block.text, path=Path(block.source)),
                    python_file=Path(_frame_name(block)),
                    loader=loader,
                    config=ExamplesConfig(),
                    enable_print_mock=True,
                    print_callback=None,
                    include_print=None,
                    module_globals=None,
                    call=None,
                )
            except BaseException as error:  # a block may raise anything; what is right is judged below
                raised = error
        self.printed += prints.found
        _judge(block, tree, raised, loader.reached)
        if prints.lost:
            raise BlockFailed(block, f"printed from no line of the page: {prints.lost[0]!r}")
        for name, stream in (("stdout otherwise than by print", out), ("stderr", err)):
            if stream.getvalue():
                raise BlockFailed(block, f"wrote to {name}, which the page does not show:\n{stream.getvalue()}")

    def actual(self, block: Block) -> str:
        """Return the block with the output of this run."""
        tree = _parse(block)
        marked = _marked(block)
        lines = block.text.splitlines()
        below: dict[int, list[str]] = {}
        for file, line, output in self.printed:
            number = line - block.first_line + 1
            if file == _frame_name(block) and 0 < number <= len(lines):
                end, indent = _place(tree, number)
                shown = [f"{' ' * indent}{_MARK} {row}".rstrip() for row in output.split("\n")]
                below.setdefault(end, []).extend(shown)
        kept: list[str] = []
        for number, row in enumerate(lines, 1):
            if number not in marked:
                kept.append(row)
            kept += below.get(number, ())
        return "".join(line + "\n" for line in kept)


class _Loader(importlib.abc.Loader):
    """Runs code in a module that exists already, and knows whether the end was reached."""

    def __init__(self, module: ModuleType, code: CodeType) -> None:
        self.module, self.code, self.reached = module, code, False

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:  # noqa: ARG002
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        # A reader who pastes has no file: a block that asks for its own would work here only.
        module.__dict__.pop("__file__", None)
        module.__spec__ = None
        exec(self.code, module.__dict__)
        # The canary: KeyboardInterrupt (swallowed by run_code) and SystemExit never come here.
        self.reached = True


class _Prints(MockPrintFunction):
    """Records prints with the line of the page that made them, whatever lies between the two."""

    __slots__ = ("found", "lost", "pages")
    pages: set[str]

    def __init__(self, file: Path, include_print: None) -> None:
        super().__init__(file, include_print)
        self.found: list[tuple[str, int, str]] = []
        self.lost: list[str] = []

    def __call__(self, *args: Any, sep: str | None = " ", **kwargs: Any) -> None:
        if kwargs.get("file") is not None:
            kwargs["file"].write((sep or " ").join(map(str, args)) + kwargs.get("end", "\n"))
            return
        if kwargs.get("end", "\n") not in (None, "\n"):
            raise ValueError("print(end=…): an output line cannot show it; run the block as a script")
        output = str(PrintStatement(0, " " if sep is None else sep, [Arg(value) for value in args]))
        frame = inspect.currentframe()
        while frame and frame.f_code.co_filename not in self.pages:
            frame = frame.f_back
        if frame:
            self.found.append((frame.f_code.co_filename, frame.f_lineno, output))
        else:
            self.lost.append(output)


def _frame_name(block: Block) -> str:
    """Name the file of the block's frames: never that of a real module, whose docstring the block may be."""
    return f"<{block.source}>"


def _parse(block: Block) -> ast.Module:
    """Return the block's syntax tree; a block that starts processes is refused."""
    try:
        tree = ast.parse(block.text)
    except SyntaxError as error:
        raise BlockFailed(block, f"SyntaxError: {error.msg}", block.first_line + (error.lineno or 1) - 1) from None
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.split(".")[0] in _STARTS_PROCESSES for name in names):
            line = block.first_line + getattr(node, "lineno", 1) - 1
            raise BlockFailed(block, 'starts processes, whose output nobody sees here: run="script"', line)
    return tree


def _marked(block: Block) -> set[int]:
    """Return the numbers of the block's output lines."""
    marked = set()
    for token in tokenize.generate_tokens(io.StringIO(block.text).readline):
        if re.match(r"# ?>", token.string):
            line = block.first_line + token.start[0] - 1
            if token.line.strip() != token.string or not token.string.startswith(_MARK):
                raise BlockFailed(block, "an output stands on a line of its own, after `#>`", line)
            marked.add(token.start[0])
    return marked


def _place(tree: ast.Module, line: int) -> tuple[int, int]:
    """Return the line after which the output of `line` stands, and its indent."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    # The walk goes inwards: the last one that holds the line is the innermost.
    *_, inner = (node for node in statements if node.lineno <= line <= (node.end_lineno or line))
    body = getattr(inner, "body", None)
    # A loop or a `with` that prints by itself does so in its first line, above its body.
    end = body[0].lineno - 1 if isinstance(body, list) else inner.end_lineno or line
    return end, inner.col_offset


def _judge(block: Block, tree: ast.Module, raised: BaseException | None, reached: bool) -> None:
    """Compare how the block ended with what its page says about that."""
    wanted = block.get("raises")
    lines = []
    trace = raised.__traceback__ if raised else None
    while trace:
        if trace.tb_frame.f_code.co_filename == _frame_name(block):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    if raised is None and not reached:
        raise BlockFailed(block, "left before its end by KeyboardInterrupt")
    if raised is None:
        if wanted:
            raise BlockFailed(block, f"did not raise {wanted}")
        return
    said = f"{type(raised).__name__}: {raised}"
    if wanted != type(raised).__name__:
        line = lines[-1] if lines else None
        raise BlockFailed(block, f"raised {said}" + (f", not {wanted}" if wanted else ""), line)
    if lines and lines[0] < block.first_line + tree.body[-1].lineno - 1:
        raise BlockFailed(block, f"raised {said} before its last statement", lines[0])
