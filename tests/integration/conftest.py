from collections.abc import Iterator
from pathlib import Path

import pytest

from ck3parse.qbuilder.installed import Qbuilder
from qbuilder_database import close_all
from services import free_port, server, valkey, worker
from stand_in_qbuilder import installed


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """The URL of a server without workers."""
    port = free_port()
    with server(valkey(), "--port", str(port), cwd=tmp_path, port=port):
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="module")
def served_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server with a worker, for all tests of a file."""
    folder = tmp_path_factory.mktemp("broker")
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with server(valkey(), "--port", str(port), cwd=folder, port=port), worker(url, cwd=folder):
        yield url


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
