"""One settings object, read from `CK3PARSE_*`; Celery's settings derive from it."""

import functools
import logging
import math
import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from ck3parse.config import broker_url
from ck3parse.config.cpus import usable_cpus
from ck3parse.errors import UsageError
from ck3parse.messages import DEFAULT_MAX_DEPTH, DEFAULT_TIMEOUT_MS, MIN_TIMEOUT_MS, Origin

log = logging.getLogger(__name__)

ENV_PREFIX = "CK3PARSE_"

QUEUE_INTERACTIVE = "ck3parse.interactive"
QUEUE_BULK = "ck3parse.bulk"

SERIALIZER = "ck3parse-msgpack"
"""What `ck3parse.messaging.serializer` is to Celery."""
PLAIN_SERIALIZER = "msgpack"
"""The same format as any Celery client packs it."""
SPOOL_SERIALIZER = "ck3parse-spool"
"""What `ck3parse.messaging.result_files` is to Celery."""
COMPRESSION = "ck3parse-zstd"
"""What `ck3parse.messaging.compression` is to Celery."""

STALL_LIMIT_S = 5.0
"""After so long without an answer from a Redis server its connection is made anew."""

LONGEST_TIMEOUT_MS = 24 * 60 * 60 * 1000
"""What `max_timeout_ms` may be at most: a day."""

LONGEST_PATIENCE_S = 7 * 24 * 60 * 60
"""What `patience_s` and `watchdog_s` may be at most: a week."""

MOST_WORKERS = 1024
"""What `workers` may be at most."""

_URLS = frozenset({"broker_url", "result_backend"})

_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
_Megabytes = Annotated[int, msgspec.Meta(ge=1, le=16 * 1024 * 1024)]

