"""Run the command in a pseudo-terminal of a given width."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

from command import ENV

_OWN = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")


def in_terminal(*args: str, columns: int, cwd: Path, rows: int = 50) -> tuple[int, str]:
    """Run the command, and return its exit code and what it writes to the terminal."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    env = {name: value for name, value in ENV.items() if name not in _OWN}
    with subprocess.Popen(
        [sys.executable, "-m", "ck3parse", *args],
        cwd=cwd,
        env=env | {"TERM": "xterm-256color"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        written = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # nothing has the terminal open any more
                break
            if not part:
                break
            written += part
        os.close(master)
    return process.returncode, written.decode()
