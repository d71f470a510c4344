"""The SARIF 2.1.0 output format, which GitHub and many editors read."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from ck3parse import __version__
from ck3parse.check.rules import RULES
from ck3parse.check.rules.rule import Rule
from ck3parse.messages import Diagnostic

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(diagnostics: Sequence[tuple[str, Diagnostic]]) -> str:
    """Return the SARIF log of a check.

    Args:
        diagnostics: each with the path of its file, with `/` as separator.
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
                        "rules": [_descriptor(rule) for rule in RULES.values()],
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


def _descriptor(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.help},
        "defaultConfiguration": {
            "level": rule.severity,
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
