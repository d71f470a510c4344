"""Time on hostile input: `python benchmarks/hostile.py PATH... [--parser native] [--size 10]`.

Joins the `*.txt` files below the paths up to the size in MB, and compares the processor time per
byte of each hostile text with theirs: in the parser, or with `--check` in `check` and its report.
The last column has the same text at half the size, and shows whether time grows faster than the
input.
"""

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from ck3parse.config import Settings
from ck3parse.lint.checker import Check
from ck3parse.lint.formats import FORMATS
from ck3parse.lint.rules import RULES
from ck3parse.messages import DEFAULT_DIALECT
from ck3parse.parser import ParseOutcome, Parser

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

HOSTILE_TO_CK3 = {
    "unclosed blocks": b"a={\n",
    "unclosed blocks, indented": b"\ta = {\n b = 1\n",
    "stray braces": b"\n } ",
    "expressions, a line each": b"@[ a\n",
    "expressions before braces": b"@[ {",
    "expressions before braces, a line each": b"@[ }\n@[",
    "unclosed strings": b'"a\n}\n',
    "operators": b"= =>",
    "no value": b"a =\n",
    "directives": b"@:insert ",
    "parameters": b"a$b",
    "unusual characters": b"(a ",
    "no-break spaces": b"a\xc2\xa0",
    "CR": b"a\r",
    "comment with CR": b"#\r",
    "Windows-1252": b"\xe9 ",
}

HOSTILE_TO_CHECK = {
    "operators": b"= < > <= >= != == ?= ",
    "=": b"=",
    "==": b"== ",
    "== {": b"== { ",
    "{ a {": b"{ a { ",
    "# { a {": b"#{ a { ",
    "a b": b"a b ",
    "a b, a line each": b"= a\nb c\nd = 1\n",
    "blanks": b" \t",
    "mixed indentation": b" \ta\n",
    "comments": b"#\n",
    "ignore": b"# ck3parse: ignore[E003]",
    "ignore, a line each": b"= = # ck3parse: ignore[E003]\n",
    "nearly ignore": b"#ck3parse:  ",
    "NUL": b"\0",
    "\\": b"\\\n",
    "a={ b": b"a={ b\n",
    "one key": b"a = 1 ",
}


def main() -> int:
    """Time each text and print a line for it.

    Returns:
        1 if the parser takes over ten times as long for one as for real files, or `check` twice as
        long for a byte of one as at half the size; else 0.
    """
    options = argparse.ArgumentParser(description="Compare times on hostile and real files.")
    options.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    options.add_argument("--parser", choices=["native", "python"], default="native")
    options.add_argument("--dialect", choices=["ck3raven", "ck3"], default="ck3raven")
    options.add_argument("--size", type=float, default=10, help="size of each text in MB")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--check", action="store_true", help="time check instead of the parser")
    given = options.parse_args()

    module = "ck3parse.parser.native" if given.parser == "native" else "ck3parse.parser.reference"
    parse_strictly: Callable[..., ParseOutcome] = importlib.import_module(module).parse_bytes
    parse: Callable[..., ParseOutcome] = partial(parse_strictly, dialect=given.dialect)
    hostile = HOSTILE | (HOSTILE_TO_CK3 if given.dialect == "ck3" else {})
    if given.check:
        parse = partial(check, parse_strictly)
        hostile = HOSTILE | HOSTILE_TO_CHECK
    size = int(given.size * MEGA)
    sound = joined(given.paths, parse_strictly, size)
    real = seconds_a_byte(partial(parse, sound, ""), size, given.rounds)
    print(f"{'real files':26} {real * 1e9:8.2f} ns a byte")

    worst = steepest = 0.0
    for title, text in texts(hostile, size):
        whole = seconds_a_byte(partial(parse, text, ""), len(text), given.rounds)
        half_text = text[: len(text) // 2]
        half = seconds_a_byte(partial(parse, half_text, ""), len(half_text), given.rounds)
        worst = max(worst, whole / real)
        steepest = max(steepest, whole / half)
        print(
            f"{title:26} {whole * 1e9:8.2f} ns a byte {whole / real:6.2f} x real files"
            f" {whole / half:6.2f} x half the size"
        )

    if given.check:
        return 0 if steepest < 2 else 1
    nested = b"a={" * DEPTH + b"}" * DEPTH
    started = time.process_time()
    outcome = parse(nested, "", max_depth=DEPTH)
    elapsed = time.process_time() - started
    print(f"{DEPTH:,} nested braces: {elapsed:.2f} s, {outcome.node_count:,} nodes")
    return 0 if worst <= 10 and outcome.success else 1


def check(parse: Callable[..., ParseOutcome], data: bytes, name: str) -> ParseOutcome:
    """Check some content with every code, and format the report with its excerpts."""
    checker = Check(Settings(), Parser("", {DEFAULT_DIALECT: ""}, parse, parse), frozenset(RULES))
    found = checker.check_bytes(data, name)
    FORMATS["text"]([found], lambda _: data)
    return ParseOutcome(not found.diagnostics)


def texts(hostile: dict[str, bytes], size: int) -> Iterator[tuple[str, bytes]]:
    """Yield each hostile text with its title."""
    for title, piece in hostile.items():
        yield title, piece * (size // len(piece))


def joined(paths: list[Path], parse: Callable[..., ParseOutcome], size: int) -> bytes:
    """Return a text of a given size made of the real files that parse."""
    contents: list[bytes] = []
    for path in (found for folder in paths for found in sorted(folder.rglob("*.txt"))):
        if path.is_file() and parse(data := path.read_bytes(), "").success:
            contents.append(data.removeprefix(b"\xef\xbb\xbf") + b"\n")
            if sum(map(len, contents)) >= size:
                break
    return b"".join(contents)


def seconds_a_byte(parse: Callable[[], ParseOutcome], size: int, rounds: int) -> float:
    """Return the median processor time per byte over some rounds."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        parse()
        times.append(time.process_time() - started)
    return statistics.median(times) / size


if __name__ == "__main__":
    sys.exit(main())
