"""Another process that has locked an SQLite file."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
held = db.execute(sys.argv[2])  # a SELECT that is not at its end reads
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(store: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[subprocess.Popen[bytes]]:
    """Let another process hold a lock of a store, until `release` or the end of the block."""
    command = [sys.executable, "-c", _HOLD, str(store), how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        yield process


def release(process: subprocess.Popen[bytes]) -> None:
    """Have a process give its lock back, and end."""
    assert process.stdin
    process.stdin.close()


def holder_of(process: subprocess.Popen[bytes]) -> str:
    """Return how messages name a process that has locked a store."""
    return f"process {process.pid}" if sys.platform == "linux" else "another program"
