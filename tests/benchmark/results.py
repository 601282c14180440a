"""results.json: what was measured, where, and when.

    {"schema": 1,
     "contenders": {<key>: {"name", "kind", "durability", "rewrites", "version"}},
     "left_out": {<key>: <why it could not be measured>},
     "measures": {<measure>: {"date", "failed": {<key>: <what it said>}, "rows": [<row>],
                              "machine": {"cores", "memory_bytes", "system", "filesystem", "versions"}}}}

A row has the key of its contender in "contender", what sets it apart in its group (a length, a number of processes),
and its figures. A figure that was taken once in each round is a list, round by round: the contenders of a group took
turns, so the same place of two lists is the same minute of the same machine. Times are microseconds, sizes bytes.
A measure that is run anew takes the place of the one before; the others stay, with their own date and machine.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import re
import sqlite3
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmark.contenders import CONTENDERS, Contender
from tests.peers.environments import python
from tests.servers.binaries import Missing, find_postgresql

SCHEMA = 1
FILE = Path(__file__).with_name("results.json")

Row = dict[str, Any]


def recorded(file: Path = FILE) -> dict[str, Any]:
    """Return what was kept last; nothing at all where there is no file."""
    if not file.exists():
        return {"schema": SCHEMA, "contenders": {}, "left_out": {}, "measures": {}}
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    if found["schema"] != SCHEMA:
        raise ValueError(f"{file.name} has schema {found['schema']}, this is {SCHEMA}: delete it and measure anew")
    return found


def merged(
    before: Mapping[str, Any], contenders: Mapping[str, Any], left_out: Mapping[str, str], measures: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the results with these measures in place of the ones before."""
    everybody = {**before["contenders"], **contenders}
    return {
        "schema": SCHEMA,
        "contenders": {key: everybody[key] for key in CONTENDERS if key in everybody},
        "left_out": {key: why for key, why in {**before["left_out"], **left_out}.items() if key not in contenders},
        "measures": {**before["measures"], **measures},
    }


def keep(results: Mapping[str, Any], file: Path = FILE) -> None:
    """Replace the file as a whole, a row on a line."""
    text = json.dumps({**results, "measures": {}}, indent=2, ensure_ascii=False).removesuffix("{}\n}")
    measures = []
    for name, measure in results["measures"].items():
        rows = ",\n".join("        " + json.dumps(row, ensure_ascii=False) for row in measure["rows"])
        head = json.dumps({**measure, "rows": []}, indent=2, ensure_ascii=False).removesuffix("[]\n}")
        head = head.replace("\n", "\n    ")
        measures.append(f"    {json.dumps(name)}: {head}[\n{rows}\n      ]\n    }}")
    text += "{\n" + ",\n".join(measures) + "\n  }\n}\n"
    assert json.loads(text) == json.loads(json.dumps(results))
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(file)


def measure(rows: list[Row], failed: Mapping[str, str], place: Path) -> dict[str, Any]:
    """Return a measure with the day and the machine, and without the place, which what somebody said may name."""
    inside = re.escape(json.dumps(f"{place}{os.sep}")[1:-1])
    said = json.loads(re.sub(inside + r"tmp\w+.", "", json.dumps({"failed": dict(failed), "rows": rows})))
    return {
        "date": datetime.date.today().isoformat(),
        "machine": machine(place),
        **said,
    }


def machine(place: Path) -> dict[str, Any]:
    """Return what is known of this machine, and of the file system that a place is on."""
    return {
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "filesystem": _filesystem(place),
        "versions": _versions(),
    }


def described(contender: Contender) -> dict[str, Any]:
    """Return what the page shows of a contender."""
    return {
        "name": contender.name,
        "kind": contender.kind,
        "durability": contender.durability,
        "rewrites": contender.rewrites,
        "version": _version(contender),
    }


def _filesystem(place: Path) -> str:
    """Return the kind of file system, as `stat` of GNU names it; empty where there is no such program."""
    try:
        done = subprocess.run(["stat", "--file-system", "--format=%T", str(place)], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    # One number stands for three of them, which have it in common.
    return "ext4" if done.stdout.strip() == "ext2/ext3" and _is_ext4(place) else done.stdout.strip()


def _is_ext4(place: Path) -> bool:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    at = [kind for point, kind in sorted(mounts) if place.resolve().is_relative_to(point)]
    return at[-1:] == ["ext4"]


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    with contextlib.suppress(Missing):
        said = subprocess.run([find_postgresql() / "postgres", "--version"], capture_output=True, text=True, check=True)
        found["PostgreSQL"] = said.stdout.split()[2]
    return found | {name: importlib.metadata.version(name) for name in ("filelock", "sqlalchemy", "psycopg")}


def _version(contender: Contender) -> str:
    if not contender.package:
        return ""
    if not contender.peer:
        return importlib.metadata.version(contender.package)
    code = f"import importlib.metadata; print(importlib.metadata.version({contender.package!r}))"
    done = subprocess.run([python(contender.peer), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
