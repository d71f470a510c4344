"""What is wrong with one script file by its content: all that a worker process of `check` does."""

import hashlib
import itertools
from collections.abc import Sequence

import msgspec

from ck3parse.errors import ErrorType
from ck3parse.files.reading import CannotReadError, read_script
from ck3parse.lint.definitions import Definitions, definitions_in, names_of
from ck3parse.lint.rules import RULES
from ck3parse.lint.rules.prose import NOT_SCRIPT
from ck3parse.lint.rules.rule import MAX_FINDINGS, Finding, Place, Rule, Source
from ck3parse.lint.rules.signs import ANY, Sign, signs_of
from ck3parse.lint.rules.syntax import SYNTAX_ERROR
from ck3parse.lint.suppression import without_false, without_suppressed
from ck3parse.messages import Diagnostic, DialectName, ParseResult
from ck3parse.parser import ParseOutcome, Parser
from ck3parse.parser.outcome import fill_result

_ROOT_ALONE = b'{"_type":"root","encoding":"utf-8","children":[]}'
"""The tree of a file in which the parser finds nothing to report: no rule looks at its nodes."""


class Conditions(msgspec.Struct, frozen=True):
    """What the findings in a file depend on, apart from the file and its place.

    Attributes:
        dialect: how to read script.
        max_depth: how deep braces may nest.
        max_bytes: larger files are not read.
        codes: the codes of the rules that look for something.
        definitions: whether to find what files define.
    """

    dialect: DialectName
    max_depth: int
    max_bytes: int
    codes: list[str]
    definitions: bool


class FileOutcome(msgspec.Struct, array_like=True):
    """What was found in a file.

    Attributes:
        result: its diagnostics, whatever its place, or why it cannot be read.
        definitions: what it defines, or `None` if it was not looked for.
    """

    result: ParseResult
    definitions: Definitions | None = None


class FileCheck:
    """Checks one file after another.

    Args:
        conditions: what the findings depend on.
        parser: the parser to use.
    """

    def __init__(self, conditions: Conditions, parser: Parser) -> None:
        self._conditions = conditions
        self._parser = parser
        self._rules = [RULES[code] for code in conditions.codes]
        self._native = parser.name == "native"
        self._native_ck3 = self._native and conditions.dialect == "ck3"

    def of_path(self, path: str, place: Place) -> FileOutcome:
        """Return what is found in a file.

        Args:
            path: its path.
            place: where it is in its mod.
        """
        try:
            data = read_script(path, max_bytes=self._conditions.max_bytes)
        except CannotReadError as reason:
            return FileOutcome(
                ParseResult("", path, error=reason.message, error_type=reason.error_type)
            )
        return self.of_content(data, place)

    def of_content(self, data: bytes, place: Place) -> FileOutcome:
        """Return what is found in a content.

        Args:
            data: the content.
            place: where it is in its mod.
        """
        result = ParseResult(
            "", place.path, content_hash=hashlib.sha256(data).hexdigest(), size=len(data)
        )
        definitions = None
        if self._conditions.definitions:
            definitions = self._definitions(data, place)
        self._check(data, result)
        return FileOutcome(result, definitions)

    def definitions_of_path(self, path: str, place: Place) -> tuple[str, bytes] | None:
        """Return what a file defines.

        Args:
            path: its path.
            place: where it is in its mod.

        Returns:
            The SHA-256 of its content in hex, and what it defines, as `names` of `Definitions`;
            `None` if it cannot be read.
        """
        try:
            data = read_script(path, max_bytes=self._conditions.max_bytes)
        except CannotReadError:
            return None
        names = names_of(self._definitions(data, place))
        return hashlib.sha256(data).hexdigest(), names

    def _definitions(self, data: bytes, place: Place) -> Definitions | None:
        return definitions_in(
            data, place, native=self._native, max_depth=self._conditions.max_depth
        )

    def _check(self, data: bytes, result: ParseResult) -> None:
        outcome = self._parsed(data, result.path)
        source = Source(data, outcome)
        diagnostics = without_false(_errors(outcome), source)
        signs = signs_of(source.text, native=self._native_ck3)
        diagnostics += find_all(self._rules, source, signs)
        if any(each.code == NOT_SCRIPT for each in diagnostics):
            diagnostics = [each for each in diagnostics if each.code == NOT_SCRIPT]
        diagnostics = without_suppressed(diagnostics, source.text)
        fill_result(result, outcome, None)
        result.diagnostics = sorted(diagnostics, key=lambda each: (each.line, each.column))

    def _parsed(self, data: bytes, path: str) -> ParseOutcome:
        max_depth = self._conditions.max_depth
        if self._native_ck3:
            from ck3parse.parser.native import sound_ck3_nodes

            node_count = sound_ck3_nodes(data, path, max_depth=max_depth)
            if node_count is not None:
                return ParseOutcome(True, _ROOT_ALONE, node_count)
        dialect = self._conditions.dialect
        return self._parser.parse(data, path, mode="recover", max_depth=max_depth, dialect=dialect)


def find_all(rules: Sequence[Rule], source: Source, signs: Sign = ANY) -> list[Diagnostic]:
    """Return what some rules find in a file, wherever the file is.

    Args:
        rules: rules with a function.
        source: the file.
        signs: at least the signs that its text has.
    """
    return [
        _diagnostic(rule, finding)
        for rule in rules
        if rule.find and (rule.sign is None or rule.sign & signs)
        for finding in itertools.islice(rule.find(source), MAX_FINDINGS)
    ]


def _diagnostic(rule: Rule, finding: Finding) -> Diagnostic:
    line, column, length, message = finding
    return Diagnostic(line, column, line, column + length, rule.severity, rule.code, message)


def _errors(outcome: ParseOutcome) -> list[Diagnostic]:
    if outcome.success or outcome.diagnostics:
        return list(outcome.diagnostics)
    # A parser named by CK3PARSE_PARSER may not recover.
    line, column = outcome.line or 1, outcome.column or 1
    message = outcome.error or str(ErrorType.PARSE_ERROR)
    return [Diagnostic(line, column, line, column + 1, "error", SYNTAX_ERROR, message)]
