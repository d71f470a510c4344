"""The project's regular expressions work in every supported Python, in linear time."""

import ast
import importlib
import pkgutil
import re
import re._constants as op  # type: ignore[import-not-found]
import re._parser as sre  # type: ignore[import-not-found]
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ck3parse
from ck3parse.parser.grammar_tables import CK3RAVEN
from ck3parse.parser.token_patterns import patterns_of, string_patterns

FOLDER = Path(ck3parse.__file__).parent
CHARACTERS = {op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY}


def is_safe(items: Any) -> bool:
    """Return whether CPython before 3.11.5 matches a parsed expression correctly.

    It does not go back to where a try of a possessively repeated group began, if that try fails. It
    has not gone anywhere yet while it looks at single characters, and if what follows them cannot
    fail, no try fails later. An atomic group is of no more use than such a repeat.
    """
    for code, given in items:
        if code is op.ATOMIC_GROUP:
            return False
        if code is op.POSSESSIVE_REPEAT and not fails_at_once(given[2]):
            return False
        if not all(map(is_safe, parts_of(given))):
            return False
    return True


def fails_at_once(items: Any) -> bool:
    """Return whether an expression is single characters, followed only by parts that never fail."""
    rest = list(items)
    while rest and rest[0][0] in CHARACTERS:
        rest.pop(0)
    return len(rest) < len(items) and all(never_fails(code, given) for code, given in rest)


def never_fails(code: Any, given: Any) -> bool:
    return code is op.POSSESSIVE_REPEAT and given[0] == 0 and fails_at_once(given[2])


def parts_of(given: Any) -> Iterator[Any]:
    """Yield the expressions in the argument of an item of an expression."""
    if isinstance(given, sre.SubPattern):
        yield given
    elif isinstance(given, (list, tuple)):
        for part in given:
            yield from parts_of(part)


def compiled(value: object) -> Iterator[re.Pattern[Any]]:
    """Yield the expressions in a global variable."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from compiled(part)


def patterns() -> dict[str, str | bytes]:
    """Return all expressions of the project by their places."""
    found: dict[str, str | bytes] = {}
    for is_ascii in (True, False):
        for name, pattern in patterns_of(CK3RAVEN, is_ascii)._asdict().items():
            found[f"patterns_of({is_ascii}).{name}"] = verbose(pattern)
    for quote, expressions in string_patterns(CK3RAVEN).items():
        for name, pattern in expressions._asdict().items():
            found[f"string_patterns.{name} {quote}"] = verbose(pattern)
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                # Those that are put together are found among the globals.
                case ast.Call(
                    ast.Attribute(ast.Name("re")), [ast.Constant(str() | bytes() as text), *_]
                ):
                    found[f"{path.name}:{node.lineno}"] = text
    for module in pkgutil.walk_packages([str(FOLDER)], "ck3parse."):
        # The native parser has none, and may not be there.
        if module.name.rpartition(".")[2] not in ("__main__", "_native", "native"):
            for name, value in vars(importlib.import_module(module.name)).items():
                for number, pattern in enumerate(compiled(value)):
                    found[f"{module.name}.{name} {number}"] = verbose(pattern)
    return found


def verbose(pattern: re.Pattern[Any]) -> Any:
    return "(?x)" + pattern.pattern if pattern.flags & re.VERBOSE else pattern.pattern


PATTERNS = patterns()


@pytest.mark.parametrize("where", PATTERNS)
def test_no_expression_depends_on_what_an_old_python_gets_wrong(where: str) -> None:
    """Issue 19, line 0."""
    assert is_safe(sre.parse(PATTERNS[where]))


def test_all_expressions_are_looked_at() -> None:
    assert {
        "ck3parse.lint.rules.script._TOKENS 0",
        'string_patterns.rest "',
    } <= (PATTERNS.keys())
    assert sum(where.startswith("patterns_of") for where in PATTERNS) == 6


@pytest.mark.parametrize(
    "risky",
    [r"(?>ab?)", r"(?:-?+[0-9]++ )++", r"(?:ab?c)*+", r"(?:(?!b).)++", r"x(?:a|bc)?+", r"((a)b)++"],
)
def test_what_an_old_python_gets_wrong_is_found(risky: str) -> None:
    assert not is_safe(sre.parse(risky))
