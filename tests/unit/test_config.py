import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ck3parse.config import (
    QUEUE_BULK,
    QUEUE_INTERACTIVE,
    SERIALIZER,
    Settings,
    checked_timeout_ms,
    read_setting,
    unknown_variables,
)
from ck3parse.config.cpus import usable_cpus
from ck3parse.errors import UsageError


def test_defaults_need_no_environment() -> None:
    settings = Settings.from_env({})
    assert settings.max_file_bytes == 64 * 1024 * 1024
    assert settings.worker_count == usable_cpus() + 1


def test_the_environment_is_read() -> None:
    settings = Settings.from_env(
        {"CK3PARSE_WORKERS": "3", "CK3PARSE_BROKER_URL": "redis://h/1", "OTHER": "x"}
    )
    assert (settings.worker_count, settings.broker_url) == (3, "redis://h/1")


def test_an_empty_variable_is_one_not_set() -> None:
    assert Settings.from_env({"CK3PARSE_WORKERS": ""}) == Settings()


@pytest.mark.parametrize(("name", "value"), [("WORKERS", "many"), ("MAX_FILE_BYTES", "0")])
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"CK3PARSE_{name} cannot be used"):
        Settings.from_env({f"CK3PARSE_{name}": value})


def test_celery_gets_msgpack_only_and_the_design_s_limits() -> None:
    celery = Settings(broker_url="redis://h/1", max_memory_per_child_mb=10).celery()
    assert celery["accept_content"] == [SERIALIZER, "msgpack"]
    assert celery["result_accept_content"] == [SERIALIZER]
    assert (celery["task_serializer"], celery["result_serializer"]) == ("msgpack", SERIALIZER)
    assert celery["task_acks_late"] is True
    assert celery["task_reject_on_worker_lost"] is False
    assert celery["worker_max_tasks_per_child"] == 5000
    assert celery["worker_max_memory_per_child"] == 10 * 1024
    assert set(celery["task_queues"]) == {QUEUE_INTERACTIVE, QUEUE_BULK}


@pytest.mark.parametrize(
    ("broker", "backend"),
    [
        ("redis://h:1/2", "redis://h:1/2?protocol=2"),
        (
            "rediss://h:1/2?ssl_cert_reqs=none",
            "rediss://h:1/2?ssl_cert_reqs=none&protocol=2",
        ),
        ("rediss://h:1/2", "rediss://h:1/2?ssl_cert_reqs=required&protocol=2"),
        ("redis+socket:///tmp/s?virtual_host=0", "redis+socket:///tmp/s?virtual_host=0&protocol=2"),
        ("sentinel://h:1", "sentinel://h:1"),
        ("amqp://h//", "rpc://"),
        ("valkey://h:1/2", "redis://h:1/2?protocol=2"),
        ("valkeys://:p%2F@h:1/2", "rediss://:p%2F@h:1/2?ssl_cert_reqs=required&protocol=2"),
        ("valkey+socket:///tmp/s", "redis+socket:///tmp/s?protocol=2"),
        # Celery takes one server for results, or several Sentinels.
        ("redis://a;redis://b", "redis://a?protocol=2"),
        ("rediss://a;rediss://b", "rediss://a?ssl_cert_reqs=required&protocol=2"),
        ("sentinel://h:1;sentinel://i:1", "sentinel://h:1;sentinel://i:1"),
    ],
)
def test_the_result_backend_goes_with_the_broker(broker: str, backend: str) -> None:
    """Issue 19, lines 27 and 38."""
    assert Settings(broker_url=broker).celery()["result_backend"] == backend


def test_a_server_s_certificate_is_checked_unless_the_url_says_otherwise() -> None:
    """Issue 19, line 27: with each URL of a list."""
    given = "rediss://h:1/2;valkeys://i;rediss://j?ssl_cert_reqs=none"
    celery = Settings(broker_url=given, result_backend="rediss://b/0?protocol=3").celery()
    assert celery["broker_url"].split(";") == [
        "rediss://h:1/2?ssl_cert_reqs=required",
        "rediss://i?ssl_cert_reqs=required",
        "rediss://j?ssl_cert_reqs=none",
    ]
    assert "protocol=2" not in celery["result_backend"]
    assert "ssl_cert_reqs=required" in celery["result_backend"]


