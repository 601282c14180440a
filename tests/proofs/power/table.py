"""The table of what each way to flush may lose, in Markdown, from the figures of the run that was recorded."""

from __future__ import annotations

from collections.abc import Mapping

from tests.proofs.figures import recorded
from tests.proofs.power.model import ORDERS
from tests.proofs.power.settings import SETTINGS

HEAD = (
    "| not flushed | setting, or fault | damaged, ordered | lost, ordered | damaged, weak | lost, weak |",
    "|---|---|--:|--:|--:|--:|",
)


def rows(counts: Mapping[str, int] | None = None) -> list[str]:
    """Return the lines of the table.

    A cell counts sessions on disks: how many of those that a cut at any moment may leave are neither old nor new, or
    lack what has returned, of how many.

    Args:
        counts: those of the part `weaker`; None for those that were recorded.
    """
    if counts is None:
        counts = recorded("power-weaker")["counts"]
    lines = list(HEAD)
    for setting in SETTINGS:
        cells = []
        for order in ORDERS:
            broken, lost, kept = (
                counts.get(f"{setting.name}: sessions {fate}, {order}", 0) for fate in ("broken", "lost", "kept")
            )
            cells += [f"{count:,} of {broken + lost + kept:,}" for count in (broken, lost)]
        lines.append(f"| {' | '.join([setting.unflushed, f'`{setting.name}`', *cells])} |")
    return lines


def rows_of_the_real_disk(counts: Mapping[str, int] | None = None) -> list[str]:
    """Return the lines of the table of the cuts of a real ext4: how many left the sessions how.

    Args:
        counts: those of the part `real`; None for those that were recorded.
    """
    if counts is None:
        counts = recorded("power-real")["counts"]
    lines = ["| on a real ext4 | cuts | damaged | lost | kept |", "|---|--:|--:|--:|--:|"]
    for name in dict.fromkeys(key.rpartition(": ")[0] for key in counts):
        broken, lost, kept = (counts.get(f"{name}: {fate}", 0) for fate in ("broken", "lost", "kept"))
        lines.append(f"| {name} | {broken + lost + kept} | {broken} | {lost} | {kept} |")
    return lines
