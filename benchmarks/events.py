"""The cost of events for Flower: a worker with `--task-events` against one without, in turns.

    python benchmarks/events.py PATH [--rounds 5]

PATH is parsed again each time, through a broker with a port. The figure is the worker's time from
the first batch to the last.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from services import free_port, server, valkey, worker

WAYS = {"without": (), "with": ("--task-events",)}


def main() -> int:
    """Measure, print, and return 0."""
    options = argparse.ArgumentParser(description="Measure the cost of task events.")
    options.add_argument("path", type=Path)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with server(valkey(), "--port", str(port), cwd=folder, port=port):
            for number in range(given.rounds):
                for way, arguments in WAYS.items():
                    with worker(url, "--without-gossip", *arguments, cwd=folder, processes=2):
                        seconds[way].append(_run(given.path, url, folder / f"{way}{number}"))
    for way, each in seconds.items():
        shown = " ".join(f"{one:.2f}" for one in each)
        sys.stdout.write(f"{way:8} events: median {median(each):.2f} s of {shown}\n")
    ratio = median(seconds["with"]) / median(seconds["without"])
    sys.stdout.write(f"with : without = {ratio:.2f} : 1\n")
    return 0


def _run(path: Path, url: str, store: Path) -> float:
    command = [sys.executable, "-m", "ck3parse", "run", "--no-index", "--json", "--broker", url]
    done = subprocess.run(
        [*command, "--out", str(store), str(path.absolute())], capture_output=True, text=True
    )
    return float(json.loads(done.stdout)["seconds"])


if __name__ == "__main__":
    sys.exit(main())
