"""Compare a parser with recorded output: `python tests/contract/golden.py FOLDER`.

FOLDER holds `golden/` (what the contract expects) and `corpus/` (the files it expects it of), as
section 6 of the AST contract describes them.
"""

import argparse
import hashlib
import importlib
import json
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ck3parse.parser import ParseOutcome

SHOWN = 5


def main() -> int:
    """Compare, print the counts and the first differences; return 1 if there are any, else 0."""
    options = argparse.ArgumentParser(description="Compare a parser with recorded output.")
    options.add_argument("folder", type=Path, help="holds golden/ and corpus/")
    options.add_argument("--parser", choices=["python", "native"], default="python")
    given = options.parse_args()

    counts = {"file": 0, "snippet": 0}
    differences = []
    for case, difference in compare(given.folder, given.parser):
        counts[case] += 1
        if difference:
            differences.append(difference)
    for difference in differences[:SHOWN]:
        sys.stdout.write(f"{difference}\n")
    sys.stdout.write(
        f"{counts['file']} files, {counts['snippet']} snippets, {len(differences)} differences\n"
    )
    return 1 if differences or not all(counts.values()) else 0


def compare(folder: Path, parser: str) -> Iterator[tuple[str, str]]:
    """Yield `file` or `snippet`, and how it differs (`""` if it does not), for each case."""
    module = importlib.import_module(
        "ck3parse.parser.native" if parser == "native" else "ck3parse.parser.reference"
    )
    for recorded in sorted((folder / "golden").glob("*.jsonl")):
        for row in map(json.loads, recorded.read_bytes().splitlines()):
            path = folder / "corpus" / recorded.stem / row["path"]
            outcome = module.parse_bytes(path.read_bytes(), row["path"])
            yield "file", difference_of(outcome, row, str(path))
    with lzma.open(folder / "golden" / "fuzz.jsonl.xz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            outcome = module.parse_text(row["source"], "fuzz.txt")
            yield "snippet", difference_of(outcome, row, repr(row["source"]))


def difference_of(outcome: ParseOutcome, row: dict[str, Any], case: str) -> str:
    """Return how an outcome differs from a recorded row, or `""`."""
    ast = outcome.ast_json
    actual: dict[str, Any] = {
        "ok": outcome.success,
        "node_count": outcome.node_count,
        "ast_json": ast.decode() if ast is not None else None,
        "ast_bytes": len(ast) if ast is not None else None,
        "ast_sha256": hashlib.sha256(ast).hexdigest() if ast is not None else None,
        "error_type": outcome.error_type,
        "line": outcome.line,
        "column": outcome.column,
    }
    expected = {key: value for key, value in row.items() if key in actual}
    if row.get("unclosed_block"):
        # What recorded these has no place for them.
        expected = {"ok": False, "error_type": "ParseError"}
    wrong = {key: (value, actual[key]) for key, value in expected.items() if value != actual[key]}
    if not wrong:
        return ""
    shown = [f"  {key}: expected {want!r}, got {got!r}" for key, (want, got) in wrong.items()]
    return "\n".join([case, *shown, f"  error: {outcome.error}"])


if __name__ == "__main__":
    sys.exit(main())
