"""The speed of typed nodes: `python benchmarks/tree.py PATH... [--rounds 5] [--dialect ck3]`.

Parses every `*.txt` file below the paths. Then it times, on one core and in MB of source a second,
how trees are decoded from their JSON: `open` decodes a root, `find` also each of its children that
contains a key that is rare, `children` all children with every node inside them, and `walk` visits
each of these nodes.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from ck3parse.messages import DialectName
from ck3parse.parser import parse_bytes
from ck3parse.tree import Tree, decode

MEGA = 1_000_000
RARE_KEY = "dynasty"


def walk(tree: Tree) -> None:
    """Visit every node."""
    for _ in tree.walk():
        pass


WAYS: dict[str, Callable[[Tree], object]] = {
    "open": lambda tree: len(tree.children),
    "find": lambda tree: list(tree.find(RARE_KEY)),
    "children": lambda tree: list(tree.children),
    "walk": walk,
}


def main() -> None:
    """Time each way to use a tree and print one line for it."""
    options = argparse.ArgumentParser(description="Measure the speed of typed nodes on one core.")
    options.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--dialect", choices=get_args(DialectName), default="ck3")
    given = options.parse_args()

    sources = [file.read_bytes() for path in given.paths for file in sorted(path.rglob("*.txt"))]
    parsed = [
        (len(data), parse_bytes(data, "a.txt", dialect=given.dialect).ast_json) for data in sources
    ]
    trees = [(size, ast_json) for size, ast_json in parsed if ast_json is not None]
    if not trees:
        options.error("there are no *.txt files that parse")
    source_bytes = sum(size for size, _ in trees)
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    print(f"{len(trees)} files, {source_bytes / MEGA:.1f} MB, {given.rounds} rounds")

    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(given.rounds):
        for name, use in WAYS.items():
            started = time.perf_counter()
            for _, ast_json in trees:
                use(decode(ast_json))
            seconds[name].append(time.perf_counter() - started)
    for name, times in seconds.items():
        print(f"{name:8} {source_bytes / statistics.median(times) / MEGA:8.1f} MB/s of source")


if __name__ == "__main__":
    main()
