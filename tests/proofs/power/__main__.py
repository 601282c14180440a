"""Prints what each way to flush may lose, counted anew: `python -m tests.proofs.power`."""

import tempfile
from pathlib import Path

from tests.proofs.power.parts import REAL, WEAKER
from tests.proofs.power.real import refusal
from tests.proofs.power.table import rows, rows_of_the_real_disk


def main() -> None:
    """Print both tables; the second where the kernel grants loop mounts."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        print(*rows(WEAKER.run(Path(first)).counts), sep="\n")
        asked = Path(second, "asked")
        asked.mkdir()
        if refused := refusal(asked):
            print(f"\nno loop mounts here: {refused}")
        else:
            print("", *rows_of_the_real_disk(REAL.run(Path(second)).counts), sep="\n")


if __name__ == "__main__":
    main()
