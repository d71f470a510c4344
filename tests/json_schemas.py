"""The JSON schemas of the commands, and what they describe."""

import json
from importlib.resources import files
from typing import Any

import jsonschema

SCHEMAS = {
    "run": "ck3parse.jobs:run.schema.json",
    "check": "ck3parse.lint:report.schema.json",
    **{
        name: f"ck3parse.cli:{name.replace(' ', '-')}.schema.json"
        for name in (
            "merge", "playset", "find", "uses", "conflicts", "diff", "loc stats", "loc missing",
            "serve", "qbuilder check", "qbuilder build", "status", "bench", "diagnose",
        )
    },
}  # fmt: skip
"""Package and file of the schema of each command with `--json`, but for `show`."""


def fits(command: str, text: str) -> Any:
    """Return the JSON in a text, which the schema of a command describes."""
    package, file = SCHEMAS[command].split(":")
    schema = json.loads(files(package).joinpath(file).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    value = json.loads(text)
    jsonschema.validate(value, schema)
    return value
