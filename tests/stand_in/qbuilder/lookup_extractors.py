"""Functions that fill lookup tables, called with a text, the ids of its file, and a connection."""

import re
import sqlite3

_PROVINCE = re.compile(r"^(\d+)\s*=\s*\{\s*culture\s*=\s*(\w+)", re.MULTILINE)


def extract_provinces(content: str, file_id: int, cvid: int, conn: sqlite3.Connection) -> int:
    """Fill `province_lookup`; a later file overwrites an earlier one. `boom` makes it raise."""
    del file_id
    assert conn.row_factory is sqlite3.Row  # as the caller made it
    found = _PROVINCE.findall(content)
    for province, culture in found:
        conn.execute(
            "INSERT OR REPLACE INTO province_lookup (province_id, name, culture,"
            " content_version_id) VALUES (?, ?, ?, ?)",
            (int(province), f"province_{province}", culture, cvid),
        )
    if "boom" in content:
        raise KeyError("boom")
    return len(found)


LOOKUP_EXECUTORS = {"extract_provinces": extract_provinces}
