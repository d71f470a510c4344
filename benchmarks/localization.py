"""The speed of the parsers of localization files: `python benchmarks/localization.py [--mb 50]`.

Makes files from the grammar, in nine languages, with the share of keys, chains, formats and icons
that the texts of a large mod have. Then it times each available parser on one core, in turns, from
the bytes of a file to the JSON of its entries, without and with the parts of texts. The last lines
add typed entries. Times are processor time: the best and the median of the rounds.
"""

import argparse
import importlib
import platform
import random
import statistics
import time
from collections.abc import Callable
from functools import partial

import msgspec

from ck3parse.localization import LANGUAGES, Entry
from ck3parse.localization.scan import MAX_FAULTS, Scan

MEGA = 1_000_000
PARSERS = {
    "python": "ck3parse.localization.reference",
    "native": "ck3parse.localization.native",
}
WORDS = {
    "russian": "в соль на дороге король он её был ярмарка",
    "korean": "소금 길 왕 그는 시장 에서 걸었다 축제",
    "japanese": "塩 の 道 王 は 市場 で 歩いた 祭り 、",
    "simp_chinese": "盐 的 路 国王 在 市场 走过 节日 。",
    "french": "le sel à la route roi était où marché",
    "german": "das Salz über die Straße König für Markt",
    "polish": "sól na drodze król był żeby miał się",
}
ENGLISH = "the salt has walked roads from a king who was at fair and of"
PARTS = (
    "[ROOT.Char.GetFirstName]",
    "[county|E]",
    "[GetTrait('brave').GetName( ROOT.Char )|U]",
    "$other_key$",
    "$VALUE|=+0$",
    "#bold word#!",
    "#weak some words#!",
    "@gold_icon! 5",
    "\\n\\n",
    '\\"salt\\"',
)


def made(language: str, rng: random.Random, size: int) -> bytes:
    """Return the content of a file."""
    words = WORDS.get(language, ENGLISH).split()
    names = ENGLISH.split()
    lines = [f"\ufeffl_{language}:"]
    length = 0
    while length < size:
        count = int(rng.choice((2, 3, 3, 4, 12, 25, 60)))
        text = " ".join(
            rng.choice(PARTS) if rng.random() < 0.12 else rng.choice(words) for _ in range(count)
        )
        key = f"salt_{rng.choice(names)}.{rng.randrange(10_000):04}.{rng.choice('tdab')}"
        lines.append(f' {key}:{rng.choice(("", "0", "1"))} "{text}"')
        if rng.random() < 0.05:
            lines += ["", f" # {rng.choice(names)}"]
        length += len(lines[-1].encode())
    return "\n".join(lines).encode()


def main() -> None:
    """Time the parsers and print one line for each."""
    options = argparse.ArgumentParser(description="Measure the speed on localization files.")
    options.add_argument("--mb", type=int, default=50, help="megabytes to make")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()

    rng = random.Random(24)
    languages = LANGUAGES[:9]
    sizes = [rng.choice((2_000, 20_000, 60_000, 400_000)) for _ in range(given.mb * 9)]
    files: list[bytes] = []
    total = 0
    while total < given.mb * MEGA:
        files.append(made(languages[len(files) % 9], rng, sizes[len(files) % len(sizes)]))
        total += len(files[-1])
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    print(f"{len(files)} files, {total / MEGA:.1f} MB, nine languages, {given.rounds} rounds")

    scans = {name: scan for name, module in PARSERS.items() if (scan := scanner(module))}
    decode = msgspec.json.Decoder(list[Entry]).decode
    work: dict[str, Callable[[bytes], object]] = {}
    for name, scan in scans.items():
        plain = partial(scan, parts=False, max_faults=MAX_FAULTS)
        parts = partial(scan, parts=True, max_faults=MAX_FAULTS)
        work[name] = plain
        work[f"{name}, parts"] = parts
        work[f"{name}, typed"] = partial(typed, plain, decode)
    entries = sum(next(iter(scans.values()))(f, parts=False, max_faults=1)[1] for f in files)
    print(f"{entries:,} entries")
    for label, run in work.items():
        rounds = 1 if label.startswith("python") else given.rounds
        times = []
        for _ in range(rounds):
            started = time.process_time()
            for data in files:
                run(data)
            times.append(time.process_time() - started)
        best, median = min(times), statistics.median(times)
        print(f"{label:15} {total / best / MEGA:8.1f} MB/s (median {total / median / MEGA:.1f})")


def typed(
    scan: Callable[[bytes], Scan], decode: Callable[[bytes], list[Entry]], data: bytes
) -> list[Entry]:
    return decode(scan(data).entries_json)


def scanner(module: str) -> Callable[..., Scan] | None:
    """Return a module's `scan`, or `None` if it was not built."""
    try:
        scan: Callable[..., Scan] = importlib.import_module(module).scan
    except ModuleNotFoundError as error:
        if error.name != "ck3parse.parser._native":
            raise
        return None
    return scan


if __name__ == "__main__":
    main()
