"""Makes the pictures of Flower beside this file: `python docs/flower/make.py MOD`.

It needs Chromium and `pip install '.[test,flower]'`. A broker, two workers with events on, Flower,
and a run of MOD with one more file, which kills its process, are started for it and ended after.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "tests"))

from command import FAULTY, run_json  # noqa: E402
from polling import wait_until  # noqa: E402
from services import free_port, running, server, valkey, worker  # noqa: E402

_LIMIT_S = 30.0
COLUMNS = "name,args,state,result,received,runtime,worker"


def main() -> int:
    """Make the pictures; return 0."""
    mod = Path(sys.argv[1])
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
    port, flower_port = free_port(), free_port()
    url, page = f"redis://127.0.0.1:{port}/0", f"http://127.0.0.1:{flower_port}"
    env = {**os.environ, **FAULTY, "CK3PARSE_BROKER_URL": url}
    env |= {"FLOWER_UNAUTHENTICATED_API": "1", "FLOWER_TASKS_COLUMNS": COLUMNS}
    flower = [sys.executable, "-m", "celery", "-A", "ck3parse", "flower", "--address=127.0.0.1"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy = folder / "my_mod"
        shutil.copytree(mod, copy)
        (copy / "events" / "kills_its_process.txt").parent.mkdir(exist_ok=True)
        (copy / "events" / "kills_its_process.txt").write_text("fault = segfault")
        with (
            server(valkey(), "--port", str(port), cwd=folder, port=port),
            worker(url, "-E", "-n", "worker-1@%h", cwd=folder, env=FAULTY, processes=2),
            worker(url, "-E", "-n", "worker-2@%h", cwd=folder, env=FAULTY, processes=2, total=4),
            running([*flower, f"--port={flower_port}"], cwd=folder, env=env),
        ):
            wait_until(lambda: _answers(f"{page}/healthcheck"), _LIMIT_S, "Flower answers")
            wait_until(lambda: len(_get(f"{page}/api/workers")) == 2, _LIMIT_S, "it sees workers")
            args = (copy, "--transport", "content", "--broker", url, "--out", "o.sqlite")
            run_json(*args, cwd=folder, code=1, env=FAULTY)
            failed = f"{page}/api/tasks?state=FAILURE"
            wait_until(lambda: _get(failed), _LIMIT_S, "it knows of failures")
            alone = [key for key, task in _get(failed).items() if "(1 files" in task["args"]]
            for name, path, height in (
                ("workers", "/workers", 620),
                ("tasks", "/tasks", 900),
                ("failed", f"/task/{alone[0]}", 890),
            ):
                _picture(browser, page + path, HERE / f"{name}.png", folder, height)
    return 0


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def _get(url: str) -> dict[str, dict[str, str]]:
    with urlopen(url, timeout=10) as answer:  # noqa: S310
        found: dict[str, dict[str, str]] = json.load(answer)
    return found


def _picture(browser: str, url: str, file: Path, folder: Path, height: int) -> None:
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'browser'}", f"--window-size=1400,{height}"]
    # Its tables are filled by a request of their own.
    command += ["--virtual-time-budget=8000", f"--screenshot={file}", url]
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    sys.exit(main())
