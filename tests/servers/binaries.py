"""Where the servers are on this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

HOW_TO_GET_POSTGRESQL = "Install one (Debian: sudo apt install postgresql), or name one in POSTGRESQL_URL."
HOW_TO_GET_REDIS = "Install one (Debian: sudo apt install redis-server), or name one in REDIS_URL."


class Missing(Exception):
    """A server is not installed; the text says how to get one."""


def find_postgresql() -> Path:
    """Return the folder of PostgreSQL's programs: that of the PATH, of pg_config, or Debian's newest."""
    for folder in _postgresql_folders():
        if all((folder / name).is_file() for name in ("initdb", "postgres")):
            return folder
    raise Missing(f"no PostgreSQL server was found. {HOW_TO_GET_POSTGRESQL}")


def _postgresql_folders() -> list[Path]:
    folders = []
    if found := shutil.which("initdb"):
        # PostgreSQL finds its other files beside the program itself, not beside a link to it.
        folders.append(Path(found).resolve().parent)
    if found := shutil.which("pg_config"):
        done = subprocess.run([found, "--bindir"], capture_output=True, text=True)
        folders.append(Path(done.stdout.strip()))
    versions = Path("/usr/lib/postgresql").glob("*/bin")  # Debian keeps them off the PATH
    return folders + sorted(versions, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0), reverse=True)


def find_redis() -> Path:
    """Return the program of the Redis server, which is on the PATH."""
    if found := shutil.which("redis-server"):
        return Path(found)
    raise Missing(f"no Redis server was found. {HOW_TO_GET_REDIS}")
