"""Baselines for the pipeline: a plain process pool, and only parsing and compressing."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from time import perf_counter

import zstandard

from ck3parse.messages import ZSTD_LEVEL
from ck3parse.parser import parse_bytes

CHUNK = 64


def files_of(folder: Path) -> list[str]:
    """Return the script files of a folder, largest first, in the order that a run sends them."""
    found = [str(path) for path in folder.rglob("*.txt")]
    return sorted(found, key=os.path.getsize, reverse=True)


def warm(files: Sequence[str]) -> None:
    """Read files once, so that they are in the file cache."""
    for path in files:
        Path(path).read_bytes()


def pool_s(files: Sequence[str], workers: int) -> float:
    """Return the seconds of a plain process pool that reads, hashes, parses and compresses.

    It keeps the results in the order asked and stores nothing; a file that hangs or crashes would
    end it.
    """
    began = perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        done = sum(1 for _ in pool.map(_answer, files, chunksize=CHUNK))
    assert done == len(files)
    return perf_counter() - began


def floor_s(files: Sequence[str], workers: int) -> float:
    """Return the seconds of only parsing and compressing, on several cores at once."""
    with ProcessPoolExecutor(workers) as pool:
        return max(
            pool.map(_parse_and_compress, [files[place::workers] for place in range(workers)])
        )


def _answer(path: str) -> tuple[str, str, bytes]:
    data = Path(path).read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    outcome = parse_bytes(data, path)
    return path, digest, zstandard.compress(outcome.ast_json or b"", ZSTD_LEVEL)


def _parse_and_compress(files: Sequence[str]) -> float:
    compress = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
    seconds = 0.0
    for path in files:
        data = Path(path).read_bytes()
        began = perf_counter()
        compress(parse_bytes(data, path).ast_json or b"")
        seconds += perf_counter() - began
    return seconds
