"""Dialects: how each contract spells the tokens of its scripts."""

import msgspec


class Dialect(msgspec.Struct, frozen=True, eq=False):
    """How a contract spells its tokens.

    A parser passes it to the code that reads characters. The dialects are defined in
    `grammar.toml`; two are equal only if they are the same object.

    Attributes:
        version: the version that results are stored under.
        blanks: the characters that separate tokens, beside line ends.
        comment: the character that starts a comment.
        quotes: the characters that start a string, and end one that they started.
        escapes: what a backslash and a letter stand for in a string.
        name_start: the characters that can start an identifier, beside letters.
        name_part: the characters that can be in an identifier, beside letters and digits.
        param_stops: the characters that end a parameter without a closing `$`.
    """

    version: str
    blanks: str
    comment: str
    quotes: str
    escapes: dict[str, str]
    name_start: str
    name_part: str
    param_stops: str


class WordDialect(msgspec.Struct, frozen=True, eq=False):
    """How a contract spells its tokens that splits a text into words, and then classifies these.

    Attributes:
        version: the version that results are stored under.
        comment: the character that starts a comment.
        quote: the character that starts and ends a string.
        word_stops: the characters that end a word, beside white space and control characters.
        word_signs: the usual characters of a word, beside letters and digits.
        spaces: the white space outside ASCII.
        tags: the words that are the tag of a block on another line, too.
        windows_1252: the folders whose files are Windows-1252 unless they are UTF-8.
    """

    version: str
    comment: str
    quote: str
    word_stops: str
    word_signs: str
    spaces: str
    tags: list[str]
    windows_1252: list[str]
