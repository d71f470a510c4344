"""Zstandard compression: of each AST in a result, and of whole messages."""

from collections.abc import Callable

import zstandard

from ck3parse.config import COMPRESSION
from ck3parse.messages import ZSTD_LEVEL

_ROOM_BYTES = 16 * 1024 * 1024
"""Bytes that a message may have in addition to the largest file: names, and other files."""


def compressor(level: int = ZSTD_LEVEL) -> Callable[[bytes], bytes]:
    """Return a function that compresses bytes into a zstd frame; for one thread.

    Args:
        level: Zstandard's level of compression.
    """
    return zstandard.ZstdCompressor(level=level).compress


def register(max_file_bytes: int) -> None:
    """Register the compression `COMPRESSION` for messages of this process.

    The name is one of ck3parse's own, as kombu may have another compression of the same kind.

    Args:
        max_file_bytes: most bytes of one file. A message that would be much larger than that when
            decompressed is refused before it is decompressed.
    """
    # A subprocess that parses a single file compresses without Celery's libraries.
    from kombu import compression
    from kombu.exceptions import DecodeError

    limit = max_file_bytes + _ROOM_BYTES

    def compress(body: bytes) -> bytes:
        return compressor()(body)

    def decompress(frame: bytes) -> bytes:
        size = zstandard.frame_content_size(frame)
        if not 0 <= size <= limit:
            raise DecodeError(f"a message of {size:,} bytes: more than {limit:,}, or not said")
        return zstandard.decompress(frame)

    compression.register(
        compress, decompress, f"application/x-{COMPRESSION}", aliases=[COMPRESSION]
    )
