"""The start of the command line: ``readfresh``, or ``python -m readfresh``."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line, and end with its exit status; say what to install where click or rich is missing."""
    try:
        from readfresh.command import readfresh
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        print(f"readfresh: {missing}; the command line needs it: pip install 'readfresh[console]'", file=sys.stderr)
        sys.exit(2)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    readfresh(prog_name="readfresh")


if __name__ == "__main__":
    main()
