"""The time of `ck3parse check` beside that of `ck3parse run`: `python benchmarks/check.py`.

Makes a playset and runs both commands cold, in turns, then warm; `run` makes no index. The ratio
is to the `run` of the same round. `--files N` and `--megabytes N` set the playset's size, `--rounds
N` the number of rounds.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from ck3parse.bench.machine import this_machine
from playset import FILES, MEGABYTES, make_playset

LARGEST_SHARE = 1.5
"""How many times as long as a `run` a `check` may take."""


def seconds(folder: Path, *arguments: str) -> float:
    """Return the seconds that a command takes, which may find something.

    Args:
        folder: where it is run.
        arguments: its name and arguments.

    Raises:
        RuntimeError: it failed.
    """
    began = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "ck3parse", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return perf_counter() - began


def main() -> int:
    """Time both commands, and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--files", type=int, default=FILES)
    options.add_argument("--megabytes", type=float, default=MEGABYTES)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    print(this_machine())
    shares = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_playset(folder / "playset", given.files, given.megabytes)
        print("| round | run, s | check, s | check / run | warm run, s | warm check, s |")
        print("|---|---|---|---|---|---|")
        for number in range(1, given.rounds + 1):
            for made in list(folder.glob("*.sqlite*")):
                made.unlink()
            parse = ("run", "playset", "--no-index", "--out", "run.sqlite")
            check = ("check", "playset", "--cache", "check.sqlite", "-q", "--statistics")
            times = [seconds(folder, *command) for command in (parse, check, parse, check)]
            share = times[1] / times[0]
            shares.append(share)
            print(
                f"| {number} | {times[0]:.2f} | {times[1]:.2f} | {share:.2f} | {times[2]:.2f}"
                f" | {times[3]:.2f} |",
                flush=True,
            )
    print(f"check / run: {statistics.median(shares):.2f} (at most {LARGEST_SHARE})")
    return int(statistics.median(shares) > LARGEST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
