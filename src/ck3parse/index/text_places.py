"""The places of a localization file where a key is defined, or named by another text."""

from collections.abc import Iterator

from ck3parse.index.file_text import column_of
from ck3parse.localization import parse


def text_places(data: bytes, key: str) -> Iterator[tuple[int, int, int, int, str]]:
    """Yield the places of a key: start, end, line and column, and `key` or `text` for its role.

    Args:
        data: the content of the file.
        key: the key.
    """
    for entry in parse(data, parts=True).entries:
        if entry.key == key:
            start = entry.key_start
            yield start, entry.key_end, entry.line, column_of(data, start), "key"
        for part in entry.parts:
            if part.kind == "key" and part.value == key:
                yield part.start, part.end, entry.line, column_of(data, part.start), "text"
