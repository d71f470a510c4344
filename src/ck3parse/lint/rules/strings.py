"""Rules about quotes that pair up wrongly, so that the parser finds nothing wrong."""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ck3parse.lint.rules.rule import Finding, Places, Rule, Source
from ck3parse.lint.rules.signs import Sign
from ck3parse.parser.ck3.tokens import Ck3Tokens

UNCLOSED_STRING = "CK3-E001"

_COMMENT_OR_STRING = re.compile(r"#[^\n]*|\"[^\"]*\"?")
_NO_WORD = frozenset(' \t\n{}=<>!?#;"\\')
_TEXT_AFTER_QUOTE = re.compile(r"\"[ \t]*[^ \t\n]")


class _Misplaced(NamedTuple):
    """Quotes in a wrong place: the offset of each, and what is wrong with it."""

    unclosed: Sequence[tuple[int, str]]
    inner: Sequence[tuple[int, str]]


def _unclosed_strings(source: Source) -> Iterator[Finding]:
    # With one unclosed string, the parser looks for more of them itself.
    if not any(each.code == UNCLOSED_STRING for each in source.outcome.diagnostics):
        yield from _findings(source.text, _misplaced(source.text).unclosed)


def _inner_quotes(source: Source) -> Iterator[Finding]:
    yield from _findings(source.text, _misplaced(source.text).inner)


def _findings(text: str, found: Sequence[tuple[int, str]]) -> Iterator[Finding]:
    places = Places(text)
    return (Finding(*places.of(offset), 1, message) for offset, message in found)


@functools.lru_cache(maxsize=1)
def _misplaced(text: str) -> _Misplaced:
    """Return the quotes that are in a wrong place in a text."""
    unclosed: list[tuple[int, str]] = []
    inner: list[tuple[int, str]] = []
    at = told_until = 0
    while match := _COMMENT_OR_STRING.search(text, at):
        start, at = match.span()
        if text[start] == "#":
            continue
        follows_word = start > 0 and text[start - 1] not in _NO_WORD
        is_closed = at > start + 1 and text[at - 1] == '"'
        if not is_closed or _runs_over_script(text, start, at):
            if follows_word:
                # It should end a string whose first quote is missing.
                unclosed.append((start, 'this " closes a string that no " opens'))
            else:
                unclosed.append((start, 'this " opens a string that is not closed on its line'))
            at = told_until = _line_end(text, start)
        elif start >= told_until:
            is_followed = at < len(text) and text[at] not in _NO_WORD and text[at - 2] != "\\"
            if is_followed or follows_word:
                quote = start if follows_word else at - 1
                message = 'this " starts a string' if follows_word else 'this " ends the string'
                inner.append((quote, f"{message} in the middle of a word"))
                told_until = _line_end(text, at)
    return _Misplaced(unclosed, inner)


def _runs_over_script(text: str, start: int, end: int) -> bool:
    """Return whether a string starts on a line with text and goes on over a line of script.

    Script that is passed as a string starts on the line after the quote.
    """
    return (
        text.find("\n", start, end) >= 0
        and _TEXT_AFTER_QUOTE.match(text, start) is not None
        and Ck3Tokens.SCRIPT_LINE.search(text, start, end) is not None
    )


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


RULES = (
    Rule(
        UNCLOSED_STRING,
        "error",
        "unclosed-string",
        help="add the missing quote",
        why="A quote opens a string that no quote closes on its line, and what follows looks like"
        " script. The game would read everything up to the next quote as part of the string.",
        bad='name = "The Feast\ndesc = "A feast"',
        good='name = "The Feast"\ndesc = "A feast"',
        find=_unclosed_strings,
        sign=Sign.QUOTE,
    ),
    Rule(
        "CK3-E014",
        "error",
        "quote-in-string",
        help="remove the inner quotes, or write ' instead",
        why="A quote stands right before or after a word. Script has no way to write a quote inside"
        " a string: the game ends the string there and reads what follows as other values.",
        bad='desc = "the "Old" man"',
        good="desc = \"the 'Old' man\"",
        find=_inner_quotes,
        sign=Sign.QUOTE,
    ),
)