READ_ELSEWHERE = frozenset(
    {
        "CK3PARSE_NATIVE",  # setup.py
        # compose.yaml and its like
        "CK3PARSE_CONCURRENCY",
        "CK3PARSE_FLOWER_ADDRESS",
        "CK3PARSE_FLOWER_AUTH",
        "CK3PARSE_IMAGE",
        "CK3PARSE_MODS",
        "CK3PARSE_RABBITMQ_IMAGE",
        "CK3PARSE_RABBITMQ_PASSWORD",
        "CK3PARSE_REDIS_ADDRESS",
        "CK3PARSE_REDIS_IMAGE",
        "CK3PARSE_REDIS_MEMORY",
        "CK3PARSE_REDIS_PASSWORD",
        "CK3PARSE_REPLICAS",
        "CK3PARSE_WORKER_MEMORY",
        # tests and benchmarks
        "CK3PARSE_COMPOSE",
        "CK3PARSE_ENGINE",
        "CK3PARSE_ENGINE_SETUP",
        "CK3PARSE_GOLDEN",
        "CK3PARSE_WRITE_DOCS",
    }
)
"""Variables with our prefix that are no field of `Settings`."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, with its default. `NAME` is set by `CK3PARSE_NAME` in the environment.

    Attributes:
        broker_url: of Redis, Valkey, Sentinels or RabbitMQ, see `ck3parse.config.broker_url`; empty
            means an embedded one, or, for a worker started by hand, a Redis on this machine.
        result_backend: where results come back; empty means the broker's own URL, of several the
            first.
        workers: processes of a worker; 0 means one for each CPU that this process may use, and one
            more.
        sentinel_master: what Sentinels call the Redis to use, for URLs that begin with `sentinel:`.
        roots: folders that a worker may read beneath, joined as `PATH` is; empty means every file
            that its user can read.
        transport: how files are given to workers: `path` names them, `content` sends their bytes.
        path_map: where workers see files that a client names, as `pipeline.pathmap` reads it.
        parser: `native`, `python` or `module:callable`, a parser of the user's own; empty means
            `native` where it was built, else `python`.
        max_file_bytes: larger files are not read but fail as `FileTooLarge`.
        max_depth: how deep braces may nest.
        max_files_per_child: files after which a worker process is replaced.
        max_tasks_per_child: tasks after which a worker process is replaced.
        max_memory_per_child_mb: resident size in MB past which a worker process is replaced after
            its task.
        max_address_space_mb: MB of address space that a worker process may use; a file whose AST
            takes more fails as `MemoryError`. Linux only.
        patience_s: seconds that broker or workers may be gone before a client gives up.
        max_timeout_ms: the longest time limit that a request may have. A Redis broker hands a task
            to a second process once it has not been acknowledged for twice as long and a minute:
            client and workers need the same value.
        result_expires_s: seconds after which the result backend drops what nobody fetched; results
            that only the client waits for which asked are dropped sooner (`transient_expires_s`).
        server_memory_mb: MB that an embedded server may use. Past it the oldest results that nobody
            fetched go first, and clients wait if there are none.
        spool_dir: a folder in which workers leave large results as files, for clients that have the
            same folder here; empty: all come through the result backend.
        alive_file: a file that a worker writes every few seconds while it is well; empty: none.
        watchdog_s: seconds that a worker's event loop may stand still; after as many more in which
            its broker answers, it ends itself to be started again. 0: never.
        log_dir: folder for events as JSON lines; empty means none are written.
    """

    broker_url: str = ""
    result_backend: str = ""
    workers: Annotated[int, msgspec.Meta(ge=0, le=MOST_WORKERS)] = 0
    sentinel_master: str = "mymaster"
    roots: str = ""
    transport: Literal["path", "content"] = "path"
    path_map: str = ""
    parser: str = ""
    # The parsers count lines and columns in 32 bits.
    max_file_bytes: Annotated[int, msgspec.Meta(ge=1, lt=1 << 32)] = 64 * 1024 * 1024
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = DEFAULT_MAX_DEPTH
    max_files_per_child: _Count = 5000
    max_tasks_per_child: _Count = 5000
    max_memory_per_child_mb: _Megabytes = 300
    max_address_space_mb: _Megabytes = 2048
    patience_s: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_PATIENCE_S)] = 60.0
    max_timeout_ms: Annotated[int, msgspec.Meta(ge=DEFAULT_TIMEOUT_MS, le=LONGEST_TIMEOUT_MS)] = (
        10 * 60 * 1000
    )
    result_expires_s: Annotated[int, msgspec.Meta(ge=1, le=365 * 24 * 60 * 60)] = 3600
    server_memory_mb: Annotated[int, msgspec.Meta(ge=16, le=1 << 20)] = 512
    spool_dir: str = ""
    alive_file: str = ""
    watchdog_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_PATIENCE_S)] = 10.0
    log_dir: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read settings from an environment; what is not set has its default.

        Raises:
            UsageError: a value is not of its setting's type; the message names the variable.
        """
        given: dict[str, str] = {}
        for field in cls.__struct_fields__:
            if value := env.get(ENV_PREFIX + field.upper()):
                given[field] = value
        for field in _URLS & given.keys():
            _check_url(ENV_PREFIX + field.upper(), given[field], backend=field == "result_backend")
        try:
            return msgspec.convert(given, cls, strict=False)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$.")
            variable = ENV_PREFIX + place.rstrip("`").upper()
            raise UsageError(f"{variable} cannot be used: {reason}") from error

    def given(self, **options: Any) -> "Settings":
        """Return these settings with what the options of a command line say.

        Args:
            options: by a setting's name; `None` is an option that was not given.

        Raises:
            UsageError: the URL that `--broker` names cannot be used.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if given.get("broker_url"):
            _check_url("--broker", given["broker_url"], backend=False)
        return msgspec.structs.replace(self, **given)

    @property
    def root_folders(self) -> list[str]:
        """The folders in `roots`; empty means every file that the worker's user can read."""
        return [root for root in self.roots.split(os.pathsep) if root]

    @property
    def worker_count(self) -> int:
        """How many processes a worker has, unless its command line says."""
        # One more than can work at once: between two tasks each waits for its worker.
        return self.workers or usable_cpus() + 1

    @property
    def transient_expires_s(self) -> int:
        """Seconds after which a result is dropped that only one client waits for.

        One that lives takes it in milliseconds, or once it has reached its broker again, for which
        it has `patience_s`. One that was killed never does.
        """
        return min(self.result_expires_s, math.ceil(2 * self.patience_s))

    @property
    def visibility_timeout_s(self) -> int:
        """After how long without acknowledgement a Redis broker hands a task to another process."""
        # Twice: a task can wait in its worker until a process is done with another one.
        return 2 * self.max_timeout_ms // 1000 + 60

    def stored_version(self, parser_version: str) -> str:
        """Return what results are stored under: the parser's version, and limits if not default."""
        if self.max_depth == DEFAULT_MAX_DEPTH:
            return parser_version
        return f"{parser_version};depth={self.max_depth}"

    def origin(self, parser_version: str, worker: str = "") -> Origin:
        """Return what results are made under with these settings.

        Args:
            parser_version: the parser's.
            worker: the worker's name.
        """
        return Origin(worker, parser_version, self.max_depth, self.max_file_bytes)

    def celery(self) -> dict[str, Any]:
        """Return Celery's settings as these settings have them.

        Raises:
            UsageError: an URL cannot be used.
        """
        given = self.broker_url or "redis://127.0.0.1:6379/0"
        try:
            broker = broker_url.broker_for_celery(given)
            result_backend = broker_url.backend_for_celery(self.result_backend, given)
        except broker_url.UrlError as error:
            raise UsageError(f"the broker or its result backend cannot be used: {error}") from None
        sentinel = {"master_name": self.sentinel_master}
        result_serializer = SPOOL_SERIALIZER if self.spool_dir else SERIALIZER
        if result_backend.startswith("rpc://"):
            # Such a result names its format, and whoever asked may know no other.
            result_serializer = PLAIN_SERIALIZER
        return {
            "broker_url": broker,
            "result_backend_transport_options": sentinel,
            "result_backend": result_backend,
            # Plain data both ways, whoever sends it: no pickle.
            "accept_content": [SERIALIZER, PLAIN_SERIALIZER],
            "result_accept_content": [result_serializer],
            # For commands to workers; tasks say `SERIALIZER`.
            "task_serializer": PLAIN_SERIALIZER,
            "result_serializer": result_serializer,
            "result_expires": self.result_expires_s,
            "task_default_queue": QUEUE_BULK,
            "task_queues": {QUEUE_INTERACTIVE: {}, QUEUE_BULK: {}},
            "task_acks_late": True,
            # A task that kills its process would come back for ever; the client decides instead.
            "task_reject_on_worker_lost": False,
            "worker_concurrency": self.worker_count,
            "worker_max_tasks_per_child": self.max_tasks_per_child,
            "worker_max_memory_per_child": self.max_memory_per_child_mb * 1024,
            # What a worker holds, a call that somebody waits for cannot overtake.
            "worker_prefetch_multiplier": 1,
            # SIGQUIT lets tasks in hand finish for this many seconds, as SIGTERM does without end.
            "worker_soft_shutdown_timeout": 5.0,
            "worker_consumer": "ck3parse.worker.consumer:LastingConsumer",
            "broker_connection_retry_on_startup": True,
            # A full Redis answers with an error, which is no reason for a worker to end.
            "broker_channel_error_retry": True,
            "broker_transport_options": {
                # Clients send what a killed worker held again; this is for tasks without a client.
                "visibility_timeout": self.visibility_timeout_s,
                "unacked_restore_interval": 1,
                "unacked_restore_throttle": 1,
                "queue_order_strategy": "priority",
                # A connection that stalls is heard of by nobody else: they would wait for ever.
                "socket_timeout": STALL_LIMIT_S,
                "health_check_interval": int(STALL_LIMIT_S),
                **(sentinel if broker.startswith("sentinel://") else {}),
            },
            "broker_connection_timeout": 3.0,
            "redis_socket_connect_timeout": 3.0,
            "redis_socket_timeout": STALL_LIMIT_S,
        }