def test_sentinels_are_told_what_to_look_for() -> None:
    celery = Settings(broker_url="sentinel://h:1", sentinel_master="playsets").celery()
    assert celery["broker_transport_options"]["master_name"] == "playsets"
    assert celery["result_backend_transport_options"] == {"master_name": "playsets"}


def test_a_depth_of_ones_own_is_stored_apart() -> None:
    assert Settings().stored_version("v") == "v"
    assert Settings(max_depth=5).stored_version("v") == "v;depth=5"


def test_a_broker_waits_longer_than_a_file_may_take() -> None:
    """Issue 19, line 26."""
    settings = Settings(max_timeout_ms=3_600_000)
    options = settings.celery()["broker_transport_options"]
    assert options["visibility_timeout"] * 1000 > settings.max_timeout_ms


@pytest.mark.parametrize("limit", [50, 50.0, 600_000])
def test_a_time_limit_within_its_bounds_is_milliseconds(limit: float) -> None:
    assert checked_timeout_ms(limit) == limit
    assert type(checked_timeout_ms(limit)) is int


@pytest.mark.parametrize("limit", [0, -1, 49, 600_001, 10**30, float("inf"), float("nan"), "60"])
def test_a_time_limit_out_of_its_bounds_is_a_usage_error(limit: float) -> None:
    """Issue 19, line 26."""
    with pytest.raises(UsageError, match="CK3PARSE_MAX_TIMEOUT_MS"):
        checked_timeout_ms(limit)


def test_the_longest_time_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK3PARSE_MAX_TIMEOUT_MS", "3600000")
    assert checked_timeout_ms(3_600_000) == 3_600_000


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("BROKER", "BROKER_URL"),
        ("TIMEOUT_MS", "MAX_TIMEOUT_MS"),
        ("PARSERS", "PARSER"),
        ("MAXDEPTH", "MAX_DEPTH"),
    ],
)
def test_a_variable_that_nothing_reads_is_told_with_the_nearest(name: str, nearest: str) -> None:
    """Issue 19, line 8."""
    (sentence,) = unknown_variables({f"CK3PARSE_{name}": "1", "CK3PARSE_WORKERS": "2"})
    assert sentence == f"CK3PARSE_{name} is not a setting; the nearest is CK3PARSE_{nearest}"


def test_every_variable_that_the_project_reads_is_known() -> None:
    """Issue 19, line 8: variables that other parts read are not reported."""
    top = Path(__file__).parents[2]
    files = [top / "setup.py", *top.glob("*.yaml"), *top.glob("Dockerfile")]
    files += [*(top / "src").rglob("*.py"), *(top / "benchmarks").rglob("*.py")]
    files += (top / "tests").rglob("conftest.py")
    text = "\n".join(file.read_text("utf-8") for file in files)
    read = set(re.findall(r"CK3PARSE_[A-Z][A-Z_]*[A-Z]", text)) - {"CK3PARSE_NAME"}  # an example
    assert len(read) > 20
    assert unknown_variables(dict.fromkeys(read, "1")) == []


def test_roots_are_joined_as_path_is() -> None:
    assert Settings().root_folders == []
    assert Settings(roots=os.pathsep.join(["/a", "", "/b"])).root_folders == ["/a", "/b"]


def test_the_settings_in_the_docs_are_up_to_date() -> None:
    make = Path(__file__).parents[2] / "docs" / "make_settings.py"
    subprocess.run([sys.executable, make, "--check"], check=True)


def test_one_setting_is_read_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CK3PARSE_WORKERS", "many")
    monkeypatch.setenv("CK3PARSE_MAX_DEPTH", "5")
    assert read_setting("max_depth") == 5
    monkeypatch.delenv("CK3PARSE_MAX_DEPTH")
    assert read_setting("max_depth") == Settings().max_depth
    with pytest.raises(UsageError, match="CK3PARSE_WORKERS"):
        read_setting("workers")
