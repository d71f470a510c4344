"""The worker's consumer: refuses what is no task, tells the sender, and outlasts its broker.

Celery recovers from a lost connection, and ends the worker for any other error of its loop: a Redis
that is full answers with an error, a message that cannot be decoded raises one, and so may closing
a broken connection. This consumer connects anew after each of them. The worker forgets what it had
taken by then, and clients send that again.
"""

import logging

from celery.exceptions import InvalidTaskError, WorkerShutdown
from kombu.connection import Connection
from kombu.exceptions import ContentDisallowed
from kombu.message import Message

from ck3parse.celery_compat.broker import redis_client
from ck3parse.celery_compat.consumer import LastingLoopConsumer
from ck3parse.celery_compat.results import store_refusal
from ck3parse.errors import ExitCode
from ck3parse.messaging.cluster_refusal import REFUSAL, is_cluster

log = logging.getLogger(__name__)


class LastingConsumer(LastingLoopConsumer):
    """What the setting `worker_consumer` names."""

    def connected(self, connection: Connection) -> None:
        """End the worker if the server can never be used."""
        if is_cluster(redis_client(connection)):
            log.critical("the worker ends: %s", REFUSAL)
            raise WorkerShutdown(ExitCode.USAGE)

    def refused(self, message: Message, error: Exception) -> None:
        """Store a failure under the id of a message that was refused, for its sender."""
        headers = message.headers or {}
        task_id = headers.get("id")
        if not isinstance(task_id, str) or headers.get("ignore_result"):
            return
        reason = str(error)
        if isinstance(error, ContentDisallowed):
            reason = (
                f"its content is {message.content_type}, and a ck3parse worker takes"
                " application/x-msgpack only: send it with serializer='msgpack'"
            )
        try:
            refusal = InvalidTaskError(f"the task was refused: {reason}")
            store_refusal(self.app, message, task_id, refusal)
        except Exception:  # the backend may be gone, or refuse the id
            log.exception("the sender of %s cannot be told that it was refused", task_id)
