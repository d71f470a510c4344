"""The SARIF 2.1.0 output format, which GitHub and many editors read."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from ck3parse import __version__
from ck3parse.lint.duplicates import Related
from ck3parse.lint.rules import RULES, rule_of
from ck3parse.lint.rules.rule import Rule
from ck3parse.messages import Diagnostic

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Result(NamedTuple):
    """A finding.

    Attributes:
        path: the path of its file, with `/` as separator.
        diagnostic: what was found.
        related: another place that it is about, after the path of that.
        fixable: whether `--fix` mends it.
    """

    path: str
    diagnostic: Diagnostic
    related: tuple[str, Related] | None
    fixable: bool


def sarif(results: Sequence[Result]) -> str:
    """Return the SARIF log of a check."""
    others = {each.diagnostic.code for each in results} - RULES.keys()
    return sarif_log(
        [_descriptor(rule) for rule in (*RULES.values(), *map(rule_of, sorted(others)))],
        [
            {
                "ruleId": each.diagnostic.code,
                "level": each.diagnostic.severity,
                "message": {"text": each.diagnostic.message},
                "locations": [sarif_location(each.path, _region(each.diagnostic))],
                **_fixes(each.path, each.diagnostic),
                **_related_locations(each.related),
                "properties": {"fixable": each.fixable},
            }
            for each in results
        ],
    )


def sarif_log(rules: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> str:
    """Return a SARIF log.

    Args:
        rules: the `reportingDescriptor` of each rule.
        results: the `result` objects, without the indices of their rules.
    """
    indices = {rule["id"]: index for index, rule in enumerate(rules)}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "ck3parse", "version": __version__, "rules": rules},
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": result["ruleId"],
                        "ruleIndex": indices[result["ruleId"]],
                        **result,
                    }
                    for result in results
                ],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(log)).decode() + "\n"


def sarif_location(path: str, region: dict[str, int] | None = None) -> dict[str, Any]:
    """Return a `location` object.

    Args:
        path: the path of the file, with `/` as separator.
        region: the `region` object; the whole file without one.
    """
    uri = quote(path) if not path.startswith("/") else "file://" + quote(path)
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if region:
        physical["region"] = region
    return {"physicalLocation": physical}


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


def _region(diagnostic: Diagnostic) -> dict[str, int]:
    return {
        "startLine": diagnostic.line,
        "startColumn": diagnostic.column,
        "endLine": diagnostic.end_line,
        "endColumn": diagnostic.end_column,
    }


def _fixes(path: str, diagnostic: Diagnostic) -> dict[str, Any]:
    rule = rule_of(diagnostic.code)
    if rule.replacement is None:
        return {}
    change = {
        "artifactLocation": sarif_location(path)["physicalLocation"]["artifactLocation"],
        "replacements": [
            {"deletedRegion": _region(diagnostic), "insertedContent": {"text": rule.replacement}}
        ],
    }
    return {"fixes": [{"description": {"text": rule.help}, "artifactChanges": [change]}]}


def _related_locations(related: tuple[str, Related] | None) -> dict[str, Any]:
    if related is None:
        return {}
    path, (_, line, column) = related
    location = sarif_location(path, {"startLine": line, "startColumn": column})
    return {"relatedLocations": [{"message": {"text": "the other definition"}, **location}]}
