"""Make a playset of any size: `python benchmarks/playset.py FOLDER [--files N] [--megabytes N]`.

File sizes follow those of real mods: quantiles of 4,300 files of nine public mods, without the
smallest, scaled to the requested mean. The content is made of pieces of this repository's example
mod with varying names and numbers. The same arguments make the same files.
"""

import argparse
import random
import re
import string
from bisect import bisect_right
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples" / "small_mod"
FILES = 92_000
MEGABYTES = 1_720
FILES_PER_FOLDER = 400

QUANTILES = [
    (0.0, 40), (0.1, 200), (0.3, 1_100), (0.5, 4_200), (0.7, 11_000), (0.8, 19_000), (0.9, 39_000),
    (0.95, 75_000), (0.99, 230_000), (0.995, 370_000), (0.999, 1_100_000), (1.0, 1_400_000),
]  # fmt: skip
"""Quantiles of file sizes: the share of files, and the size in bytes."""

_WORDS = re.compile(r"\b[a-z]+_[a-z_]+\b|\b[0-9]+\b")


def size_of(share: float) -> float:
    """Return the size in bytes at a quantile, unscaled."""
    at = min(bisect_right([share for share, _ in QUANTILES], share), len(QUANTILES) - 1)
    (low, small), (high, large) = QUANTILES[at - 1 : at + 1]
    return small + (large - small) * (share - low) / (high - low)


def pieces(source: random.Random, count: int) -> list[str]:
    """Return pieces of script, each of whole top-level elements with names of its own."""
    texts = [
        path.read_text("utf-8-sig")
        for path in sorted(EXAMPLES.rglob("*.txt"))
        if {"common", "events", "history"} & set(path.parts)
    ]

    def renamed(match: re.Match[str]) -> str:
        word = match[0]
        if word.isdigit():
            return str(source.randrange(10 ** len(word)))
        return f"{word}_{''.join(source.choices(string.ascii_lowercase, k=3))}"

    return [_WORDS.sub(renamed, source.choice(texts)) for _ in range(count)]


def make_playset(folder: Path, files: int, megabytes: float) -> None:
    """Write files into a folder.

    Args:
        folder: where to; it is made.
        files: how many.
        megabytes: of them together, in units of 10^6 bytes, roughly.
    """
    source = random.Random(1066)
    pool = pieces(source, 400)
    shares = [(number + 0.5) / files for number in range(files)]
    scale = megabytes * 1e6 / sum(map(size_of, shares))
    source.shuffle(shares)
    for number, share in enumerate(shares):
        if number % FILES_PER_FOLDER == 0:
            place = folder / f"mod_{number // 8_000:03}" / f"common_{number // FILES_PER_FOLDER:04}"
            place.mkdir(parents=True, exist_ok=True)
        wanted = size_of(share) * scale
        text = [f"playset_{number} = {{ number = {number} }}\n"]
        length = len(text[0])
        while length < wanted:
            piece = source.choice(pool)
            if len(piece) > wanted - length:  # whole lines only, closed by a block of their own
                left = int(wanted - length)
                piece = "filler = {\n" + "\tadd_gold = 10\n" * (left // 15) + "}\n"
            text.append(piece)
            length += len(piece)
        (place / f"file_{number:06}.txt").write_text("".join(text), encoding="utf-8")


def main() -> None:
    """Make a playset from the command line."""
    options = argparse.ArgumentParser(description="Make a playset of any size.")
    options.add_argument("folder", type=Path)
    options.add_argument("--files", type=int, default=FILES)
    options.add_argument("--megabytes", type=float, help="default: 18.7 KB per file")
    given = options.parse_args()
    megabytes = given.megabytes or given.files * MEGABYTES / FILES
    make_playset(given.folder, given.files, megabytes)
    print(f"{given.files:,} files in {given.folder}")


if __name__ == "__main__":
    main()