def _check_url(holder: str, url: str, *, backend: bool) -> None:
    try:
        broker_url.check(url, backend=backend)
    except broker_url.UrlError as error:
        raise UsageError(f"{holder} cannot be used: {error}") from None


def unknown_variables(env: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable with our prefix that nothing reads, as if misspelt.

    Args:
        env: the environment.
    """
    known = {ENV_PREFIX + field.upper() for field in Settings.__struct_fields__} | READ_ELSEWHERE
    sentences = []
    for name in sorted(env.keys() - known):
        if name.startswith(ENV_PREFIX) and env[name]:
            import difflib  # hardly ever

            # Without the prefix, which all have in common.
            fields = [field.removeprefix(ENV_PREFIX) for field in sorted(known)]
            (nearest,) = difflib.get_close_matches(name.removeprefix(ENV_PREFIX), fields, 1, 0.0)
            sentences.append(f"{name} is not a setting; the nearest is {ENV_PREFIX}{nearest}")
    return sentences


@functools.cache
def warn_of_unknown_variables() -> None:
    """Log `unknown_variables` of this process's environment, once."""
    for sentence in unknown_variables(os.environ):
        log.warning("%s", sentence)


def read_settings() -> Settings:
    """Return the settings of this process's environment, read anew.

    Raises:
        UsageError: a variable's value cannot be used.
    """
    return Settings.from_env(os.environ)


def read_setting(name: str) -> Any:
    """Return one setting of this process's environment, read anew; the others are not checked.

    It costs a hundredth of `read_settings`, for what is read with each call.

    Args:
        name: the name of a field of `Settings`.

    Raises:
        UsageError: the variable's value cannot be used.
    """
    return _setting(name, os.environ.get(ENV_PREFIX + name.upper(), ""))


@functools.lru_cache(maxsize=32)
def _setting(name: str, value: str) -> Any:
    return getattr(Settings.from_env({ENV_PREFIX + name.upper(): value}), name)


def checked_timeout_ms(timeout_ms: float, longest_ms: int | None = None) -> int:
    """Return a time limit that a request may have, in milliseconds.

    Args:
        timeout_ms: what was asked for.
        longest_ms: the longest; default: `CK3PARSE_MAX_TIMEOUT_MS` of the environment.

    Raises:
        UsageError: it is no number, or too short or too long a time.
    """
    if longest_ms is None:
        longest_ms = read_setting("max_timeout_ms")
    # NaN is within no limits.
    if isinstance(timeout_ms, (int, float)) and MIN_TIMEOUT_MS <= timeout_ms <= longest_ms:
        return int(timeout_ms)
    raise UsageError(
        f"the time limit of a file is {MIN_TIMEOUT_MS} to {longest_ms:,} ms: for longer ones set"
        " CK3PARSE_MAX_TIMEOUT_MS to the same for this program and for each worker of its broker"
    )
