"""Metrics of a real broker and its workers, from the command and from a worker."""

import signal
import urllib.request
from pathlib import Path

import pytest

from command import FAULTY, ck3parse, run_json, start
from polling import wait_until
from servers import Server, Worker
from services import free_port

FILES = {
    "good.txt": "a = { b = c }",
    "large.txt": "a = { b = c }\n" * 1000,
    "broken.txt": "a = { b = ",
    "crash.txt": "fault = segfault",
    "hang.txt": "fault = hang",
}


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def fetched(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
        return samples(answer.read().decode())


def sums(found: dict[str, float], name: str, label: str = "") -> float:
    return sum(value for key, value in found.items() if key.split("{")[0] == name and label in key)


@pytest.fixture
def mod(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "mod" / "common" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path / "mod"


def test_every_kind_of_failure_is_counted(mod: Path, tmp_path: Path) -> None:
    port = free_port()
    env = {**FAULTY, "CK3PARSE_METRICS_ADDRESS": f"127.0.0.1:{port}"}
    with Server(tmp_path) as server, Worker(server.url, tmp_path, env=env) as worker:
        worker.wait_ready()
        options = ["--broker", server.url, "--timeout-ms", "1000"]
        run_json(mod, *options, cwd=tmp_path, env=FAULTY, code=1)
        once = ck3parse("metrics", "--once", "--broker", server.url, cwd=tmp_path)
        assert once.returncode == 0, once.stderr
        found = samples(once.stdout)
        assert found["ck3parse_broker_up"] == found["ck3parse_workers"] == 1
        assert sums(found, "ck3parse_files_total") >= 3
        assert sums(found, "ck3parse_file_bytes_total") >= len(FILES["large.txt"])
        assert sums(found, "ck3parse_file_failures_total", 'error_type="ParseError"') >= 1
        assert sums(found, "ck3parse_batches_failed_total", 'reason="crash"') >= 1
        assert sums(found, "ck3parse_batches_failed_total", 'reason="timeout"') >= 1
        assert sums(found, "ck3parse_batches_sent_again_total") >= 1
        assert sums(found, "ck3parse_processes_replaced_total") >= 2
        assert sums(found, "ck3parse_processes") == 2
        assert found["ck3parse_broker_memory_bytes"] > 0
        assert found["ck3parse_broker_memory_limit_bytes"] == 0
        own = fetched(f"http://127.0.0.1:{port}/metrics")
        assert sums(own, "ck3parse_files_total") == sums(found, "ck3parse_files_total")
        assert not sums(own, "ck3parse_queue_batches")


def test_what_waits_and_a_broker_that_is_gone(mod: Path, tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path) as server:
        served = start("metrics", "--broker", server.url, "--listen", f"127.0.0.1:{port}",
                       cwd=tmp_path)  # fmt: skip
        url = f"http://127.0.0.1:{port}/metrics"
        try:
            assert served.stdout
            assert served.stdout.readline().decode().strip() == url
            with server.client() as client:
                name = "ck3parse.bulk"
                client.lpush(name, '{"headers": {"ck3parse_sent": 1.5}}')
                found = fetched(url)
                assert found[f'ck3parse_queue_oldest_seconds{{queue="{name}"}}'] > 1e9
                assert found[f'ck3parse_queue_batches{{queue="{name}"}}'] >= 1
                client.delete(name)
                client.lpush(name, "no message of ours")
                found = fetched(url)
                assert f'ck3parse_queue_oldest_seconds{{queue="{name}"}}' not in found
                client.delete(name)
            waiting = start("run", mod, "--broker", server.url, "--wait", cwd=tmp_path)
            try:
                assert fetched(url)["ck3parse_workers"] == 0
                with Worker(server.url, tmp_path, env=FAULTY) as worker:
                    wait_until(lambda: fetched(url)["ck3parse_workers"] == 1, 90, "it answers")
                    worker.kill()
            finally:
                waiting.kill()
                waiting.communicate()
            server.kill()
            assert fetched(url) == {"ck3parse_broker_up": 0}
            server.start()
            wait_until(lambda: fetched(url)["ck3parse_broker_up"] == 1, 90, "it is up again")
        finally:
            served.send_signal(signal.SIGTERM)
            out, err = served.communicate()
    assert served.returncode == 0, err
    assert b"Traceback" not in err
    assert out == b""


def test_no_broker_and_no_address(tmp_path: Path) -> None:
    done = ck3parse("metrics", "--once", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no broker given" in done.stderr
    url = f"redis://127.0.0.1:{free_port()}/0"
    done = ck3parse("metrics", "--once", "--broker", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("cannot be reached") == 1
    done = ck3parse("metrics", "--listen", "nowhere", "--broker", url, cwd=tmp_path)
    assert done.returncode == 2
    assert "'nowhere' is not an address" in done.stderr
