"""The trial again, with files that atheris makes up: it changes most what reached new lines of the store before.

    ATHERIS_SECONDS=600 python3 dev.py test -n 0 tests/proofs/fuzz -k guided

atheris is installed into a folder of its own, where it is asked for: it has no wheel for every Python that we allow.
`python -m tests.proofs.fuzz.guided <folder> <seconds>` is the process that it runs in: it ends itself at what it finds.
"""

from __future__ import annotations

import os
import platform
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

# Nothing here imports readfresh: in the process that atheris runs in it has to be imported under its eyes.
from tests.peers.environments import FOLDER, ROOT
from tests.proofs.rung import Finding, Ran

LOCK = Path(__file__).parent / "atheris" / "requirements.lock"
SECONDS = int(os.environ.get("ATHERIS_SECONDS", "0"))
SECONDS_TO_END = 60
SEED = 20261125
LARGEST_BYTES = 8_000
SHARE_OF_BYTES = 0.3  # of the changes; the others change the JSON


def installed() -> Path:
    """Return the folder that atheris is in, which is filled first where it is missing."""
    version = re.findall(r"^atheris==(\S+)", LOCK.read_text(), re.MULTILINE)[0]
    folder = FOLDER / f"atheris-{version}-{platform.python_version()}"
    if not folder.exists():
        half = folder.with_suffix(".tmp")
        shutil.rmtree(half, ignore_errors=True)
        options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(half)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, "-r", str(LOCK)], check=True)
        half.replace(folder)
    return folder


def try_guided(folder: Path, seconds: int) -> Ran:
    """Let atheris look for so long."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.proofs.fuzz.guided", str(folder), str(seconds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(installed()), str(ROOT / "src"), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=seconds + SECONDS_TO_END,
    )
    said = process.stdout + process.stderr
    done = re.search(r"Done (\d+) runs", said)
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", said) or [("0", "0", "0")]
    cover, features, kept = map(int, reached[-1])
    counts = {
        "files": int(done[1]) if done else 0,
        "places in the code that were reached": cover,
        "features": features,
        "files that reached something new": kept,
    }
    failed = (
        None if done and process.returncode == 0 else Finding("atheris has found something.", tuple(said.split("\n")))
    )
    return Ran(counts, failed, varying=frozenset(counts))


def main(folder: Path, seconds: int) -> None:
    """Fuzz until the time is over, or something is found."""
    import atheris

    with atheris.instrument_imports(include=["readfresh"]):
        from tests.proofs.fuzz.corpus import corpus
        from tests.proofs.fuzz.mutations import JSON_EDITS, KEYS, SPOTS, VALUES, json_edited
        from tests.proofs.fuzz.trial import Trial, quick

    def changed(raw: bytes, most_bytes: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < SHARE_OF_BYTES:
            other: bytes = atheris.Mutate(raw, most_bytes)
            return other
        edit = json_edited(
            chance.choice(JSON_EDITS), chance.randint(0, SPOTS), chance.choice(VALUES), chance.choice(KEYS)
        )
        return edit(raw)[:most_bytes]

    seeds, kept = folder / "seeds", folder / "kept"
    for place in (seeds, kept):
        place.mkdir()
    for number, raw in enumerate(corpus().values()):
        (seeds / str(number)).write_bytes(raw)
    trial = Trial()
    options = [
        f"-max_total_time={seconds}",
        f"-seed={SEED}",
        f"-max_len={LARGEST_BYTES}",
        f"-artifact_prefix={folder}/",
    ]
    atheris.Setup(
        [sys.argv[0], *options, str(kept), str(seeds)],
        lambda raw: trial.run(raw, every_verb=False),
        custom_mutator=changed,
    )
    with quick(shares_loads=False):
        atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
