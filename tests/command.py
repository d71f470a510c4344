"""Run the installed `ck3parse` command."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
ENV = {key: value for key, value in os.environ.items() if not key.startswith("CK3PARSE_")}
FAULTY = {"CK3PARSE_PARSER": "faulty:parse", "PYTHONPATH": str(TESTS)}
"""Environment in which files can ask for faults, see `faulty.py`."""


def start(
    *args: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start the command in its own session, with pipes for its output."""
    return subprocess.Popen(
        [sys.executable, "-m", "ck3parse", *map(str, args)],
        cwd=cwd,
        env={**ENV, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )


def ck3parse(
    *args: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command, and return its exit code and output."""
    process = start(*args, cwd=cwd, env=env)
    out, err = process.communicate()
    return subprocess.CompletedProcess(
        process.args, process.returncode, os.fsdecode(out), os.fsdecode(err)
    )


def run_json(
    *args: str | Path, cwd: Path, env: Mapping[str, str] | None = None, code: int = 0
) -> dict[str, Any]:
    """Run `ck3parse run --json`, check the exit code, and return the report."""
    done = ck3parse("run", "--json", *args, cwd=cwd, env=env)
    assert done.returncode == code, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report
