"""Walking in the tests' own terms."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ck3parse.pipeline.walk import Found, Problem, Skipped, walk


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a = 1\n")


def found(
    *paths: Path | str, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[str]:
    given = [str(path) for path in paths]
    return [
        entry.name
        for entry in walk(given, include=include, exclude=exclude)
        if isinstance(entry, Found)
    ]


def skipped(
    *paths: Path, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> dict[str, str]:
    given = [str(path) for path in paths]
    return {
        entry.name: entry.reason
        for entry in walk(given, include=include, exclude=exclude)
        if isinstance(entry, Skipped)
    }


def problems(*paths: Path) -> list[Problem]:
    return [entry for entry in walk([str(path) for path in paths]) if isinstance(entry, Problem)]


def walk_without_rights(path: Path) -> subprocess.CompletedProcess[str]:
    """Walk as a user whom file permissions bind, which root is not."""
    program = """
import json, os, sys
from ck3parse.pipeline.walk import walk
if os.getuid() == 0:
    os.setuid(65534)
print(json.dumps([[type(entry).__name__, *entry] for entry in walk(sys.argv[1:])]))
"""
    return subprocess.run(
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
