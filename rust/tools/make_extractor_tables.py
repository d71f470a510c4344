"""Write the native parser's tables of the extractors `qbuilder/1` and `ck3/1`.

    python rust/tools/make_extractor_tables.py

It reads `qbuilder.toml` and `ck3.toml` in `src/ck3parse/extractors/`, as Python's extractors do,
and writes `qbuilder_tables.rs` and `index_tables.rs` in `rust/core/src/`. A unit test fails while
these are out of date.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src/ck3parse/extractors/qbuilder.toml"
TABLES = ROOT / "rust/core/src/qbuilder_tables.rs"
INDEX_SOURCE = SOURCE.with_name("ck3.toml")
INDEX_TABLES = TABLES.with_name("index_tables.rs")

TEMPLATE = """\
//! The rules of the extractor `qbuilder/1`. The types of files are not here: Python finds them.
//!
//! Written by `rust/tools/make_extractor_tables.py` from `src/ck3parse/extractors/qbuilder.toml`.

use crate::qbuilder::Reference;

/// The type of files with faiths, the block that contains them, and their type.
pub(crate) const FAITHS_FILE: &str = {faiths_file};
pub(crate) const FAITHS_CONTAINER: &str = {faiths_container};
pub(crate) const FAITH: &str = {faith};

/// The type of files with titles in titles, their type, and how many levels of them count.
pub(crate) const TITLES_FILE: &str = {titles_file};
pub(crate) const TITLE: &str = {title};
pub(crate) const TITLE_LEVELS: usize = {title_levels};

/// Names that are no symbols, sorted.
#[rustfmt::skip]
pub(crate) static NO_NAMES: [&str; {name_count}] = [
{names}
];

/// The keys that make references, sorted.
#[rustfmt::skip]
pub(crate) static REFERENCES: [Reference; {reference_count}] = [
{references}
];

const fn reference(key: &'static str, row_type: &'static str, params: bool) -> Reference {{
    Reference {{
        key,
        row_type,
        params,
    }}
}}
"""

INDEX_TEMPLATE = """\
//! How the extractor `ck3/1` finds definitions. Python finds the rule of a file.
//!
//! Written by `rust/tools/make_extractor_tables.py` from `src/ck3parse/extractors/ck3.toml`.

use crate::index::{{Declared, Finder, Nested}};

/// The tables `find`, by name.
#[rustfmt::skip]
pub(crate) static FINDERS: [(&str, Finder); {count}] = [
{finders}
];
"""

NESTED = {
    "depth": 0,
    "containers": [],
    "names": [],
    "prefixes": [],
    "not_names": [],
    "kind": "",
    "joined": False,
    "values": False,
}
DECLARED = {"word": "", "kind": "", "depth": 0, "list": False}


def quoted(text: str) -> str:
    """Return a string literal.

    Raises:
        ValueError: the AST's JSON escapes a character of it, so that Rust would never find it.
    """
    literal = json.dumps(text)
    if literal != f'"{text}"':
        raise ValueError(f"{text!r} has a character that JSON escapes")
    return literal


def tables() -> dict[Path, str]:
    """Return the content of the file that this script writes."""
    rules = tomllib.loads(SOURCE.read_text("utf-8"))
    faiths, titles = rules["faiths"], rules["titles"]
    references = [
        (key, found, name == "script_references")
        for name in ("references", "script_references")
        for key, found in rules[name].items()
    ]
    text = TEMPLATE.format(
        faiths_file=quoted(faiths["file_type"]),
        faiths_container=quoted(faiths["container"]),
        faith=quoted(faiths["type"]),
        titles_file=quoted(titles["file_type"]),
        title=quoted(titles["type"]),
        title_levels=titles["levels"],
        name_count=len(rules["no_names"]),
        names="\n".join(f"    {quoted(name)}," for name in sorted(rules["no_names"])),
        reference_count=len(references),
        references="\n".join(
            f"    reference({quoted(key)}, {quoted(found)}, {str(params).lower()}),"
            for key, found, params in sorted(references)
        ),
    )
    finds = tomllib.loads(INDEX_SOURCE.read_text("utf-8"))["find"]
    index_text = INDEX_TEMPLATE.format(
        count=len(finds), finders="\n".join(finder(name, found) for name, found in finds.items())
    )
    return {TABLES: text, INDEX_TABLES: index_text}


def finder(name: str, found: dict[str, Any]) -> str:
    """Return a table `find` as a row of Rust's."""
    nested = "".join(
        f"            Nested {literal_fields(NESTED | each)},\n" for each in found.get("nested", [])
    )
    declared = "".join(
        f"            Declared {literal_fields(DECLARED | each)},\n"
        for each in found.get("declared", [])
    )
    fields = {
        "top": literal(found.get("top", False)),
        "not_names": literal(found.get("not_names", [])),
        "nested": f"&[\n{nested}        ]" if nested else "&[]",
        "chained": literal(found.get("chained", [])),
        "declared": f"&[\n{declared}        ]" if declared else "&[]",
        "named": literal(found.get("named", "")),
    }
    rows = "".join(f"        {key}: {value},\n" for key, value in fields.items())
    return f"    ({quoted(name)}, Finder {{\n{rows}    }}),"


def literal_fields(fields: dict[str, Any]) -> str:
    """Return the fields of a struct."""
    return "{ " + ", ".join(f"{key}: {literal(value)}" for key, value in fields.items()) + " }"


def literal(value: str | bool | int | list[str]) -> str:
    """Return a value in Rust."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"&[{', '.join(map(quoted, value))}]"
    return str(value).lower()


def main() -> None:
    """Write the file."""
    for path, text in tables().items():
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
