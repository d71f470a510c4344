"""Time on hostile input: `python benchmarks/hostile.py PATH... [--parser native] [--size 10]`.

Reads the `*.txt` files below the paths, joins them up to the size, and compares the processor time
a byte takes in each hostile text with what it takes there. A time that grows faster than the input
shows in the last column: the same text at half the size.
"""

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ck3parse.parser import ParseOutcome

MEGA = 1_000_000
DEPTH = 1_000_000

HOSTILE = {
    "{": b"{",
    '"': b'"',
    "$": b"$",
    "a=": b"a=",
    "@[": b"@[",
    '\\"': b'\\"',
    '"\\"': b'"\\"',
    "}": b"}",
    "'": b"'",
    "-": b"-",
    "#": b"#",
    ";": b";",
    "a ": b"a ",
    "1.": b"1.",
    "{}": b"{}",
    "a={}": b"a={}",
    "CR": b"\r",
    "LF": b"\n",
    "one name": b"a",
    "one line": b"key = value key = { a b } ",
    "CJK names": "名字 = 李 ".encode(),
    "CJK name": "字".encode(),
    "CJK string": '"名字名字名字名字名字" '.encode(),
    "CJK comment": "#名字名字名字名字\n".encode(),
    "invalid UTF-8": b"\xff",
    "invalid UTF-8 in strings": b'"\xe5\x90\xff\xc3" ',
    "invalid UTF-8 in comments": b"#\xe5\x90\xff\xc3\n",
}


def main() -> int:
    """Time each text and print a line for it; return 1 if one takes over ten times as long."""
    options = argparse.ArgumentParser(description="Time on hostile input, beside real files.")
    options.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    options.add_argument("--parser", choices=["native", "python"], default="native")
    options.add_argument("--size", type=float, default=10, help="of each text, in MB")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()

    module = "ck3parse.parser.native" if given.parser == "native" else "ck3parse.parser.reference"
    parse: Callable[..., ParseOutcome] = importlib.import_module(module).parse_bytes
    size = int(given.size * MEGA)
    real = seconds_a_byte(partial(parse, joined(given.paths, parse, size), ""), size, given.rounds)
    print(f"{'real files':26} {real * 1e9:8.2f} ns a byte")

    worst = 0.0
    for title, text in texts(size):
        whole = seconds_a_byte(partial(parse, text, ""), len(text), given.rounds)
        half_text = text[: len(text) // 2]
        half = seconds_a_byte(partial(parse, half_text, ""), len(half_text), given.rounds)
        worst = max(worst, whole / real)
        print(
            f"{title:26} {whole * 1e9:8.2f} ns a byte {whole / real:6.2f} x real files"
            f" {whole / half:6.2f} x half the size"
        )

    nested = b"a={" * DEPTH + b"}" * DEPTH
    started = time.process_time()
    outcome = parse(nested, "", max_depth=DEPTH)
    elapsed = time.process_time() - started
    print(f"{DEPTH:,} nested braces: {elapsed:.2f} s, {outcome.node_count:,} nodes")
    return 0 if worst <= 10 and outcome.success else 1


def texts(size: int) -> Iterator[tuple[str, bytes]]:
    """Yield each hostile text with its title."""
    for title, piece in HOSTILE.items():
        yield title, piece * (size // len(piece))


def joined(paths: list[Path], parse: Callable[..., ParseOutcome], size: int) -> bytes:
    """Return a text of that size of the real files that parse."""
    contents: list[bytes] = []
    for path in (found for folder in paths for found in sorted(folder.rglob("*.txt"))):
        if path.is_file() and parse(data := path.read_bytes(), "").success:
            contents.append(data.removeprefix(b"\xef\xbb\xbf") + b"\n")
            if sum(map(len, contents)) >= size:
                break
    return b"".join(contents)


def seconds_a_byte(parse: Callable[[], ParseOutcome], size: int, rounds: int) -> float:
    """Return the median processor time of some rounds, by the byte."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        parse()
        times.append(time.process_time() - started)
    return statistics.median(times) / size


if __name__ == "__main__":
    sys.exit(main())
