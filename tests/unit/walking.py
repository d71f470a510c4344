"""Helpers for tests of `ck3parse.files.walk`."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ck3parse.files.walk import Found, Problem, Skipped, walk


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
    """Walk as a user who is not root, so that file permissions apply."""
    return without_rights(
        "import json, sys\nfrom ck3parse.files.walk import Found, walk",
        "print(json.dumps([[type(entry).__name__, entry.root, entry.name, *entry[2:]]"
        " if not isinstance(entry, Found) else ['Found', entry.root, entry.name]"
        " for entry in walk(sys.argv[1:])]))",
        path,
    )


def without_rights(
    imports: str, program: str, *args: str | Path, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program as a user who is not root, so that file permissions apply.

    Args:
        imports: the imports of the program, which run before the user changes.
        program: the rest of the program.
        *args: its arguments.
        cwd: its current folder.

    Returns:
        The ended process with its output.
    """
    drop = "import os\nif os.getuid() == 0: os.setuid(65534)"
    return subprocess.run(
        [sys.executable, "-c", f"{imports}\n{drop}\n{program}", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
