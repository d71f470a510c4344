"""The items that qbuilder's own functions work on, in this process and one after the other."""

import sqlite3
from pathlib import Path

from ck3parse.qbuilder.build_queue import Item
from ck3parse.qbuilder.installed import Qbuilder


def read_text(path: Path) -> str:
    """Return the text of a file as qbuilder reads it: UTF-8 with or without BOM, else Latin-1.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        return path.read_text("latin-1")


def run_lookups(
    item: Item, steps: tuple[str, ...], qbuilder: Qbuilder, db: sqlite3.Connection
) -> None:
    """Run the steps of an item that fill lookup tables; others are passed over.

    Args:
        item: the item.
        steps: the steps of its envelope.
        qbuilder: has the functions.
        db: the connection that they get, as the caller of the build made it.

    Raises:
        Exception: what reading the file or a function raises.
    """
    for step in steps:
        if lookup := qbuilder.lookups.get(step):
            lookup(read_text(Path(item.path)), item.file_id, item.cvid or 0, db)
