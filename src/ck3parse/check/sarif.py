"""Diagnostics as SARIF 2.1.0, which GitHub and many editors read."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from ck3parse import __version__
from ck3parse.check.rules import RULES
from ck3parse.messages import Diagnostic

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(diagnostics: Sequence[tuple[str, Diagnostic]]) -> str:
    """Return a log of one run.

    Args:
        diagnostics: each with its file's path, with `/`.
    """
    codes = list(RULES)
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "ck3parse",
                        "version": __version__,
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": diagnostic.code,
                        "ruleIndex": codes.index(diagnostic.code),
                        "level": diagnostic.severity,
                        "message": {"text": diagnostic.message},
                        "locations": [_location(path, diagnostic)],
                    }
                    for path, diagnostic in diagnostics
                ],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log)).decode() + "\n"


def _rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.help},
        "defaultConfiguration": {
            "level": "error" if code[4] == "E" else "warning",
            "enabled": rule.on,
        },
    }


def _location(path: str, diagnostic: Diagnostic) -> dict[str, Any]:
    uri = quote(path) if not path.startswith("/") else "file://" + quote(path)
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {
                "startLine": diagnostic.line,
                "startColumn": diagnostic.column,
                "endLine": diagnostic.end_line,
                "endColumn": diagnostic.end_column,
            },
        }
    }
