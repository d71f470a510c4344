"""qbuilder's rows of localization files, which its own build leaves out."""

import sqlite3

from ck3parse.localization import Entry, Part, parse

ENVELOPE = "E_LOC"
STEP = "ck3parse_localization"
"""The step that this module adds to the envelope of localization files."""

_REF_TYPES = {"chain": "scripted", "key": "variable", "icon": "icon"}


def insert_texts(content: str, file_id: int, cvid: int, db: sqlite3.Connection) -> None:
    """Write the rows of a localization file to `localization_entries` and `localization_refs`.

    Rows that the file has already are replaced. Of a key that comes twice with the same number, the
    first is kept, as the tables allow one.

    Args:
        content: the text of the file.
        file_id: its `file_id`.
        cvid: its `content_version_id`.
        db: qbuilder's database, in a transaction and with a builder session.
    """
    name = db.execute("SELECT relpath FROM files WHERE file_id = ?", [file_id]).fetchone()
    found = parse(content.encode("utf-8", "replace"), name[0] if name else "", parts=True)
    db.execute(
        "DELETE FROM localization_refs WHERE loc_id IN"
        " (SELECT loc_id FROM localization_entries WHERE file_id = ?)",
        [file_id],
    )
    db.execute("DELETE FROM localization_entries WHERE file_id = ?", [file_id])
    for entry in found.entries:
        row = file_id, cvid, entry.line, found.language or "", entry.key, entry.number or 0
        inserted = db.execute(
            "INSERT OR IGNORE INTO localization_entries (file_id, content_version_id, line_number,"
            " language, loc_key, version, raw_value, plain_text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [*row, entry.text, plain_text(entry)],
        )
        if inserted.rowcount == 1:
            db.executemany(
                "INSERT INTO localization_refs (loc_id, ref_type, ref_value) VALUES (?, ?, ?)",
                [(inserted.lastrowid, *ref) for ref in _refs(entry.parts)],
            )


def plain_text(entry: Entry) -> str:
    """Return a text without its chains, its keys and the signs of its formats.

    Args:
        entry: the entry, with the parts of its text.
    """
    text = entry.text.encode()
    if len(text) != entry.text_end - entry.text_start:
        return entry.text  # bytes were replaced, so that the offsets are those of another text
    kept: list[bytes] = []
    at = 0
    for part in entry.parts:
        start, end = part.start - entry.text_start, part.end - entry.text_start
        if start < at or part.kind == "escape":
            continue
        if part.kind == "icon":  # stays, with what is inside of it
            kept.append(text[at:end])
            at = end
            continue
        kept.append(text[at:start])
        # The blank that ends a style belongs to it.
        at = end + (part.kind == "format" and text[end : end + 1] == b" ")
    return b"".join([*kept, text[at:]]).decode()


def _refs(parts: list[Part]) -> list[tuple[str, str]]:
    refs = [(_REF_TYPES[part.kind], part.value) for part in parts if part.kind in _REF_TYPES]
    return list(dict.fromkeys(refs))
