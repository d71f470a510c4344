"""The embedded broker's worker: Celery's worker, started without its command line.

`celery -A ck3parse worker` does the same, but imports all of Celery's commands, and takes its first
task 150 ms later.
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
"""Its name in `celery inspect`; Celery adds the machine's name."""
_LOOK_INTERVAL_S = 0.005


def main() -> NoReturn:
    """Run the worker; the arguments are `SOCKET PROCESSES [FOLDER...]`."""
    path, workers = sys.argv[1:3]
    # Collecting garbage among what is imported took a tenth of the time. `tasks` enables it again.
    gc.disable()
    from celery.exceptions import SecurityWarning
    from celery.signals import worker_init, worker_ready

    from ck3parse.tasks import app, warn

    # The owner has the same environment and has warned already.
    worker_init.disconnect(warn)

    # It warns root users of pickle, which this application does not accept.
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
        # Without its heartbeat, every two seconds, it could not send events to Flower.
        without_heartbeat=False,
    )
    worker.start()
    sys.exit(worker.exitcode)


def _wait_for_server(path: str) -> None:
    """Wait until the server listens, as Celery would try again only after two seconds.

    If the server never does, the supervisor ends this process.
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
