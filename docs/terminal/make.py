"""Makes the captures beside this file: `python docs/terminal/make.py`. It needs tmux.

`ck3parse run` and `check` run in real terminals of 40, 80 and 200 columns. What tmux shows is kept
as text, and with its colours as SVG.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
WIDTHS = 40, 80, 200
DRAWN = 80
"""The width of the pictures."""
FILES = 4_000
"""So many that the progress of a run can be seen."""
_ROWS = 80
_LIMIT_S = 200.0
_END = "captured"
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_PROGRESS = re.compile(r"[1-9][\d,]* ?(?:/|of) ?[\d,]+.*:")


class Terminal:
    """A terminal of tmux with a shell, in a server of its own.

    Args:
        columns: its width.
        folder: where the shell starts, and the socket of the server is.
    """

    def __init__(self, columns: int, folder: Path) -> None:
        self._tmux = ["tmux", "-f", os.devnull, "-S", str(folder / f"tmux-{columns}")]
        program = folder / "ck3parse"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ck3parse "$@"\n')
        program.chmod(0o755)
        env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PS1": "$ "}
        for name in ("NO_COLOR", "FORCE_COLOR"):
            env.pop(name, None)
        size = ["-x", str(columns), "-y", str(_ROWS)]
        subprocess.run(
            [*self._tmux, "new-session", "-d", *size, "bash", "--norc", "--noprofile"],
            cwd=folder, env=env, check=True,
        )  # fmt: skip

    def type(self, line: str) -> None:
        """Type a line."""
        subprocess.run([*self._tmux, "send-keys", "-l", line], check=True)
        subprocess.run([*self._tmux, "send-keys", "Enter"], check=True)

    def shown(self, *, coloured: bool = False) -> str:
        """Return what it shows."""
        options = ["-p", "-e"] if coloured else ["-p"]
        done = subprocess.run(
            [*self._tmux, "capture-pane", *options], capture_output=True, text=True, check=True
        )
        return done.stdout.rstrip()

    def until(self, there: Callable[[str], object]) -> str:
        """Wait until it shows something, and return all that it shows.

        Raises:
            TimeoutError: it never does.
        """
        end = monotonic() + _LIMIT_S
        while monotonic() < end:
            shown = self.shown()
            if there(shown):
                return shown
            sleep(0.02)
        raise TimeoutError(self.shown())

    def close(self) -> None:
        """End its server."""
        subprocess.run([*self._tmux, "kill-server"], check=False)


@contextmanager
def terminal(columns: int, folder: Path) -> Iterator[Terminal]:
    """Open a terminal, and close it at the end."""
    opened = Terminal(columns, folder)
    try:
        yield opened
    finally:
        opened.close()


def main() -> int:
    """Make the captures; return 0."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(EXAMPLES / "broken_mod", folder / "broken_mod")
        shutil.copytree(EXAMPLES / "small_mod", folder / "large_mod")
        event = (EXAMPLES / "small_mod" / "events" / "salt_events.txt").read_text("utf-8-sig")
        for number in range(FILES):
            file = folder / "large_mod" / "events" / f"event_{number}.txt"
            file.write_text(f"\ufeff# {number}\n{event}", "utf-8")
        shutil.copy(
            folder / "broken_mod" / "events" / "missing_brace.txt", folder / "large_mod/events"
        )
        for columns in WIDTHS:
            with terminal(columns, folder) as opened:
                _capture(opened, columns, folder)
    return 0


def _capture(opened: Terminal, columns: int, folder: Path) -> None:
    opened.until(lambda shown: "$" in shown)
    progress = ""
    while not progress:  # a busy machine may show none
        for store in folder.glob("ck3parse.sqlite*"):
            store.unlink()
        opened.type("clear; ck3parse run large_mod; echo " + _END[:4] + "''" + _END[4:])
        sleep(0.5)
        shown = opened.until(lambda shown: _PROGRESS.search(shown) or _END in shown)
        progress = next(filter(_PROGRESS.search, shown.splitlines()), "")
        opened.until(lambda shown: _END in shown)
    _keep("run", columns, opened, f"$ ck3parse run large_mod\n{progress}\n")
    opened.type("clear; ck3parse check --no-cache broken_mod; echo " + _END[:4] + "''" + _END[4:])
    sleep(0.5)
    opened.until(lambda shown: _END in shown)
    _keep("check", columns, opened, "$ ck3parse check broken_mod\n")


def _keep(name: str, columns: int, opened: Terminal, head: str) -> None:
    """Write what a terminal shows below the line that was typed, without the mark of its end."""
    text = _report(opened.shown())
    (HERE / f"{name}-{columns}.txt").write_text(f"{head}{text}\n", "utf-8")
    if columns == DRAWN:
        console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
        console.print(head, end="", markup=False, highlight=False)
        console.print(Text.from_ansi(_report(opened.shown(coloured=True))))
        svg = console.export_svg(title=f"ck3parse {name}", unique_id=name)
        # No font from the network, and no blanks lost at the start of a part.
        svg = _FONT.sub("", svg).replace("<text ", '<text xml:space="preserve" ')
        (HERE / f"{name}.svg").write_text(svg, "utf-8")


def _report(shown: str) -> str:
    lines = shown.splitlines()
    end = next(at for at, line in enumerate(lines) if line.strip().endswith(_END))
    start = 1 if lines[0].lstrip().startswith("$") else 0
    return "\n".join(line.rstrip() for line in lines[start:end])


if __name__ == "__main__":
    sys.exit(main())
