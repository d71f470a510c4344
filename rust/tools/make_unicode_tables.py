"""Write both parsers' tables of letters, digits and alphanumerics.

`str.isalpha`, `str.isdigit` and `str.isalnum` depend on the Unicode version of the Python that runs
them. The parsers must not, so both use tables of one pinned version.

    python3.11 rust/tools/make_unicode_tables.py

It needs a Python with that Unicode version, such as 3.11, and writes
`src/ck3parse/parser/unicode_tables.py` and `rust/core/src/unicode_tables.rs`. A unit test fails
while these are out of date.
"""

import sys
import textwrap
import unicodedata
from collections.abc import Callable
from pathlib import Path

PINNED = "14.0.0"
ROOT = Path(__file__).resolve().parents[2]
PYTHON_TABLE = ROOT / "src/ck3parse/parser/unicode_tables.py"
RUST_TABLE = ROOT / "rust/core/src/unicode_tables.rs"

OTHER, ALPHA, DIGIT, NUMERIC = range(4)

PYTHON_TEMPLATE = '''\
"""Which characters outside ASCII are letters, digits and alphanumerics, whatever Python runs this.

Written by `rust/tools/make_unicode_tables.py`, with the native parser's table, from Unicode
{version}: what `str.isalpha`, `str.isdigit` and `str.isalnum` say in a Python of that version.
"""

UNICODE_VERSION = "{version}"
"""The Unicode version both parsers classify characters by."""


def _ranges(text: str) -> tuple[tuple[int, int], ...]:
    pairs = (item.partition("-") for item in text.split())
    return tuple((int(first, 16), int(last or first, 16)) for first, _, last in pairs)


ALPHA_RANGES = _ranges(
    """
{alpha}
    """
)
"""Letters, as inclusive pairs of code points in ascending order."""

DIGIT_RANGES = _ranges(
    """
{digit}
    """
)
"""Digits, as inclusive pairs of code points in ascending order."""

ALNUM_RANGES = _ranges(
    """
{alnum}
    """
)
"""Letters, digits and other numerics, as inclusive pairs of code points in ascending order."""

DECIMAL_RANGES = _ranges(
    """
{decimal}
    """
)
"""Digits of decimal numbers, as inclusive pairs of code points in ascending order."""
'''

RUST_TEMPLATE = """\
//! Written by `rust/tools/make_unicode_tables.py`, with the reference parser's table, from Unicode
//! {version}. A page is 256 code points of two bits each: 0 other, 1 letter, 2 digit, 3 numeric.

/// The Unicode version both parsers classify characters by.
pub const UNICODE_VERSION: &str = "{version}";

/// Which of `PAGES` holds a code point, by its bits above the lowest eight.
#[rustfmt::skip]
pub(crate) static PAGE_OF: [u8; {blocks}] = [
{index}
];

/// The classes, 32 code points a word, the first in the lowest bits.
#[rustfmt::skip]
pub(crate) static PAGES: [[u64; 8]; {count}] = [
{pages}
];

/// The digits of decimal numbers, as inclusive pairs of code points in ascending order.
#[rustfmt::skip]
pub(crate) static DECIMALS: [(u32, u32); {decimal_count}] = [
{decimals}
];
"""


def pairs(test: Callable[[str], bool]) -> list[list[int]]:
    """Return the non-ASCII characters that pass a test, as inclusive pairs of code points."""
    found: list[list[int]] = []
    for code in range(0x80, sys.maxunicode + 1):
        if test(chr(code)):
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return found


def ranges(test: Callable[[str], bool]) -> str:
    """Return the non-ASCII characters that pass a test, as hexadecimal ranges."""
    words = (f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in pairs(test))
    return textwrap.fill(" ".join(words), 96, break_on_hyphens=False)


def class_of(code: int) -> int:
    """Return the class of a code point; no character is in two."""
    character = chr(code)
    if character.isalpha():
        if character.isdigit():
            raise ValueError(f"U+{code:04X} is a letter and a digit")
        return ALPHA
    if character.isdigit():
        return DIGIT
    return NUMERIC if character.isalnum() else OTHER


def rust_table() -> str:
    """Return the two-level table as a Rust module."""
    pages: list[tuple[int, ...]] = [(0,) * 8]
    index: list[int] = []
    for block in range((sys.maxunicode + 1) // 256):
        words = [0] * 8
        for offset in range(256):
            words[offset // 32] |= class_of(block * 256 + offset) << (offset % 32 * 2)
        page = tuple(words)
        if page not in pages:
            pages.append(page)
        index.append(pages.index(page))
    while index[-1] == 0:
        index.pop()
    decimals = pairs(str.isdecimal)
    lines = ("    [" + ", ".join(f"0x{word:x}" for word in page) + "]," for page in pages)
    return RUST_TEMPLATE.format(
        version=PINNED,
        blocks=len(index),
        index=textwrap.indent(textwrap.fill(", ".join(map(str, index)) + ",", 96), "    "),
        count=len(pages),
        pages="\n".join(lines),
        decimal_count=len(decimals),
        decimals=textwrap.indent(
            textwrap.fill(", ".join(f"(0x{a:x}, 0x{b:x})" for a, b in decimals) + ",", 96), "    "
        ),
    )


def tables() -> dict[Path, str]:
    """Return the content of each file that this script writes."""
    python_table = PYTHON_TEMPLATE.format(
        version=PINNED,
        alpha=ranges(str.isalpha),
        digit=ranges(str.isdigit),
        alnum=ranges(str.isalnum),
        decimal=ranges(str.isdecimal),
    )
    return {PYTHON_TABLE: python_table, RUST_TABLE: rust_table()}


def main() -> None:
    """Write both tables."""
    if unicodedata.unidata_version != PINNED:
        raise SystemExit(f"this Python has Unicode {unicodedata.unidata_version}, not {PINNED}")
    for path, text in tables().items():
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
