from collections.abc import Iterator
from pathlib import Path

import pytest

from ck3parse.qbuilder.installed import Qbuilder
from qbuilder_database import close_all
from services import free_port, server, valkey
from stand_in_qbuilder import installed


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """The URL of a server without workers."""
    port = free_port()
    with server(valkey(), "--port", str(port), cwd=tmp_path, port=port):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def qbuilder() -> Iterator[Qbuilder]:
    """The stand-in for qbuilder."""
    with installed() as found:
        yield found


@pytest.fixture(autouse=True)
def connections() -> Iterator[None]:
    """Close the connections to databases that a test opened."""
    yield
    close_all()
