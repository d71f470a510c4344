"""The SQLite store of ASTs and diagnostics, so that unchanged files need not be parsed again.

It has the index, too: what files define and use, and which of them the game reads.
"""

from ck3parse.store.extraction_records import ExtractionTarget
from ck3parse.store.index_records import IndexTarget
from ck3parse.store.playset_records import FileRow, SourceRow
from ck3parse.store.queries import Extracted, StoredFile
from ck3parse.store.records import Counts, Vanished
from ck3parse.store.schema import PAGE_BYTES, SCHEMA_VERSION
from ck3parse.store.store import Store

__all__ = [
    "PAGE_BYTES",
    "SCHEMA_VERSION",
    "Counts",
    "Extracted",
    "ExtractionTarget",
    "FileRow",
    "IndexTarget",
    "SourceRow",
    "Store",
    "StoredFile",
    "Vanished",
]
