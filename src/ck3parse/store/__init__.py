"""The SQLite store of ASTs and diagnostics, so that unchanged files need not be parsed again."""

from ck3parse.store.queries import StoredFile
from ck3parse.store.records import Counts, Vanished
from ck3parse.store.schema import PAGE_BYTES, SCHEMA_VERSION
from ck3parse.store.store import Store

__all__ = ["PAGE_BYTES", "SCHEMA_VERSION", "Counts", "Store", "StoredFile", "Vanished"]
