"""Passing large results as files, between a worker and a client that share a folder.

Celery sends a result to Redis twice, to store it and to publish it, and Redis sends it on to the
client. With a file, only its name goes that way: a run over 92,000 files with 965 MB of results
takes 0.95 of the time. This is a serializer of Celery's result backend, so no other module is
concerned.
"""

import contextlib
import logging
import os
import re
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from celery import states
from kombu import serialization

from ck3parse.config import SPOOL_SERIALIZER
from ck3parse.messaging.acceptance import NotAcceptedError

log = logging.getLogger(__name__)

MIN_BYTES = 64 * 1024
"""Smaller results go through the result backend, which costs less than a file."""
_SPOOLED = b"\xc1"
"""The only byte that msgpack never uses."""
_NAME = re.compile("[0-9a-f]{32}")


class ResultFileError(NotAcceptedError):
    """A large result whose file is gone or cannot be read."""


def register(folder: str) -> None:
    """Register the serializer `SPOOL_SERIALIZER` for results of this process.

    A file is removed when its result is read, so each result can be read once. A result that nobody
    reads stays until the folder is removed.

    Args:
        folder: where the files are. Only client and worker should be able to write to it.
    """

    def encode(meta: dict[str, Any]) -> bytes:
        body = msgspec.msgpack.encode(meta)
        if len(body) >= MIN_BYTES:
            name = secrets.token_hex(16)
            if _write(os.path.join(folder, name), body):
                return _SPOOLED + msgspec.msgpack.encode((meta.get("task_id", ""), name))
        return body

    def decode(body: bytes) -> Any:
        if body[:1] != _SPOOLED:
            return msgspec.msgpack.decode(body)
        task_id, name = msgspec.msgpack.decode(body[1:], type=tuple[str, str])
        try:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a result's file")
            return msgspec.msgpack.decode(_take(os.path.join(folder, name)))
        except (OSError, ValueError) as error:
            log.warning("a result cannot be read (%s)", error)
            lost = ResultFileError(f"its file cannot be read: {error}")
        # The client parses the batch again.
        return {"task_id": task_id, "status": states.FAILURE, "result": lost, "children": []}

    content_type = f"application/x-{SPOOL_SERIALIZER}"
    add: Callable[..., None] = serialization.registry.register
    add(SPOOL_SERIALIZER, encode, decode, content_type, "binary")


def _write(path: str, body: bytes) -> bool:
    try:
        with open(path, "xb", opener=_for_its_user) as file:
            file.write(body)
    except OSError as error:
        log.warning("a result goes through the result backend (%s): is the disk full?", error)
        with contextlib.suppress(OSError):
            os.unlink(path)
        return False
    return True


def _for_its_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _take(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
