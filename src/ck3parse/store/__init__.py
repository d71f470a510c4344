"""The SQLite store of syntax trees and diagnostics."""

from ck3parse.store.store import (
    PAGE_BYTES,
    SCHEMA_VERSION,
    Counts,
    Store,
    StoredFile,
    Vanished,
)

__all__ = ["PAGE_BYTES", "SCHEMA_VERSION", "Counts", "Store", "StoredFile", "Vanished"]
