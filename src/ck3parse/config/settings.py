"""The settings, read from `CK3PARSE_*` variables, and Celery's configuration made from them."""

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
"""The name under which Celery knows `ck3parse.messaging.serializer`."""
PLAIN_SERIALIZER = "msgpack"
"""Celery's own serializer of the same format, which any Celery client can use."""
SPOOL_SERIALIZER = "ck3parse-spool"
"""The name under which Celery knows `ck3parse.messaging.result_files`."""
COMPRESSION = "ck3parse-zstd"
"""The name under which Celery knows `ck3parse.messaging.compression`."""

STALL_LIMIT_S = 5.0
"""Seconds without an answer from a Redis server after which a connection is replaced."""

LONGEST_TIMEOUT_MS = 24 * 60 * 60 * 1000
"""The highest `max_timeout_ms`: a day."""

LONGEST_PATIENCE_S = 7 * 24 * 60 * 60
"""The highest `patience_s` and `watchdog_s`: a week."""

MOST_WORKERS = 1024
"""The highest `workers`."""

_URLS = frozenset({"broker_url", "result_backend"})

_Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
_Megabytes = Annotated[int, msgspec.Meta(ge=1, le=16 * 1024 * 1024)]

READ_ELSEWHERE = frozenset(
    {
        "CK3PARSE_NATIVE",  # setup.py
        # the compose files
        "CK3PARSE_CONCURRENCY",
        "CK3PARSE_FLOWER_ADDRESS",
        "CK3PARSE_FLOWER_AUTH",
        "CK3PARSE_GRAFANA_ADDRESS",
        "CK3PARSE_GRAFANA_IMAGE",
        "CK3PARSE_GRAFANA_PASSWORD",
        "CK3PARSE_GRAFANA_USER",
        "CK3PARSE_IMAGE",
        "CK3PARSE_MODS",
        "CK3PARSE_PROMETHEUS_ADDRESS",
        "CK3PARSE_PROMETHEUS_IMAGE",
        "CK3PARSE_PROMETHEUS_KEEP",
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
"""Variables with the prefix `CK3PARSE_` that are not settings."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    r"""Every setting with its default.

    The environment variable `CK3PARSE_NAME` sets the field `name`, for clients and workers alike.
    `docs/make_settings.py` makes the table in `docs/settings.md` from this class.

    Attributes:
        broker_url: URL of the broker: Redis, Valkey, Redis Sentinel or RabbitMQ. Empty: clients
            start an embedded broker, and a worker that is started by hand uses Redis on this
            machine.
        result_backend: URL of the server that results come back through. Empty: the broker's URL,
            or the first of several.
        workers: number of processes of a worker. 0: one more than the CPUs that the worker may use.
        sentinel_master: name of the Redis service to ask Redis Sentinel for.
        roots: folders that a worker may read files in, separated as in `PATH`. Empty: all files
            that the worker's user can read. The embedded worker of `ck3parse run` may read the
            paths of the run.
        transport: how workers get files: `path` sends their paths, `content` sends their bytes.
        path_map: where workers find the client's files, such as
            `/home/me/mods=/mods,C:\mods=/mods`. Empty: at the same paths.
        parser: `native`, `python`, or your own parser as `module:callable`. Empty: `native` if it
            was built, else `python`.
        dialect: dialect of the syntax trees that clients ask for: `ck3raven` or `ck3`. Empty:
            `ck3` for `show` and `check`, otherwise `ck3raven`, which the bridge's `parse_file` and
            `parse_text` give in any case.
        reading_order: in which order the game reads the files of a playset: `paths` is that of the
            whole paths as text; `files-first` reads the files of a folder before its subfolders.
            Which one is right is not settled.
        max_file_bytes: size of the largest file that is read, in bytes; larger ones fail with
            `FileTooLarge`.
        max_depth: how deep braces may nest.
        max_files_per_child: largest number of files after which a worker process is replaced.
        max_tasks_per_child: number of tasks after which a worker process is replaced.
        max_memory_per_child_mb: resident memory in MB above which a worker process is replaced
            after its task.
        max_address_space_mb: address space in MB that a worker process may use, on Linux only. A
            file whose AST needs more fails with `MemoryError`.
        patience_s: seconds for which a client waits for a broker or workers that are away.
        max_timeout_ms: longest time limit of a file, in milliseconds. Set it to the same value for
            clients and workers: Redis delivers a task a second time if it is not acknowledged
            within twice this time and a minute.
        window_mb: MB of script that a client may have in flight on a broker of others. The broker
            holds about half as much, and a client that sends content holds as much. 0: a quarter of
            what Redis says that it has left, at least 64 and at most 256.
        result_expires_s: seconds after which the result backend drops a result that nobody
            fetched. Results for one waiting client are dropped after twice `patience_s`, if that
            is sooner.
        server_memory_mb: memory in MB that an embedded server may use. When it is full, the server
            drops the oldest unfetched results, and clients wait if there are none.
        spool_dir: folder, shared by workers and clients, in which workers leave large results as
            files. Empty: all results come through the result backend. `ck3parse run` and its
            embedded worker have a folder of their own.
        alive_file: heartbeat file for liveness probes; a worker writes it every five seconds while
            it is connected to its broker. Empty: none.
        metrics_address: address at which a worker serves metrics to Prometheus, such as
            `127.0.0.1:9808`. Empty: none. It needs the extra `ck3parse[metrics]`.
        watchdog_s: seconds for which a worker's event loop may stand still. The worker ends itself
            after twice that time if its broker answers meanwhile. 0: never.
        log_dir: folder for the event log in JSON lines. Empty: no events are logged.
        qbuilder_loc: 1 if builds of qbuilder's fill its tables of localization files, too.
    """

    broker_url: str = ""
    result_backend: str = ""
    workers: Annotated[int, msgspec.Meta(ge=0, le=MOST_WORKERS)] = 0
    sentinel_master: str = "mymaster"
    roots: str = ""
    transport: Literal["path", "content"] = "path"
    path_map: str = ""
    parser: str = ""
    dialect: Literal["", "ck3raven", "ck3"] = ""
    reading_order: Literal["paths", "files-first"] = "paths"
    # The parsers count lines and columns in 32 bits.
    max_file_bytes: Annotated[int, msgspec.Meta(ge=1, le=(1 << 32) - 1)] = 64 * 1024 * 1024
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = DEFAULT_MAX_DEPTH
    max_files_per_child: _Count = 5000
    max_tasks_per_child: _Count = 5000
    max_memory_per_child_mb: _Megabytes = 300
    max_address_space_mb: _Megabytes = 2048
    patience_s: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_PATIENCE_S)] = 60.0
    max_timeout_ms: Annotated[int, msgspec.Meta(ge=DEFAULT_TIMEOUT_MS, le=LONGEST_TIMEOUT_MS)] = (
        10 * 60 * 1000
    )
    window_mb: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    result_expires_s: Annotated[int, msgspec.Meta(ge=1, le=365 * 24 * 60 * 60)] = 3600
    server_memory_mb: Annotated[int, msgspec.Meta(ge=16, le=1 << 20)] = 512
    spool_dir: str = ""
    alive_file: str = ""
    metrics_address: str = ""
    watchdog_s: Annotated[float, msgspec.Meta(ge=0, le=LONGEST_PATIENCE_S)] = 10.0
    log_dir: str = ""
    qbuilder_loc: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Return the settings of an environment.

        Args:
            env: the environment; an empty variable counts as not set.

        Raises:
            UsageError: a value cannot be used. The message names its variable.
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
        """Return these settings, overridden by the options of a command line.

        Args:
            **options: values by the name of their setting; `None` for an option that is not given.

        Returns:
            The settings with these values.

        Raises:
            UsageError: the URL of `--broker` cannot be used.
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
    def shown_broker_url(self) -> str | None:
        """URL of the broker without its password, for reports; `None` if none is set."""
        return broker_url.masked(self.broker_url) if self.broker_url else None

    @property
    def worker_count(self) -> int:
        """Number of processes of a worker, unless its command line sets another."""
        # One more than can work at once: each waits for its worker between two tasks.
        return self.workers or usable_cpus() + 1

    @property
    def transient_expires_s(self) -> int:
        """Seconds after which a result for one waiting client is dropped.

        The client fetches it within milliseconds, or as soon as it has reached its broker again,
        within `patience_s`. A client that was killed never does.
        """
        return min(self.result_expires_s, math.ceil(2 * self.patience_s))

    @property
    def visibility_timeout_s(self) -> int:
        """Seconds after which a Redis broker delivers a task again that is not acknowledged."""
        # Twice, because a task may wait in its worker until a process has finished another one.
        return 2 * self.max_timeout_ms // 1000 + 60

    def stored_version(self, parser_version: str) -> str:
        """Return the version under which results are stored.

        Args:
            parser_version: the version of the parser.

        Returns:
            The parser's version, followed by `max_depth` if it is not the default.
        """
        if self.max_depth == DEFAULT_MAX_DEPTH:
            return parser_version
        return f"{parser_version};depth={self.max_depth}"

    def origin(self, parser_version: str, worker: str = "") -> Origin:
        """Return the origin of results that are made with these settings.

        Args:
            parser_version: the version of the parser.
            worker: the name of the worker; empty for a process that is not a worker.

        Returns:
            The origin to attach to results, or to compare theirs with.
        """
        return Origin(worker, parser_version, self.max_depth, self.max_file_bytes)

    def celery(self) -> dict[str, Any]:
        """Return Celery's configuration for these settings.

        Returns:
            Values by the lower-case names of Celery's settings.

        Raises:
            UsageError: the URL of the broker or the result backend cannot be used.
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
            # The result names its format, and a client of another program knows only this one.
            result_serializer = PLAIN_SERIALIZER
        return {
            "broker_url": broker,
            "result_backend_transport_options": sentinel,
            "result_backend": result_backend,
            # Only plain data in both directions, never pickle.
            "accept_content": [SERIALIZER, PLAIN_SERIALIZER],
            "result_accept_content": [result_serializer],
            # For remote control commands; tasks are sent with `SERIALIZER`.
            "task_serializer": PLAIN_SERIALIZER,
            "result_serializer": result_serializer,
            "result_expires": self.result_expires_s,
            "task_default_queue": QUEUE_BULK,
            "task_queues": {QUEUE_INTERACTIVE: {}, QUEUE_BULK: {}},
            "task_acks_late": True,
            # A task that kills its process would come back forever. The client decides instead.
            "task_reject_on_worker_lost": False,
            "worker_concurrency": self.worker_count,
            "worker_max_tasks_per_child": self.max_tasks_per_child,
            "worker_max_memory_per_child": self.max_memory_per_child_mb * 1024,
            # Prefetched bulk tasks would delay interactive calls.
            "worker_prefetch_multiplier": 1,
            # After SIGQUIT, running tasks have this long to finish; after SIGTERM, any time.
            "worker_soft_shutdown_timeout": 5.0,
            "worker_pool": "ck3parse.worker.prefork:ProcessPool",
            "worker_consumer": "ck3parse.worker.consumer:LastingConsumer",
            "broker_connection_retry_on_startup": True,
            # A full Redis answers with an error, which must not end a worker.
            "broker_channel_error_retry": True,
            "broker_transport_options": {
                # Clients resend the tasks of a killed worker. This is for tasks without a client.
                "visibility_timeout": self.visibility_timeout_s,
                "unacked_restore_interval": 1,
                "unacked_restore_throttle": 1,
                "queue_order_strategy": "priority",
                # Nothing else notices a stalled connection: readers would wait forever.
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
    """Return a warning for each `CK3PARSE_` variable that nothing reads.

    Args:
        env: the environment.

    Returns:
        One sentence for each, which suggests the setting with the most similar name.
    """
    known = {ENV_PREFIX + field.upper() for field in Settings.__struct_fields__} | READ_ELSEWHERE
    sentences = []
    for name in sorted(env.keys() - known):
        if name.startswith(ENV_PREFIX) and env[name]:
            import difflib  # rarely needed

            # The common prefix would make all names similar.
            fields = [field.removeprefix(ENV_PREFIX) for field in sorted(known)]
            (nearest,) = difflib.get_close_matches(name.removeprefix(ENV_PREFIX), fields, 1, 0.0)
            sentences.append(f"{name} is not a setting; the nearest is {ENV_PREFIX}{nearest}")
    return sentences


@functools.cache
def warn_of_unknown_variables() -> None:
    """Log the `unknown_variables` of this process's environment, once per process."""
    for sentence in unknown_variables(os.environ):
        log.warning("%s", sentence)


def read_settings() -> Settings:
    """Return the settings of this process's environment as it is now.

    Returns:
        The settings.

    Raises:
        UsageError: the value of a variable cannot be used.
    """
    return Settings.from_env(os.environ)


def read_setting(name: str) -> Any:
    """Return one setting of this process's environment as it is now.

    This takes microseconds, and does not check the other variables.

    Args:
        name: the name of a field of `Settings`.

    Returns:
        The value of that field.

    Raises:
        UsageError: the value of the variable cannot be used.
    """
    return _setting(name, os.environ.get(ENV_PREFIX + name.upper(), ""))


@functools.lru_cache(maxsize=32)
def _setting(name: str, value: str) -> Any:
    return getattr(Settings.from_env({ENV_PREFIX + name.upper(): value}), name)


def checked_timeout_ms(timeout_ms: float, longest_ms: int | None = None) -> int:
    """Return the time limit of a request if it is within bounds.

    Args:
        timeout_ms: the requested limit in milliseconds.
        longest_ms: the longest limit that is allowed; default: `CK3PARSE_MAX_TIMEOUT_MS` of the
            environment.

    Returns:
        The limit in whole milliseconds.

    Raises:
        UsageError: the limit is not a number, or it is out of bounds.
    """
    if longest_ms is None:
        longest_ms = read_setting("max_timeout_ms")
    # NaN fails every comparison.
    if isinstance(timeout_ms, (int, float)) and MIN_TIMEOUT_MS <= timeout_ms <= longest_ms:
        return int(timeout_ms)
    raise UsageError(
        f"the time limit of a file is {MIN_TIMEOUT_MS} to {longest_ms:,} ms: for longer ones set"
        " CK3PARSE_MAX_TIMEOUT_MS to the same for this program and for each worker of its broker"
    )
