from collections.abc import Iterator
from pathlib import Path

import pytest

from services import free_port, server, valkey


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """The URL of a server without workers."""
    port = free_port()
    with server(valkey(), "--port", str(port), cwd=tmp_path, port=port):
        yield f"redis://127.0.0.1:{port}/0"
