"""Makes the pictures of Flower and Prometheus beside this file: `python docs/pictures/make.py`.

It needs Chromium, Prometheus and `pip install '.[test,flower,deploy-test]'`. A broker, two workers
with events on, Flower, `ck3parse metrics`, Prometheus, and runs of the example mod with a file for
every kind of failure are started for it and ended after.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "tests"))

from browser import NAMES  # noqa: E402
from command import FAULTY, run_json  # noqa: E402
from deploy.prometheus import Prometheus, answers  # noqa: E402
from polling import wait_until  # noqa: E402
from services import free_port, running, server, valkey, worker  # noqa: E402

_LIMIT_S = 120.0
_RUNS = 6
_BETWEEN_S = 10.0
_MORE_FILES = 600
COLUMNS = "name,args,state,result,received,runtime,worker"
FAULTS = {
    "broken.txt": "a = { b = ",
    "kills_its_process.txt": "fault = segfault",
    "hangs.txt": "fault = hang",
    "takes_all_memory.txt": "fault = memory",
    "too_large.txt": "a = b\n" * 20_000,
}
MAX_FILE_BYTES = 100_000
GRAPHS = (
    "sum by (worker) (rate(ck3parse_files_total[30s]))",
    "sum by (error_type) (rate(ck3parse_file_failures_total[30s])) > 0",
    "sum by (reason) (rate(ck3parse_batches_failed_total[30s])) > 0",
)


def main() -> int:
    """Make the pictures; return 0."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        raise SystemExit("there is no Chromium: apt-get install chromium")
    port, flower_port, metrics_port = free_port(), free_port(), free_port()
    url, page = f"redis://127.0.0.1:{port}/0", f"http://127.0.0.1:{flower_port}"
    limit = {"CK3PARSE_MAX_FILE_BYTES": str(MAX_FILE_BYTES)}
    env = {**os.environ, **FAULTY, **limit, "CK3PARSE_BROKER_URL": url}
    env |= {"FLOWER_UNAUTHENTICATED_API": "1", "FLOWER_TASKS_COLUMNS": COLUMNS}
    python = [sys.executable, "-m"]
    flower = [*python, "celery", "-A", "ck3parse", "flower", "--address=127.0.0.1"]
    metrics = [*python, "ck3parse", "metrics", "--listen", f"127.0.0.1:{metrics_port}"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        mod = _mod(folder)
        for name in ("worker-1", "worker-2", "flower", "metrics"):
            (folder / name).mkdir()  # each has a file for its output
        prometheus = Prometheus(folder, f"127.0.0.1:{metrics_port}")
        worker_env = {**FAULTY, **limit, "CK3PARSE_ROOTS": str(folder)}
        with (
            server(valkey(), "--port", str(port), cwd=folder, port=port),
            worker(
                url, "-E", "-n", "worker@host-1", cwd=folder / "worker-1", env=worker_env,
                processes=2,
            ),
            worker(
                url, "-E", "-n", "worker@host-2", cwd=folder / "worker-2", env=worker_env,
                processes=2, total=4,
            ),
            running([*flower, f"--port={flower_port}"], cwd=folder / "flower", env=env),
            running(metrics, cwd=folder / "metrics", env=env),
            prometheus.running(),
        ):  # fmt: skip
            wait_until(lambda: answers(f"{page}/healthcheck"), _LIMIT_S, "Flower answers")
            wait_until(lambda: len(_get(f"{page}/api/workers")) == 2, _LIMIT_S, "it sees workers")
            files = "ck3parse_files_total"
            wait_until(lambda: len(prometheus.values(files)) == 2, _LIMIT_S, "it sees workers")
            began = time.monotonic()
            for number in range(_RUNS):
                out = ("--out", f"{number}.sqlite", "--timeout-ms", "1000")
                run_json(mod, "--broker", url, *out, cwd=folder, code=1, env={**FAULTY, **limit})
                time.sleep(_BETWEEN_S)
            minutes = int((time.monotonic() - began) / 60) + 1
            failed = _get(f"{page}/api/tasks?state=FAILURE")
            alone = [key for key, task in failed.items() if "(1 file" in task["args"]]
            graphs = {
                f"g{number}.{key}": value
                for number, query in enumerate(GRAPHS)
                for key, value in (("expr", query), ("tab", "0"), ("range_input", f"{minutes}m"))
            }
            for name, address, height in (
                ("workers", f"{page}/workers", 620),
                ("tasks", f"{page}/tasks", 900),
                ("failed", f"{page}/task/{alone[0]}", 890),
                ("graphs", f"{prometheus.url}/graph?{urlencode(graphs)}", 2270),
            ):
                _picture(browser, address, HERE / f"{name}.png", folder, height)
    return 0


def _mod(folder: Path) -> Path:
    """Return a copy of the example with a file for every kind of failure."""
    mod = folder / "my_mod"
    shutil.copytree(ROOT / "examples" / "small_mod", mod)
    for number in range(_MORE_FILES):
        (mod / "common" / "traits" / f"trait_{number:03}.txt").write_text(f"trait_{number} = {{ }}")
    for name, text in FAULTS.items():
        (mod / "events" / name).write_text(text)
    return mod


def _get(url: str) -> dict[str, dict[str, str]]:
    with urlopen(url, timeout=10) as answer:  # noqa: S310
        found: dict[str, dict[str, str]] = json.load(answer)
    return found


def _picture(browser: str, url: str, file: Path, folder: Path, height: int) -> None:
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'browser'}", f"--window-size=1400,{height}"]
    # The pages fill themselves by requests of their own.
    command += ["--virtual-time-budget=15000", f"--screenshot={file}", url]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
