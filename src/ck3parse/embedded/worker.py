"""The worker beside an embedded broker: Celery's own, started without its command line.

`celery -A ck3parse worker` does the same, but imports every command of Celery's, and takes its
first task 150 ms later.
"""

import gc
import os
import socket
import sys
import time
import warnings
from typing import Any, NoReturn

from ck3parse.embedded.supervisor import READY_FD

NODE_NAME = "embedded@"
"""What `celery inspect` calls it; Celery adds the machine's name."""
_LOOK_INTERVAL_S = 0.005


def main() -> NoReturn:
    """Run as `SOCKET WORKERS [FOLDER...]`: the server's socket, how many processes to start."""
    path, workers = sys.argv[1:3]
    # What is imported stays: looking for garbage in it took a tenth of the time. `tasks` ends this.
    gc.disable()
    from celery.exceptions import SecurityWarning
    from celery.signals import worker_init, worker_ready

    from ck3parse.tasks import app, warn

    # The owner has the same environment, and has warned.
    worker_init.disconnect(warn)

    # It warns of root because of a message format that this application takes from nobody.
    warnings.simplefilter("ignore", SecurityWarning)
    _wait_for_server(path)
    worker_ready.connect(_say_ready)
    worker = app.Worker(
        hostname=NODE_NAME,
        concurrency=int(workers),
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        # It says that it is there, every two seconds: without that it could send no events, once
        # Flower or anybody else asks for them.
        without_heartbeat=False,
    )
    worker.start()
    sys.exit(worker.exitcode)


def _wait_for_server(path: str) -> None:
    """Wait until the server listens; whoever started both ends this process if it never does.

    Celery would try again only after two seconds.
    """
    while True:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(path)
            except OSError:
                time.sleep(_LOOK_INTERVAL_S)
            else:
                return


def _say_ready(**_: Any) -> None:
    os.write(READY_FD, b"\n")
    os.close(READY_FD)
