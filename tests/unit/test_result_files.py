import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kombu.serialization import registry

from ck3parse.config import SPOOL_SERIALIZER
from ck3parse.messaging import result_files
from ck3parse.messaging.result_files import MIN_BYTES, ResultFileError

LARGE = {"task_id": "t", "status": "SUCCESS", "result": [b"x" * MIN_BYTES], "children": []}
SMALL = {"task_id": "t", "status": "SUCCESS", "result": [b"x"], "children": []}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    result_files.register(str(tmp_path))
    return tmp_path


def encoded(meta: dict[str, Any]) -> bytes:
    dumps: Callable[..., tuple[str, str, bytes]] = registry.dumps
    _, _, body = dumps(meta, serializer=SPOOL_SERIALIZER)
    return body


def decoded(body: bytes) -> Any:
    loads: Callable[..., Any] = registry.loads
    return loads(body, f"application/x-{SPOOL_SERIALIZER}", "binary", accept=None, force=True)


def assert_lost(meta: dict[str, Any]) -> None:
    assert isinstance(meta.pop("result"), ResultFileError)
    assert meta == {"task_id": "t", "status": "FAILURE", "children": []}


def test_a_large_result_is_a_file_until_it_is_read(folder: Path) -> None:
    body = encoded(LARGE)
    assert len(body) < 100
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0 or os.name == "nt"
    assert decoded(body) == LARGE
    assert list(folder.iterdir()) == []


def test_a_small_result_needs_no_file(folder: Path) -> None:
    assert decoded(encoded(SMALL)) == SMALL
    assert list(folder.iterdir()) == []


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize("harm", [Path.unlink, truncate])
def test_a_result_whose_file_cannot_be_read_is_a_failure(
    harm: Callable[[Path], None], folder: Path
) -> None:
    body = encoded(LARGE)
    harm(next(folder.iterdir()))
    assert_lost(decoded(body))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", [b"../secret", b"/etc/passwd", b"x" * 32, b""])
def test_only_a_result_s_file_is_read_and_removed(name: bytes, folder: Path) -> None:
    body = encoded(LARGE)
    (file,) = folder.iterdir()
    secret = folder.parent / "secret"
    secret.write_text("keep me")
    other = body.replace(b"\xd9\x20" + file.name.encode(), bytes([0xD9, len(name)]) + name)
    assert other != body
    assert_lost(decoded(other))
    assert secret.exists()
    assert list(folder.iterdir()) == [file]


def test_without_a_place_for_its_file_it_goes_as_it_is(folder: Path) -> None:
    folder.rmdir()
    body = encoded(LARGE)
    assert len(body) > MIN_BYTES
    assert decoded(body) == LARGE
