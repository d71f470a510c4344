"""The JSON of nodes, piece by piece. All texts are UTF-8, each byte as one character."""

from json.encoder import encode_basestring as quoted

from ck3parse.parser.ck3.words import Word
from ck3parse.parser.grammar_tables import VALUE_TYPES, ValueType


def key_members(text: str, word: Word) -> str:
    """Return the members of a key up to its span.

    Args:
        text: its text.
        word: what it is.
    """
    value_type = VALUE_TYPES[word.kind]
    kind = "" if value_type == ValueType.IDENTIFIER else f'"key_kind":"{value_type}",'
    params = f'"key_params":{_listed(word.params)},' if word.params else ""
    return f'"key":{quoted(text)},{kind}{params}"key_span":['


def value_members(text: str, word: Word) -> str:
    """Return the members of a value: its text, kind and parameters.

    Args:
        text: its text.
        word: what it is.
    """
    params = f',"params":{_listed(word.params)}' if word.params else ""
    return f'"value":{quoted(text)},"kind":"{VALUE_TYPES[word.kind]}"{params}'


def _listed(texts: tuple[str, ...]) -> str:
    return f"[{','.join(map(quoted, texts))}]"
