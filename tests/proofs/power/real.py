"""Starts the machine with the real disk, where the kernel lets us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.proofs.rung import Finding, Ran
from tests.store.support import PATIENCE_SECONDS, ROOT

# A namespace of mounts and one of processes: when the first process ends, the kernel ends all others there, and takes
# down what they have mounted. When `unshare` is killed, so is that first process.
ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
IMAGE_BYTES = 4 << 20


PROGRAMS = ("unshare", "mount", "umount", "mke2fs")


def refusal(folder: Path) -> str:
    """Return what the kernel says when it is asked for a loop mount, in an empty folder; nothing when it grants it."""
    if not sys.platform.startswith("linux"):
        return f"it is {sys.platform}"
    if os.geteuid() != 0:
        return "only root may mount"
    image, root = folder / "image", folder / "root"
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", image], check=True)
    tried = subprocess.run([*ALONE, "mount", "-o", "loop", image, root], capture_output=True, text=True)
    return "" if tried.returncode == 0 else tried.stderr.strip() or f"exit {tried.returncode}"


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the machine, with its disk in an empty folder."""
    command = [*ALONE, sys.executable, "-m", "tests.proofs.power.machine", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def real(folder: Path) -> Ran:
    """Run what the machine runs, and find what is not as the model and the docs have it.

    What a weaker setting loses is the kernel's to decide, so these counts may differ on another one.
    """
    machine = start(folder)
    try:
        said, _ = machine.communicate(timeout=10 * PATIENCE_SECONDS)
    finally:
        machine.kill()
        machine.wait()
    if machine.returncode:
        raise RuntimeError(f"the machine ended with {machine.returncode}")
    counts: dict[str, int] = {}
    finding = None
    for told in map(json.loads, said.splitlines()):
        counts |= {f"{told['name']}: {fate}": count for fate, count in told["fates"].items()}
        if told["first"] and (told["name"].startswith("power") or "unknown" in told["fates"]):
            finding = finding or Finding(f"{told['name']}: {told['first']}")
    return Ran(counts, finding, varying=frozenset(name for name in counts if not name.startswith("power")))
