"""Write both parsers' tables of localization files.

    python rust/tools/make_localization_tables.py

It reads `src/ck3parse/localization/grammar.toml` and writes `src/ck3parse/localization/tables.py`
and `rust/core/src/localization_tables.rs`. A unit test fails while these are out of date.
"""

import json
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/ck3parse/localization/grammar.toml"
PYTHON_TABLES = ROOT / "src/ck3parse/localization/tables.py"
RUST_TABLES = ROOT / "rust/core/src/localization_tables.rs"

PYTHON_TEMPLATE = '''\
"""What both parsers of localization files must agree on, and the codes and messages of faults.

Written by `rust/tools/make_localization_tables.py` from `grammar.toml`, with the native parser's
tables.
"""
# ruff: noqa: E501

from enum import IntEnum
from typing import Literal

LANGUAGES = (
{languages}
)
"""The languages of the game."""

KEY_SIGNS = {key_signs}
"""What a key consists of besides letters and digits."""

BLANKS = (
{blanks}
)
"""White space inside a line, as inclusive pairs of code points in ascending order."""

NUMBER_DIGITS = {number_digits}
"""Numbers of more digits are not read."""


class FaultKind(IntEnum):
    """Kinds of faults."""

{kinds}


CODES: dict[int, str] = {{
{codes}
}}
"""The code of each kind."""

SEVERITIES: dict[int, Literal["error", "warning"]] = {{
{severities}
}}
"""The severity of each kind."""

MESSAGES: dict[int, str] = {{
{messages}
}}
"""The message of each kind, with `found` for the text at its place."""

TOO_MANY = {too_many}
"""The code of the diagnostic that counts those that are not shown."""

TOO_MANY_MESSAGE = {too_many_message}
"""Its message, with `more` for their number."""
'''

RUST_TEMPLATE = """\
//! What both parsers of localization files must agree on.
//!
//! Written by `rust/tools/make_localization_tables.py` from
//! `src/ck3parse/localization/grammar.toml`.

/// What a key consists of besides letters and digits.
pub(crate) const KEY_SIGNS: &[u8] = {key_signs};

/// White space inside a line, as inclusive pairs of code points in ascending order.
#[rustfmt::skip]
pub(crate) static BLANKS: [(u32, u32); {blank_count}] = [
{blanks}
];

/// Numbers of more digits are not read.
pub(crate) const NUMBER_DIGITS: usize = {number_digits};

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FaultKind {{
{kinds}
}}
"""


def tables() -> dict[Path, str]:
    """Return the content of each file that this script writes."""
    rules = tomllib.loads(SOURCE.read_text("utf-8"))
    faults, signs = rules["fault"], rules["key_signs"]

    def by_kind(field: str) -> str:
        return "\n".join(
            f"    FaultKind.{fault['name']}: {json.dumps(fault[field])}," for fault in faults
        )

    python = PYTHON_TEMPLATE.format(
        languages="\n".join(f"    {json.dumps(name)}," for name in rules["languages"]),
        key_signs=json.dumps(signs),
        blanks="\n".join(f"    (0x{first:X}, 0x{last:X})," for first, last in rules["blanks"]),
        number_digits=rules["number_digits"],
        kinds="\n".join(f"    {fault['name']} = {n}" for n, fault in enumerate(faults, 1)),
        codes=by_kind("code"),
        severities=by_kind("severity"),
        messages=by_kind("message"),
        too_many=json.dumps(rules["too_many"]["code"]),
        too_many_message=json.dumps(rules["too_many"]["message"]),
    )
    rust = RUST_TEMPLATE.format(
        key_signs="b" + json.dumps(signs),
        blank_count=len(rules["blanks"]),
        blanks="\n".join(f"    (0x{first:X}, 0x{last:X})," for first, last in rules["blanks"]),
        number_digits=rules["number_digits"],
        kinds="\n".join(
            f"    /// {fault['code']}.\n    {fault['name'].title().replace('_', '')} = {n},"
            for n, fault in enumerate(faults, 1)
        ),
    )
    return {PYTHON_TABLES: python, RUST_TABLES: rust}


def main() -> None:
    """Write the files."""
    for path, text in tables().items():
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
